"""`jobctl listen`: receives events on this machine, shows and verifies them, to try callbacks."""

from __future__ import annotations

import json
import sys
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import LocalFile
from jobctl.job.outcome import Outcome, ProblemsFound
from jobctl.output import event_text, output

if TYPE_CHECKING:
    import typer

    from jobctl.receiving.receiver import Received, Reply
    from jobctl.receiving.signatures import Verification

FORMATS = ("json",)
EXAMPLES = """
  jobctl listen
  jobctl listen --port 9000 --key-file key
  jobctl run --callback http://127.0.0.1:9000/ --callback-key-file key busybox echo hello
  jobctl listen --json -n 4 | jq .event.type
  jobctl listen --port 9000 --status 500     # watch jobd retry

jobctl listen ends with Ctrl-C or after -n events, with exit code 1 where an event was not verified. It answers 401 to a wrong
signature, 400 to a body without an event and 204 otherwise; --status sets one answer for all requests.
"""
MOST_REMEMBERED = 100_000
BATCH_TYPE = "application/cloudevents-batch+json"


def listen(
    ctx: typer.Context,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            show_default=False,
            help="The port. [a free one]",
        ),
    ] = 0,
    bind: Annotated[
        str,
        typer.Option("--bind", metavar="ADDRESS", help="The address; 0.0.0.0 also accepts other machines."),
    ] = "127.0.0.1",
    key_file: Annotated[
        list[str] | None,
        typer.Option(
            "--key-file", metavar="FILE", help="A file with the key of the events; may be repeated."
        ),
    ] = None,
    status: Annotated[
        int | None,
        typer.Option("--status", metavar="CODE", min=200, max=599, help="The status of all answers."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("-n", "--count", metavar="N", min=1, help="End after N events.")
    ] = None,
) -> Outcome | None:
    """Receive events and print them: time, type, job, data, and whether the signature is valid.

    jobctl prints the URL for --callback on stderr. Deliveries may repeat; a repeated event is marked.
    """
    from jobctl.receiving.receiver import Receiver
    from jobctl.receiving.signatures import read_keys

    session = session_of(ctx)
    keys = [key for path in key_file or () for key in read_keys(path)]
    handler = EventHandler(keys, status=status, count=count, as_json=session.format == "json")
    try:
        receiver = Receiver((bind, port), handler.handle)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise LocalFile(
            f"cannot listen on {bind} port {port}: {why}", hint="--port 0 uses a free port"
        ) from None
    with receiver:
        try:
            output.note(f"listening; use --callback {_url(bind, receiver.server_address[1])}")
            receiver.serve()
        except KeyboardInterrupt:
            output.note(handler.summary(), after_key=True)
        else:
            output.note(handler.summary())
    return ProblemsFound() if handler.bad else None


class EventHandler:
    """Verifies each request, prints its events, and counts them. Not thread-safe."""

    def __init__(self, keys: list[str], *, status: int | None, count: int | None, as_json: bool) -> None:
        self._keys = keys
        self._status = status
        self._count = count
        self._as_json = as_json
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last_reason = ""
        self.events = 0
        self.again = 0
        self.bad = 0

    def handle(self, received: Received) -> Reply:
        """Prints the events of a request and returns the reply."""
        from jobctl.receiving.receiver import Reply

        verification = self._verification(received)
        events = events_of(received)
        if events is None:
            self._note_no_event(received)
            status = 400
        else:
            for event in events:
                self._show(received, event, verification)
            status = 204
            if verification is not None and not verification.verified:
                status = 401
                self.bad += len(events)
                self._note_reason(verification.reason)
        sys.stdout.flush()
        enough = self._count is not None and self.events >= self._count
        return Reply(self._status or status, last=enough)

    def summary(self) -> str:
        """Returns the counts in one line."""
        parts = [f"{self.events} event{'' if self.events == 1 else 's'}"]
        parts += [f"{self.again} of them repeated"] if self.again else []
        parts += [f"{self.bad} not verified"] if self.bad else []
        return ", ".join(parts)

    def _verification(self, received: Received) -> Verification | None:
        if not self._keys:
            return None
        from jobctl.receiving.signatures import TOLERANCE_S, check

        return check(received.headers, received.body, self._keys, time.time(), TOLERANCE_S)

    def _show(self, received: Received, event: dict[str, Any], verification: Verification | None) -> None:
        self.events += 1
        event_id = str(event.get("id"))
        again = event_id in self._seen
        self.again += again
        self._seen[event_id] = None
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        if self._as_json:
            shown = {
                "receivedAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"), "path": received.path,
                "verified": None if verification is None else verification.verified, "again": again, "event": event,
            }  # fmt: skip
            output.json_line(
                shown | ({"reason": verification.reason} if verification and verification.reason else {})
            )
            return
        moment, kind, subject, what = event_text.columns(event)
        cells = [_clock(moment), kind, subject, what, *(["seen before"] if again else [])]
        line = output.printable("  ".join(filter(None, cells)))
        output.text(f"{line}  {_mark(received, verification)}".rstrip() + "\n")

    def _note_reason(self, reason: str) -> None:
        """Prints the reason, which is long, once for successive events with the same reason."""
        if not self._as_json and reason != self._last_reason:
            sys.stdout.flush()
            output.note(f"not verified: {reason}")
        self._last_reason = reason

    def _note_no_event(self, received: Received) -> None:
        start = received.body[:80].decode("utf-8", "replace")
        output.note(f"POST {received.path}: {len(received.body)} bytes without an event: {start}")


def events_of(received: Received) -> list[dict[str, Any]] | None:
    """Returns the events of a body, one or a batch; None where the body has none."""
    try:
        tree = json.loads(received.body)
    except (ValueError, RecursionError):
        return None
    content_type = next((v for k, v in received.headers.items() if k.lower() == "content-type"), "")
    events = tree if isinstance(tree, list) and content_type.split(";")[0].strip() == BATCH_TYPE else [tree]
    if not events or not all(isinstance(each, dict) and "id" in each and "type" in each for each in events):
        return None
    return events


def _mark(received: Received, verification: Verification | None) -> str:
    if verification is not None:
        if verification.verified:
            return output.styled("[verified]", "green")
        return output.styled("[NOT VERIFIED]", "bold red")
    names = {name.lower() for name in received.headers}
    return "[signed]" if names & {"x-signature-256", "webhook-signature"} else ""


def _clock(moment: str) -> str:
    """Returns the time of day, to the millisecond."""
    clock = moment.partition("T")[2].rstrip("Z")
    return clock[:12] or moment


def _url(bind: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bind, f"[{bind}]" if ":" in bind else bind)  # noqa: S104 - compared, not bound
    return f"http://{host}:{port}/"
