"""Entry point of the sidecar: reads the order, wires the parts, maps the result to an exit code.

Exit codes: 0 done (the reports name failed outputs), 1 inputs failed, 64 order refused, 70 internal error, 130 Ctrl-C.
"""

import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from jobd.wire.artifact import kind_of
from jobd.wire.report import SidecarOrder, decode_order
from sidecar.artifacts.base import OPENS_MANY, Context, Meter
from sidecar.errors import Refusal
from sidecar.interrupts import Cancelled, Interrupts
from sidecar.plan import make_plan
from sidecar.reporting.report import Reports, note
from sidecar.runner import EXIT_INPUTS_FAILED, Run, note_locations
from sidecar.workspace.paths import Workspace

if TYPE_CHECKING:
    from sidecar.transfer.http import Http

EXIT_REFUSED = 64
EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130

MOST_ORDER_BYTES = 16 << 20
ORDER_WAIT_S = 120.0
WAIT_MARGIN_S = 24 * 3600.0
"""jobd may be down when the worker ends; the sidecar then waits for jobd's next start."""
WAIT_MARGIN_BY_HAND_S = 30.0
_ARTIFACTS_JSON = "ARTIFACTS_JSON"


def main() -> int:
    """Runs one job's sidecar and returns the exit code."""
    interrupts = Interrupts(sigterm="worker-ended" if os.environ.get(_ARTIFACTS_JSON) else "leave")
    interrupts.install()
    try:
        return run(interrupts)
    finally:
        interrupts.ignore()


def run(interrupts: Interrupts) -> int:
    """The same with installed signal handlers, which the caller removes."""
    os.umask(0o022)
    try:
        return _main(interrupts, os.environ)
    except Cancelled:
        note("cancelled by a signal")
        return EXIT_INPUTS_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # a traceback may contain a secret, so only the places are printed
        note(f"internal error: {type(error).__name__}")
        note_locations(error)
        return EXIT_INTERNAL


def _main(interrupts: Interrupts, environ: Mapping[str, str]) -> int:
    by_hand = bool(environ.get(_ARTIFACTS_JSON))
    try:
        order = _order_from_environment(environ) if by_hand else decode_order_line(_read_line(ORDER_WAIT_S))
        plan = make_plan(order.artifacts)
        workspace = _open(order, by_hand)
    except Refusal as refusal:
        Reports(interrupts).refused(str(refusal))
        return EXIT_REFUSED
    reports, http = _reports(order, interrupts)

    def context(meter: Meter) -> Context:
        return Context(
            workspace=workspace,
            interrupts=interrupts,
            http=http,
            meter=meter,
            upload_timeout_s=order.upload_timeout_s,
            upload_retries=order.upload_retries,
        )

    wait_s = order.timeout_s + (WAIT_MARGIN_BY_HAND_S if by_hand else WAIT_MARGIN_S)

    def place() -> None:
        from sidecar import secrets

        secrets.place(order.secrets, order.worker_uid, order.worker_gid)

    run = Run(
        plan, workspace, interrupts, reports, context, wait_s, place_secrets=place if order.secrets else None
    )
    reports.started()
    return run.run()


def _reports(order: SidecarOrder, interrupts: Interrupts) -> "tuple[Reports, Callable[[], Http]]":
    @cache
    def http() -> "Http":
        from sidecar.transfer.http import Http

        return Http(interrupts)

    report_sender = event_sender = None
    if order.proxy_url is not None and order.token is not None:
        from sidecar.reporting.proxy import ProxySender

        report_sender = ProxySender(
            order.job_id, order.proxy_url, order.token, order.callback_timeout_s, http()
        )
    if order.callback is not None:
        from sidecar.reporting.callback import CallbackSender

        event_sender = CallbackSender(order, order.callback, http())
    return Reports(interrupts, report_sender=report_sender, event_sender=event_sender), http


def decode_order_line(line: bytes) -> SidecarOrder:
    """Decodes an order.

    Raises:
        Refusal: the line was cut or is no order; the text contains nothing of the line.
    """
    if not line:
        raise Refusal(f"no order on standard input, and {_ARTIFACTS_JSON} is not set")
    try:
        return decode_order(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(f"the order cannot be decoded: {error}") from None


def _order_from_environment(environ: Mapping[str, str]) -> SidecarOrder:
    from sidecar.config import InvalidEnvironment, from_env

    try:
        return from_env(environ)
    except InvalidEnvironment as error:
        raise Refusal(f"invalid environment: {error}") from None


def _read_line(wait_s: float) -> bytes:
    """Returns the first line of stdin with its newline, or the bytes before the end of stdin.

    Raises:
        Refusal: the line does not end in time or is too long.
    """
    deadline = time.monotonic() + wait_s
    chunks: list[bytes] = []
    size = 0
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([0], [], [], left_s)[0]:
            raise Refusal(f"the order did not arrive on standard input within {wait_s:g} seconds")
        chunk = os.read(0, 1 << 16)
        line, newline, _ = chunk.partition(b"\n")
        chunks.append(line + newline)
        size += len(line)
        if newline or not chunk:
            return b"".join(chunks)
        if size > MOST_ORDER_BYTES:
            raise Refusal(f"the order is longer than {MOST_ORDER_BYTES} bytes")


def _open(order: SidecarOrder, by_hand: bool) -> Workspace:
    """Opens the workspace. Without jobd, the owner of the folder owns the new files.

    Few opens are faster without openat2, which needs ctypes.
    """
    try:
        uid, gid = order.worker_uid, order.worker_gid
        if by_hand:
            status = os.stat(order.workspace)  # noqa: PTH116 - pathlib would delay the start
            uid, gid = status.st_uid, status.st_gid
        many = any(kind_of(artifact) in OPENS_MANY for artifact in order.artifacts)
        return Workspace(order.workspace, uid, gid, use_openat2=many)
    except OSError as error:
        raise Refusal(f"the workspace {order.workspace} cannot be opened: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
