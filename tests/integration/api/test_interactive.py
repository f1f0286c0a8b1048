"""The WebSockets of attach and exec: access, refusals before and after the upgrade, the order of messages, and the end of the connection."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from jobd.wire import channel
from tests.support.daemon import Daemon, until

PATHS = ("/v1/jobs/a/attach", "/v1/jobs/a/exec")
DEADLINE_S = 60.0


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE_S)) as session:
        yield session


@pytest.fixture
def running(daemon: Daemon, worker_image: str, job_id: str) -> Any:
    """A job whose command copies its input."""
    daemon.submit(id=job_id, image=worker_image, command="cat; exit 3", stdin=True)
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")
    yield job_id
    daemon.call("DELETE", f"/v1/jobs/{job_id}")


async def message(socket: aiohttp.ClientWebSocketResponse) -> tuple[int, bytes]:
    """Returns the next message that is no sign of life."""
    while True:
        data = await socket.receive_bytes(timeout=DEADLINE_S)
        if data != b"\x03{}":
            return data[0], data[1:]


async def status(socket: aiohttp.ClientWebSocketResponse) -> Any:
    number, data = await message(socket)
    assert number == channel.STATUS
    return json.loads(data)


async def code_of_close(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    last = await socket.receive(timeout=DEADLINE_S)
    assert last.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    return socket.close_code


@pytest.mark.parametrize("path", PATHS)
async def test_a_websocket_needs_the_access_of_any_request(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], client: aiohttp.ClientSession, path: str
) -> None:
    daemon = make_daemon(environ=no_engine, flags=()).start()
    key = (daemon.folder / "state" / "api-key").read_text().strip()
    for headers, refused in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {key}", "Origin": "http://page.example"}, 403),
        ({"Authorization": f"Bearer {key}", "Host": "page.example"}, 403),
        ({"Authorization": f"Bearer {key}"}, 404),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await client.ws_connect(daemon.http + path, headers=headers)
        assert error.value.status == refused


def test_a_plain_request_is_told_what_the_path_is(lonely: Daemon) -> None:
    job_id = lonely.submit(id="waits", image="busybox")
    answer = lonely.call("GET", f"/v1/jobs/{job_id}/attach")
    assert (answer.status, answer.json["code"]) == (400, "no-websocket")
    assert lonely.call("GET", f"/v1/jobs/{job_id}/exec").json["code"] == "not-running"
    assert lonely.call("GET", f"/v1/jobs/{job_id}/attach?stdin=2").json["field"] == "stdin"


async def test_input_output_and_end_have_their_channels(
    daemon: Daemon, client: aiohttp.ClientSession, running: str
) -> None:
    url = f"{daemon.http}/v1/jobs/{running}/attach?stdin=1"
    async with client.ws_connect(url, protocols=[channel.PROTOCOL]) as socket:
        assert socket.protocol == channel.PROTOCOL
        assert await status(socket) == {"attached": {"tty": False, "stdin": True}}
        async with client.ws_connect(url) as second:
            assert (await status(second))["error"]["code"] == "input-taken"
            assert await code_of_close(second) == aiohttp.WSCloseCode.INTERNAL_ERROR
        await socket.send_bytes(b"\x00hello")
        assert await message(socket) == (channel.STDOUT, b"hello")
        await socket.send_bytes(b"\xff\x00")
        end = await status(socket)
        assert end == {"end": {"status": "failed", "exitCode": 3, "reason": "exit-code"}}
        assert await code_of_close(socket) == aiohttp.WSCloseCode.OK


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x01output", "channel"),
        (b"\x07", "channel"),
        (b"\xff\x01", "channel"),
        (b"\x04{}", "invalid-request"),
        (b'\x04{"columns": 0, "rows": 1}', "invalid-request"),
        (b'\x04{"columns": 80, "rows": 24, "more": 1}', "invalid-request"),
        (b"", "channel"),
        ("text", "channel"),
    ],
)
async def test_a_client_that_breaks_the_protocol_is_told_and_the_job_runs_on(
    daemon: Daemon, client: aiohttp.ClientSession, running: str, sent: bytes | str, code: str
) -> None:
    async with client.ws_connect(f"{daemon.http}/v1/jobs/{running}/attach?stdin=1") as socket:
        assert "attached" in await status(socket)
        await (socket.send_str(sent) if isinstance(sent, str) else socket.send_bytes(sent))
        assert (await status(socket))["error"]["code"] == code
        assert await code_of_close(socket) == aiohttp.WSCloseCode.INTERNAL_ERROR
    assert daemon.call("GET", f"/v1/jobs/{running}").json["status"] == "running"


async def test_a_message_without_a_bound_is_refused(
    daemon: Daemon, client: aiohttp.ClientSession, running: str
) -> None:
    async with client.ws_connect(f"{daemon.http}/v1/jobs/{running}/attach?stdin=1") as socket:
        assert "attached" in await status(socket)
        await socket.send_bytes(bytes(channel.REQUEST_BYTES + 100))
        assert await code_of_close(socket) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    assert daemon.call("GET", f"/v1/jobs/{running}").json["status"] == "running"


async def test_an_exec_is_asked_for_by_its_first_message(
    daemon: Daemon, client: aiohttp.ClientSession, running: str
) -> None:
    url = f"{daemon.http}/v1/jobs/{running}/exec"
    async with client.ws_connect(url) as socket:
        request = {
            "command": ["sh", "-c", "cat; echo $A >&2; exit 7"],
            "stdin": True,
            "environment": {"A": "b"},
        }
        await socket.send_bytes(b"\x03" + json.dumps(request).encode())
        assert await status(socket) == {"attached": {"tty": False, "stdin": True}}
        await socket.send_bytes(b"\x00in")
        assert await message(socket) == (channel.STDOUT, b"in")
        await socket.send_bytes(b"\xff\x00")
        assert await message(socket) == (channel.STDERR, b"b\n")
        assert await status(socket) == {"exit": {"exitCode": 7}}
        assert await code_of_close(socket) == aiohttp.WSCloseCode.OK
    for first, field in (
        (b"\x00input", None),
        (b"\x03{", None),
        (b"\x03{}", "command"),
        (b'\x03{"command": []}', "command"),
        (b'\x03{"command": ["a", "b\\u0000"]}', "command[1]"),
        (b'\x03{"command": ["a"], "workdir": "b"}', "workdir"),
        (b'\x03{"command": ["a"], "detach": true}', "detach"),
    ):
        async with client.ws_connect(url) as socket:
            await socket.send_bytes(first)
            assert (await status(socket))["error"].get("field") == field, first


async def test_a_stopping_jobd_closes_with_its_own_code(
    make_daemon: Callable[..., Daemon], client: aiohttp.ClientSession, no_engine: dict[str, str]
) -> None:
    daemon = make_daemon(environ=no_engine).start()
    daemon.submit(id="waits", image="busybox", attach=True)
    async with client.ws_connect(f"{daemon.http}/v1/jobs/waits/attach") as socket:
        assert daemon.process is not None
        daemon.process.terminate()
        assert await code_of_close(socket) == channel.STOPPING
    assert daemon.stop() == 0
