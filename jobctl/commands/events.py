"""`jobctl events`: what has happened to jobs, and with -f what happens."""

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl import output
from jobctl.errors import ConnectionLost, Left, Unreachable
from jobctl.session import of

if TYPE_CHECKING:
    from jobctl.client import Client

EXAMPLES = """
  jobctl events -f
  jobctl events --job @last --json | jq .event.data
  jobctl events --after 1200 -f
"""
PATIENCE_S = 60.0
Line = dict[str, Any]


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    job: Annotated[str | None, typer.Option("--job", metavar="ID", help="Only of this job.")] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", min=0, help="Only what came after this number.")
    ] = None,
) -> None:
    """Print the events of all jobs, oldest first: number, time, type, job, what it says."""
    from jobctl.ids import resolve

    session = of(ctx)
    client = session.client()
    job_id = None if job is None else resolve(client, job)
    last = after or 0
    try:
        for line in stream(client, follow, job_id, after):
            last = line.get("seq", last)
            if session.format == "json":
                output.json_line(line)
            elif session.format == "yaml":
                output.text("---\n")
                output.tree(line, "yaml")
            elif session.format == "name":
                output.text(f"{line['event'].get('id')}\n")
            else:
                output.text(summary(line) + "\n")
            if follow:
                sys.stdout.flush()
    except KeyboardInterrupt:
        raise Left(2, f"come back with: jobctl events -f --after {last}") from None


def stream(client: "Client", follow: bool, job_id: str | None, after: int | None) -> Iterator[Line]:
    """Yields the lines of the event stream; with `follow`, over as many connections as it takes.

    Raises:
        ConnectionLost: the daemon stayed away for a minute.
    """
    from jobctl.client import SILENCE_TIMEOUT_S, read_blocks

    seen, pause, broke_at = after, 0.1, None
    headers = {"Accept": "application/x-ndjson"}
    while True:
        query = {"follow": follow or None, "after": seen, "job": job_id}
        try:
            with client.open("GET", "/v1/events", query, None, headers, SILENCE_TIMEOUT_S) as response:
                rest = b""
                for block in read_blocks(response):
                    pause, broke_at = 0.1, None
                    *whole, rest = (rest + block).split(b"\n")
                    for text in whole:
                        if text.strip():
                            line: Line = json.loads(text)
                            seen = line.get("seq", seen)
                            yield line
            if not follow:
                return
            lost: Exception = ConnectionLost("the connection to jobd ended")
        except (ConnectionLost, Unreachable) as error:
            if not follow:
                raise
            lost = error
        now = time.monotonic()
        if broke_at is None:
            broke_at = now
            output.note(f"{lost}; trying again")
        if now - broke_at > PATIENCE_S:
            raise ConnectionLost(
                f"jobd stayed away for {PATIENCE_S:g} s", hint=f"jobctl events -f --after {seen or 0}"
            )
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def summary(line: Line) -> str:
    """Returns one event in a line of columns: number, time, type, job, and what its data says."""
    event = line.get("event") or {}
    data = event.get("data") or {}
    kind = str(event.get("type", "?")).removeprefix("orchestrator.job.")
    said = {
        "exit": lambda: _pairs(data, "exitCode", "error"),
        "complete": lambda: _pairs(data, "status", "reason", "exitCode"),
        "artifact": lambda: _pairs(data, "artifactId", "artifactType", "status", "error"),
        "log": lambda: _log(data),
    }.get(kind, lambda: "")()
    cells = [
        str(line.get("seq", "-")),
        str(event.get("time", "-")),
        kind.ljust(8),
        str(event.get("subject", "-")),
        said,
    ]
    return output.printable("  ".join(cells).rstrip())


def _pairs(data: Line, *names: str) -> str:
    return " ".join(f"{name}={data[name]}" for name in names if data.get(name) is not None)


def _log(data: Line) -> str:
    lines = data.get("lines") or []
    first = str(lines[0])[:60] if lines else ""
    return f"{data.get('stream', '')} {len(lines)} line{'' if len(lines) == 1 else 's'}: {first}"
