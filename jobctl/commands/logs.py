"""`jobctl logs`: what jobs have written, and with -f what they write until they end."""

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobctl.connection.session import of
from jobctl.errors import JobctlError, Left, Misuse
from jobctl.job.ids import find_each, one_of_both
from jobctl.job.listing import labelled
from jobctl.job.units import moment_before
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client
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
RAW_HELP = "Give also a terminal all control sequences that jobs have written."


def logs(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids, unique prefixes of them, or @last.", show_default=False),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("-l", "--label", metavar="KEY=VALUE", help="All jobs with this label, ended or not."),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the job has ended.")] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only lines since: 10m, or an RFC 3339 time."),
    ] = None,
    times: Annotated[bool, typer.Option("-t", "--timestamps", help="The time before each line.")] = False,
    stream: Annotated[
        Literal["stdout", "stderr"] | None,
        typer.Option("--stream", help="Only one of the two.", show_default=False),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help=RAW_HELP)] = False,
) -> None:
    """Print the logs of jobs; with -f, follow them until the jobs have ended.

    The jobs' stdout goes to stdout and their stderr to stderr, byte for byte; with -f also what stands in a line that has not
    ended. With several ids, each line says whose it is, and is shown when it ends.

    A terminal is given text and colour alone: control sequences that jobs have written, such as those that set titles or the
    clipboard or move the cursor, are left out. --raw, a pipe or a file gets the bytes as they are.
    """
    session = of(ctx)
    client = session.client()
    moment = None
    if since is not None:
        try:
            moment = moment_before(since, datetime.now(UTC))
        except ValueError as error:
            raise Misuse(f"--since: {error}") from None
    one_of_both(ids, label)
    failures: list[JobctlError] = []
    jobs = labelled(client, label) if label else []
    if ids:
        jobs, failures = find_each(client, ids)
    names = list(dict.fromkeys(str(job["id"]) for job in jobs))
    if len(names) > MOST_FOLLOWED and follow:
        raise Misuse(f"at most {MOST_FOLLOWED} jobs can be followed at once")
    if not names:
        output.fail(failures, as_json=session.format == "json")

    from jobctl.output.printer import Printer
    from jobctl.transfers.local_outputs import fetch_noted

    width = max(map(len, names))
    several = len(names) > 1 or bool(label)
    printers = {
        name: Printer(
            prefix=f"{name.ljust(width)} | " if several else "",
            times=times,
            as_json=session.format == "json",
            job_id=name,
            since=moment,
            raw=raw,
        )
        for name in names
    }
    try:
        if several and follow:
            _all_at_once(client, printers, tail, stream)
        else:
            for name, printer in printers.items():
                _one(client, name, printer, follow, tail, stream, threading.Lock())
        if follow:
            for name in names:
                fetch_noted(client, name)
    except KeyboardInterrupt:
        raise Left(2, f"come back with: jobctl logs -f {' '.join(names)}") from None
    output.fail(failures, as_json=session.format == "json")


def _one(
    client: "Client",
    job_id: str,
    printer: "Printer",
    follow: bool,
    tail: int | None,
    stream: str | None,
    lock: threading.Lock,
) -> None:
    from jobctl.connection.follow import frames

    def on_break(why: str) -> None:
        output.note(f"{job_id}: {why}; trying again")

    unfinished = follow and printer.wants_unfinished
    for batch in frames(
        client, job_id, follow=follow, tail=tail, stream=stream, unfinished=unfinished, on_break=on_break
    ):
        with lock:
            printer.show(batch)


def _all_at_once(
    client: "Client", printers: dict[str, "Printer"], tail: int | None, stream: str | None
) -> None:
    """One thread a job; batches are printed whole. The first failure is raised when all have ended or failed."""
    lock = threading.Lock()
    failures: list[BaseException] = []

    def follow_one(job_id: str, printer: "Printer") -> None:
        try:
            _one(client, job_id, printer, True, tail, stream, lock)
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
