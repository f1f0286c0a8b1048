"""Exchanges over one connection: one after the other, cancelled, timed out, and early answers."""

import asyncio

import pytest

from jobd.events.http.connection import (
    BUFFER_BYTES,
    Connection,
    NoAnswer,
    Outcome,
    Reply,
)
from tests.unit.jobd.events.http.test_connection import LONG_S, Wire, exchanged


async def test_one_connection_serves_one_exchange_after_the_other() -> None:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    for number in range(3):
        future = connection.exchange(b"%d" % number, LONG_S)
        connection.received(b"HTTP/1.1 20%d OK\r\nContent-Length: 1\r\n\r\n%d" % (number, number))
        assert await future == Reply(200 + number, None, b"%d" % number)
    assert wire.sent == b"012"
    connection.close()
    assert wire.gone
    with pytest.raises(NoAnswer):
        await connection.exchange(b"", LONG_S)


async def test_the_next_exchange_may_begin_with_the_outcome_of_the_last() -> None:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    outcomes: list[Outcome] = []

    def ended(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if len(outcomes) < 3:
            connection.begin(b"%d" % len(outcomes), LONG_S, ended)

    connection.begin(b"0", LONG_S, ended)
    for number in range(3):
        assert len(outcomes) == number
        connection.received(b"HTTP/1.1 20%d OK\r\nContent-Length: 0\r\n\r\n" % number)
    assert outcomes == [Reply(200 + number, None, b"") for number in range(3)]
    assert wire.sent == b"012"
    connection.received(b"HTTP/1.1 204 No Content\r\n\r\n")  # nobody has asked
    assert wire.gone
    assert len(outcomes) == 3


async def test_a_timer_of_an_earlier_exchange_ends_no_later_one() -> None:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    first = connection.exchange(b"", 0.01)
    connection.received(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (await first).status == 204
    second = connection.exchange(b"", LONG_S)
    await asyncio.sleep(0.03)
    assert not second.done()
    assert connection._timer is not None
    assert connection._timer.when() > asyncio.get_running_loop().time() + 60
    third = connection.exchange
    connection.received(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (await second).status == 204
    with pytest.raises(TimeoutError):
        await third(b"", 0.01)
    assert wire.gone


async def test_a_cancelled_exchange_closes_the_connection() -> None:
    connection, wire = Connection(), Wire()
    connection.connection_made(wire)
    future = connection.exchange(b"", LONG_S)
    future.cancel()
    await asyncio.sleep(0)
    assert wire.gone
    assert not connection.reusable


def test_an_answer_before_all_was_sent_counts_and_ends_the_connection() -> None:
    def act(connection: Connection, wire: Wire) -> None:
        wire.unsent = 1
        connection.received(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")

    outcome, connection, wire = exchanged(act)
    assert outcome == Reply(413, None, b"")
    assert wire.gone
    assert not connection.reusable


async def test_one_buffer_serves_all_connections() -> None:
    buffer = bytearray(BUFFER_BYTES)
    both = [(Connection(buffer), Wire()) for _ in range(2)]
    for connection, wire in both:
        connection.connection_made(wire)
    exchanges = [connection.exchange(b"", LONG_S) for connection, _ in both]
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: %d\r\nContent-Length: 3\r\n\r\nno%d"
    for cut_at in (slice(0, 35), slice(35, None)):  # in the middle of a header
        for number, (connection, _) in enumerate(both):
            piece = (answer % (number, number))[cut_at]
            connection.get_buffer(-1)[: len(piece)] = piece
            connection.buffer_updated(len(piece))
    assert [await one for one in exchanges] == [Reply(503, str(n), b"no%d" % n) for n in range(2)]
