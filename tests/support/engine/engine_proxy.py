"""A Unix socket between jobd and the engine that loses, delays and cuts chosen requests, and passes all others on.

Parses only methods, paths and body lengths of HTTP. Runs in a thread with its own event loop.
"""

import asyncio
import re
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.support.engine.proxy_streams import forward, forward_beginning, forward_body, forward_both, write

ENGINE = "/var/run/docker.sock"
LIMIT_S = 30.0
PIECE_BYTES = 64 * 1024
ANSWERS = {
    "unavailable": (b"503 Service Unavailable", b'{"message":"the engine cannot now"}'),
    "full": (
        b"500 Internal Server Error",
        b'{"message":"mkdir /var/lib/docker/overlay2/5a/merged: no space left on device"}',
    ),
}

Fault = Literal[
    "refuse", "lose", "late", "hold", "delay", "stall", "silent", "unavailable", "full", "cut", "short"
]
"""`refuse`: the connection ends before the request reaches the engine. `lose`: the engine gets the request and answers, and the
answer is lost. `late`: the connection ends at once, and the engine gets the request when the rule is released, or `delay_s`
later. `hold`: the engine gets the request, and the client its answer, when the rule is released. `delay`: the engine gets the
request `delay_s` later, and the answer is passed on. `stall`: no answer arrives while the rule exists. `silent`: the answer's
head arrives without its body. `unavailable`: answered with 503, without the engine. `full`: the answer of an engine with a full
disk. `cut`: the connection ends after `keep` bytes of the answer's body. `short`: the body ends there in order, as if complete.
"""


@dataclass
class Rule:
    """A fault for requests whose "METHOD /path?query" matches the pattern. `times`: how often; None: always."""

    pattern: re.Pattern[str]
    fault: Fault
    times: int | None
    keep: int = 0
    delay_s: float = 0.0
    hits: int = 0
    lifted: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def matches(self, request: str) -> bool:
        return (
            not self.lifted.is_set()
            and (self.times is None or self.hits < self.times)
            and self.pattern.search(request) is not None
        )


class EngineProxy:
    """Listens from its creation on. `requests`: all received requests, as "METHOD /path?query"."""

    def __init__(self, path: Path, engine: str = ENGINE) -> None:
        self.path = path
        self.requests: list[str] = []
        self._engine = engine
        self._rules: list[Rule] = []
        self._writers: dict[asyncio.StreamWriter, str] = {}
        """Both sides of each exchange, with the request under way."""
        self._server: asyncio.Server | None = None
        self._late: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._serving: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.up()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def on(
        self, pattern: str, fault: Fault, times: int | None = 1, *, keep: int = 0, delay_s: float = 0.0
    ) -> Rule:
        """Adds a fault, which `lift` removes. `keep`: how many bytes of a chunked body arrive before its end."""
        rule = Rule(re.compile(pattern), fault, times, keep, delay_s)
        self._rules.append(rule)
        return rule

    def count(self, pattern: str) -> int:
        """Returns the number of received requests that match the pattern."""
        return sum(re.search(pattern, request) is not None for request in list(self.requests))

    def up(self) -> None:
        """Accepts connections."""
        self._run(self._up())

    def down(self) -> None:
        """Refuses connections, and cuts the open ones."""
        self._run(self._down())

    def cut(self, pattern: str = "") -> None:
        """Cuts the connections of matching requests; accepts new ones."""
        self._run(self._cut(pattern))

    def close(self) -> None:
        for rule in self._rules:
            rule.lifted.set()
            rule.released.set()
        self.down()
        self._run(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)

    async def _up(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, self.path)

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.path.unlink(missing_ok=True)
        await self._cut()

    async def _cut(self, pattern: str = "") -> None:
        for writer, request in list(self._writers.items()):
            if re.search(pattern, request):
                writer.transport.abort()

    async def _end_tasks(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._cut()  # a task that is cancelled before its first step closes nothing
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = ""
        self._serving.add(task := asyncio.create_task(self._serve(reader, writer)))
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one side has ended: the other ends too
        finally:
            self._writers.pop(writer, None)
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Forwards one request on its own connection to the engine; True if another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, target = head.split(b" ", 2)[:2]
        request = f"{method.decode()} {target.decode()}"
        self.requests.append(request)
        self._writers[writer] = request
        rule = next((rule for rule in self._rules if rule.matches(request)), None)
        if rule is not None:
            rule.hits += 1
            if rule.fault == "refuse":
                return False
            if rule.fault == "late":
                await forward_body(reader, head, None)
                task = asyncio.create_task(self._pass_on_late(rule, head))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                return False
            if rule.fault == "hold":
                await _until(rule.released)
            if rule.fault == "stall":
                await _until(rule.lifted)
                return False
            if rule.fault in ("unavailable", "full"):
                await forward_body(reader, head, None)
                status, body = ANSWERS[rule.fault]
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (status, len(body), body)
                )
                await writer.drain()
                return True
            if rule.fault == "delay":
                await asyncio.sleep(rule.delay_s)
        upgrade = re.search(rb"\r\nupgrade:", head, re.IGNORECASE) is not None
        back, out = await asyncio.open_unix_connection(self._engine)
        self._writers[out] = request
        try:
            if not upgrade:
                head = _with_close(head)
            out.write(head)
            await out.drain()
            if upgrade:
                await forward_both(reader, writer, back, out)
                return False
            await forward_body(reader, head, out)
            await self._answer(rule, back, writer)
            return False
        finally:
            self._writers.pop(out, None)
            out.transport.abort()

    async def _answer(
        self, rule: Rule | None, back: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if rule is not None and rule.fault == "lose":
            await back.read()  # to its end: the engine has executed the request
            return
        if rule is not None and rule.fault == "silent":
            writer.write(await back.readuntil(b"\r\n\r\n"))
            await writer.drain()
            await _until(rule.lifted)
            return
        if rule is not None and rule.fault in ("cut", "short"):
            await forward_beginning(back, writer, rule.keep)
            if rule.fault == "short":
                await write(writer, b"0\r\n\r\n")
            return
        await forward(back, writer)

    async def _pass_on_late(self, rule: Rule, head: bytes) -> None:
        """Forwards a request without a body whose client has disconnected."""
        if rule.delay_s:
            await asyncio.sleep(rule.delay_s)
        else:
            await _until(rule.released)
        back, out = await asyncio.open_unix_connection(self._engine)
        out.write(_with_close(head))
        await out.drain()
        await back.read()
        out.close()


async def _until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.05)


def _with_close(head: bytes) -> bytes:
    head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)
    return head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
