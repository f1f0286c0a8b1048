"""`jobctl logs`: prints the logs of jobs, and with -f follows them until the jobs end."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

from jobctl.connection.session import session_of
from jobctl.errors import EndedBySignal, JobctlError, Misuse
from jobctl.output import output
from jobctl.selection.ids import check_ids_or_labels, find_each
from jobctl.selection.listing import labelled

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import typer

    from jobctl.commands.arguments import Label, OptionalIds
    from jobctl.connection.client import Client
    from jobctl.output.live.progress_display import ProgressDisplay
    from jobctl.output.printer import Printer

FORMATS = ("json",)
EXAMPLES = """
  jobctl logs @last
  jobctl logs -f --tail 20 trainer-3f
  jobctl logs -f -t web-1 web-2
  jobctl logs -f -l sweep=7
  jobctl logs --stream stderr @last | grep -i error
"""
MOST_FOLLOWED = 64
RAW_HELP = "Print the jobs' control sequences also on a terminal."


def logs(
    ctx: typer.Context,
    ids: OptionalIds = None,
    label: Label = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Follow the log until the job ends.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only lines after this time: 10m (ago), or an RFC 3339 time."
        ),
    ] = None,
    times: Annotated[
        bool, typer.Option("-t", "--timestamps", help="Print the time before each line.")
    ] = False,
    stream: Annotated[
        Literal["stdout", "stderr"] | None,
        typer.Option("--stream", help="Only this stream.", show_default=False),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help=RAW_HELP)] = False,
) -> None:
    """Print the logs of jobs; with -f, follow them until the jobs have ended.

    The jobs' stdout goes to stdout and their stderr to stderr, byte for byte; -f also prints unfinished lines. With several jobs, each
    line begins with the job's id and is printed when the line is complete.

    On a terminal, jobctl prints only text and colours: it removes the jobs' other control sequences, such as those that set the title
    or the clipboard or move the cursor. With --raw, and in a pipe or a file, the bytes are unchanged.
    """
    session = session_of(ctx)
    client = session.client()
    since_time = None
    if since is not None:
        from datetime import UTC, datetime

        from jobctl.units import time_before

        try:
            since_time = time_before(since, datetime.now(UTC))
        except ValueError as error:
            raise Misuse(f"--since: {error}") from None
    check_ids_or_labels(ids, label)
    failures: list[JobctlError] = []
    jobs = labelled(client, label) if label else []
    if ids:
        jobs, failures = find_each(client, ids)
    names = list(dict.fromkeys(str(job["id"]) for job in jobs))
    if len(names) > MOST_FOLLOWED and follow:
        raise Misuse(f"jobctl can follow at most {MOST_FOLLOWED} jobs at once")
    if not names:
        output.fail(failures, as_json=session.format == "json")

    from jobctl.output.printer import Printer

    width = max(map(len, names))
    several = len(names) > 1 or bool(label)
    printers = {
        name: Printer(
            prefix=f"{name.ljust(width)} | " if several else "",
            times=times,
            as_json=session.format == "json",
            job_id=name,
            since=since_time,
            raw=raw,
        )
        for name in names
    }
    try:
        if several and follow:
            _follow_all(client, printers, tail, stream)
        elif follow and sys.stdout.isatty():
            _follow_with_progress(client, names[0], printers[names[0]], tail, stream)
        else:
            for name, printer in printers.items():
                _print_log(client, name, printer, follow, tail, stream, nullcontext())
        if follow:
            from jobctl.transfers.local_outputs import fetch_remembered

            for name in names:
                fetch_remembered(client, name)
    except KeyboardInterrupt:
        raise EndedBySignal(2, f"to continue: jobctl logs -f {' '.join(names)}") from None
    output.fail(failures, as_json=session.format == "json")


def _print_log(
    client: Client,
    job_id: str,
    printer: Printer,
    follow: bool,
    tail: int | None,
    stream: str | None,
    lock: AbstractContextManager[object],
    progress: ProgressDisplay | None = None,
) -> None:
    from jobctl.connection.log_stream import frames

    def on_break(why: str) -> None:
        output.note(f"{job_id}: {why}; reconnecting")

    unfinished = follow and printer.prints_unfinished_lines
    for batch in frames(
        client, job_id, follow=follow, tail=tail, stream=stream, unfinished=unfinished, on_break=on_break
    ):
        with lock:
            if progress is not None:
                progress.make_room()
            printer.show(batch)
            if progress is not None:
                progress.printed(at_line_start=printer.at_line_start)


def _follow_with_progress(
    client: Client, job_id: str, printer: Printer, tail: int | None, stream: str | None
) -> None:
    """Follows one job on a terminal. Before the log begins, and after the command has ended, a line says what the job waits for."""
    from jobctl.output.live.progress_display import ProgressDisplay

    with ProgressDisplay(client, job_id) as progress:
        _print_log(client, job_id, printer, True, tail, stream, nullcontext(), progress)


def _follow_all(client: Client, printers: dict[str, Printer], tail: int | None, stream: str | None) -> None:
    """Follows each job in its own thread and prints whole batches. Raises the first failure after all threads have ended."""
    import threading

    lock = threading.Lock()
    failures: list[BaseException] = []

    def follow_one(job_id: str, printer: Printer) -> None:
        try:
            _print_log(client, job_id, printer, True, tail, stream, lock)
        except (JobctlError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=follow_one, args=item, daemon=True) for item in printers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(timeout=0.2)
            broken = next((f for f in failures if isinstance(f, BrokenPipeError)), None)
            if broken is not None:
                raise broken
    if failures:
        raise failures[0]
