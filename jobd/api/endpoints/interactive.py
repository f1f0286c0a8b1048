"""The endpoints of attached clients: a job's own command, a command beside it; and their part of the table of routes."""

from aiohttp import web

from jobd.api.body import Parameters
from jobd.api.channels import opened
from jobd.api.context import context_of, credentials
from jobd.api.route import Parameter, Route
from jobd.wire import channel
from jobd.wire.terminal import ExecRequest, Status, TerminalSize
from jobd.wire.validation.exec import decode_request

_FRAMES = (
    f"A WebSocket with the subprotocol `{channel.PROTOCOL}`. Each message is binary: the number of a channel as one byte, then at most "
    f"{channel.PIECE_BYTES} bytes. The client sends 0 (standard input), 4 (`TerminalSize`) and 255 followed by a zero byte (the end of "
    "standard input). jobd sends 1 (standard output), 2 (standard error) and 3 (`Status`): `attached` once input and output are connected, "
    "an empty `Status` as a sign of life at least every 15 seconds, `error` if the session fails, and last {last}. Each side reads at its own "
    "pace: what is not read is not sent. The close code 1001 means that jobd stops; the job runs on."
)


async def attach(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs/{id}/attach`: a WebSocket."""
    context = context_of(request)
    parameters = Parameters(request)
    stdin = parameters.flag("stdin")
    parameters.done()
    target = await context.sessions.target(request.match_info["id"], credentials(request))
    async with opened(request) as channels:
        await context.sessions.attach(target, channels, stdin=stdin)
    return channels.socket


async def execute(request: web.Request) -> web.StreamResponse:
    """`GET /v1/jobs/{id}/exec`: a WebSocket."""
    context = context_of(request)
    Parameters(request).done()
    target = await context.sessions.target(request.match_info["id"], credentials(request), running=True)
    async with opened(request) as channels:
        wanted = decode_request(await channels.request())
        await context.sessions.execute(target, wanted, channels)
    return channels.socket


ROUTES = (
    Route(
        "GET",
        "/v1/jobs/{id}/attach",
        attach,
        "Attach to a job's command: its input, output and terminal",
        {101: ()},
        (404, 409),
        parameters=(
            Parameter(
                "stdin",
                {"type": "string", "enum": ["", "0", "1", "true", "false"]},
                "the client feeds the standard input, if the job's spec has `stdin`",
            ),
        ),
        description=_FRAMES.format(last="`end`, when the job has ended")
        + " A client may attach before the command starts, and then misses nothing; if the spec has `attach`, the start waits for it.",
        messages=(TerminalSize, Status),
    ),
    Route(
        "GET",
        "/v1/jobs/{id}/exec",
        execute,
        "Run a command beside a job's own, in its container",
        {101: ()},
        (404, 409),
        description=_FRAMES.format(last="`exit`, when the command has ended")
        + f" The client's first message is an `ExecRequest` on channel 3, of at most {channel.REQUEST_BYTES} bytes.",
        messages=(ExecRequest, TerminalSize, Status),
    ),
)
