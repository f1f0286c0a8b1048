"""Builds the parts that send events and serve them to clients."""

from dataclasses import dataclass

from jobd.api.memory import READER_PATIENCE_S, READERS_BYTES
from jobd.budget import ByteBudget
from jobd.clock import Clock
from jobd.events.delivery.dispatcher import Dispatcher
from jobd.events.delivery.observer import DeliveryObserver
from jobd.events.delivery.workers import EventSender
from jobd.events.feed import Feed
from jobd.events.http.egress import EgressPolicy
from jobd.events.http.sender import Sender
from jobd.settings.config import Config
from jobd.store.store import Store


@dataclass(frozen=True, slots=True)
class Events:
    """`readers`: the memory budget of all clients that read events, logs, lists and jobs."""

    dispatcher: Dispatcher
    feed: Feed
    readers: ByteBudget


def build_sender(config: Config, own_addresses: frozenset[tuple[str, int]], clock: Clock) -> Sender:
    """Returns the sender of events. `own_addresses` are jobd's listeners: no callback may go there."""
    return Sender(
        EgressPolicy(config.egress, own_addresses),
        clock,
        timeout_s=config.dispatcher.http_timeout_s,
        connections=2 * config.dispatcher.workers,
    )


def build_events(
    config: Config, store: Store, sender: EventSender, clock: Clock, observer: DeliveryObserver | None = None
) -> Events:
    """Returns the dispatcher, not started, and the feed."""
    readers = ByteBudget(READERS_BYTES, patience_s=READER_PATIENCE_S)
    return Events(
        dispatcher=Dispatcher(store, sender, config.dispatcher, clock, observer),
        feed=Feed(store, readers),
        readers=readers,
    )
