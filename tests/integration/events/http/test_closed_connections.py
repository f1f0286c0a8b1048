"""A receiver closes a connection that jobd has kept for the next event: that is no failed try. Over real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from jobd.clock import SystemClock
from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.http.connection import Connection, Outcome
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.wire.event import LOG, encode

BODY = encode(
    event_id="e-1",
    type=LOG,
    job_id="job-1",
    job_uid="u-1",
    timestamp=datetime(2030, 1, 1, tzinfo=UTC),
    sequence=1,
    data={"jobId": "job-1", "lines": ["x"], "stream": "stdout"},
)
DELIVERED = Answer("answer", 204)
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
LATER_S = 0.05
ANSWERS, CLOSES, CLOSES_LATER, RESETS = "answers", "closes", "closes later", "resets"
BREAKS_OFF, IS_SILENT = "breaks off", "is silent"
Act = str


@dataclass
class Receiver:
    """For each connection, what the receiver does with its requests, one after the other; the last connection's acts repeat."""

    acts: list[list[Act]]
    url: str = ""
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    """Each request: the number of its connection, and its bytes."""
    connections: int = 0
    server: asyncio.Server | None = None
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        try:
            for act in self.acts[min(number, len(self.acts) - 1)]:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append((number, head + await reader.readexactly(length)))
                if act == ANSWERS:
                    writer.write(ANSWER)
                elif act == BREAKS_OFF:
                    writer.write(ANSWER[:5])
                elif act == RESETS:
                    writer.transport.abort()
                elif act == CLOSES_LATER:
                    await asyncio.sleep(2 * LATER_S)
                elif act == IS_SILENT:
                    await self.silent.wait()
        except (OSError, asyncio.IncompleteReadError):
            pass  # jobd has closed the connection
        finally:
            writer.close()


Made = Callable[..., Awaitable[Receiver]]


@pytest.fixture
async def make() -> AsyncIterator[Made]:
    made: list[Receiver] = []

    async def start(*acts: list[Act]) -> Receiver:
        receiver = Receiver(list(acts))
        receiver.server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
        receiver.url = f"http://127.0.0.1:{receiver.server.sockets[0].getsockname()[1]}/hook"
        made.append(receiver)
        return receiver

    yield start
    for receiver in made:
        receiver.silent.set()
        assert receiver.server is not None
        receiver.server.close()


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(EgressPolicy(EgressRule()), SystemClock(), timeout_s=10) as made:
        yield made


async def sent(sender: Sender, url: str) -> Answer:
    return await sender.send(url, None, "e-1", BODY)


async def tried(sender: Sender, url: str) -> Answer:
    """Over an open connection, as a worker does."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    assert sender.try_send(url, None, "e-1", BODY, answered.set_result)
    async with asyncio.timeout(60):
        return await answered


WAYS = pytest.mark.parametrize("again", [sent, tried])


@WAYS
@pytest.mark.parametrize("act", [CLOSES, RESETS])
async def test_a_request_goes_over_a_new_connection_after_a_kept_one_was_closed(
    sender: Sender, make: Made, again: Any, act: Act
) -> None:
    receiver = await make([ANSWERS, ANSWERS, act], [ANSWERS] * 9)
    assert await sent(sender, receiver.url) == DELIVERED
    for _ in range(3):
        assert await again(sender, receiver.url) == DELIVERED
    assert [number for number, _ in receiver.requests] == [0, 0, 0, 1, 1]
    assert receiver.requests[2][1] == receiver.requests[3][1], "the same bytes, id and signature included"
    assert {request.partition(b"\r\n\r\n")[2] for _, request in receiver.requests} == {BODY}


async def test_a_receiver_that_closes_after_each_answer_gets_each_event_once(
    sender: Sender, make: Made
) -> None:
    """It reads nothing of a second request. jobd begins that request as soon as it has the answer to the first one."""
    receiver = await make([ANSWERS])
    answers: Counter[Answer] = Counter()
    finished = asyncio.Event()

    def answered(answer: Answer) -> None:
        answers[answer] += 1
        if answers.total() == 100:
            finished.set()
        elif not sender.try_send(receiver.url, None, "e-1", BODY, answered):
            opening.append(asyncio.ensure_future(sent(sender, receiver.url)))
            opening[-1].add_done_callback(lambda done: answered(done.result()))

    opening: list[asyncio.Future[Answer]] = []
    answered(await sent(sender, receiver.url))
    async with asyncio.timeout(60):
        await finished.wait()
    assert answers == {DELIVERED: 100}
    assert len(receiver.requests) == 100


async def test_a_new_connection_that_is_closed_is_a_failure(sender: Sender, make: Made) -> None:
    receiver = await make([CLOSES])
    assert (await sent(sender, receiver.url)).kind == "network"
    assert len(receiver.requests) == 1


@WAYS
async def test_a_request_is_sent_again_once(sender: Sender, make: Made, again: Any) -> None:
    receiver = await make([ANSWERS, CLOSES], [CLOSES])
    assert await sent(sender, receiver.url) == DELIVERED
    failed = await again(sender, receiver.url)
    assert (failed.kind, failed.text) == ("network", "the receiver closed the connection without an answer")
    assert [number for number, _ in receiver.requests] == [0, 0, 1]


@WAYS
async def test_a_part_of_an_answer_is_the_receivers_failure(sender: Sender, make: Made, again: Any) -> None:
    receiver = await make([ANSWERS, BREAKS_OFF], [ANSWERS])
    assert await sent(sender, receiver.url) == DELIVERED
    assert (await again(sender, receiver.url)).kind == "network"
    assert len(receiver.requests) == 2


@WAYS
async def test_silence_on_a_kept_connection_is_the_receivers_failure(make: Made, again: Any) -> None:
    receiver = await make([ANSWERS, IS_SILENT], [ANSWERS])
    async with Sender(EgressPolicy(EgressRule()), SystemClock(), timeout_s=0.3) as hasty:
        assert await sent(hasty, receiver.url) == DELIVERED
        assert (await again(hasty, receiver.url)).kind == "timeout"
    assert len(receiver.requests) == 2


@WAYS
async def test_a_receiver_that_is_gone_is_a_failure(sender: Sender, make: Made, again: Any) -> None:
    receiver = await make([ANSWERS, CLOSES])
    assert await sent(sender, receiver.url) == DELIVERED
    assert receiver.server is not None
    receiver.server.close()
    failed = await again(sender, receiver.url)
    assert failed.kind == "network"
    assert failed.text.startswith("cannot connect")


@WAYS
async def test_both_requests_share_one_timeout(
    make: Made, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    begin = Connection.begin

    def noted(self: Connection, request: bytes, timeout_s: float, ended: Callable[[Outcome], None]) -> None:
        given.append(timeout_s)
        begin(self, request, timeout_s, ended)

    receiver = await make([ANSWERS, CLOSES_LATER], [ANSWERS])
    async with Sender(EgressPolicy(EgressRule()), SystemClock(), timeout_s=60) as patient:
        assert await sent(patient, receiver.url) == DELIVERED
        monkeypatch.setattr(Connection, "begin", noted)
        assert await again(patient, receiver.url) == DELIVERED
    first_s, second_s = given
    assert second_s <= first_s - LATER_S


async def test_a_closed_sender_ends_a_request_that_is_sent_again(
    sender: Sender, make: Made, until: Any
) -> None:
    receiver = await make([ANSWERS, CLOSES], [IS_SILENT])
    assert await sent(sender, receiver.url) == DELIVERED
    answers: list[Answer] = []
    assert sender.try_send(receiver.url, None, "e-1", BODY, answers.append)
    await until(lambda: len(receiver.requests) == 3)
    assert len(sender._again) == 1
    await sender.close()
    assert answers == [Answer("network", text="the connection was closed")]
    assert not sender._again


async def test_a_closed_sender_sends_nothing_again(sender: Sender, make: Made, until: Any) -> None:
    receiver = await make([ANSWERS] * 9)
    assert await sent(sender, receiver.url) == DELIVERED
    ((kept,),) = sender._connections._idle.values()
    assert kept._transport is not None
    kept._transport.close()  # as the event loop does when the receiver has closed; it tells the connection one turn later
    answers: list[Answer] = []
    assert sender.try_send(receiver.url, None, "e-1", BODY, answers.append)
    await sender.close()
    await until(lambda: answers)
    assert [answer.kind for answer in answers] == ["network"]
    assert not sender._again
    assert receiver.connections == 1


async def test_a_defect_while_a_request_is_sent_again_is_told(
    sender: Sender, make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = await make([ANSWERS, CLOSES])
    assert await sent(sender, receiver.url) == DELIVERED

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sender._connections, "open", fail)
    assert await tried(sender, receiver.url) == Answer("invalid", text="internal error: ZeroDivisionError")
