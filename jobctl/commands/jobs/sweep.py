"""`jobctl sweep`: submits one job for each combination of values as a set, and follows the set to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from jobctl.commands.jobs.run import SETTINGS as SETTINGS
from jobctl.commands.jobs.run import run
from jobctl.connection.session import session_of
from jobctl.job.spec.given_flags import flags_of

if TYPE_CHECKING:
    import typer

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl sweep --each lr=0.1,0.01 --each seed=1..5 trainer:1 train --lr={lr} --seed={seed}
  jobctl sweep --each-file 'data/*.csv' --in in.csv={file} --out out.csv=results/{file.name} tool:1 convert in.csv out.csv
  jobctl sweep -d --set nightly --max 2 --each-line url=urls.txt busybox wget -q {url}
  jobctl wait nightly; jobctl ls -a --set nightly --status failed

\b
{NAME} is a value of NAME, {set} the set's id, {index} the job's number from 1; {NAME.name} is the last part of a path,
{NAME.stem} the same without its suffix. Placeholders count in the image, the command, and the texts of all flags but
--set, --secret, --env-file and --callback-key-file; {{NAME}} is the text {NAME}, all other braces are text.

\b
The jobs have the ids SET-1, SET-2, ...: the same command with the same --set submits only what is missing.
Ctrl-C ends only jobctl; the jobs keep running. Exit code: that of the first job that failed, else 121 if jobs were cancelled.
"""
LEFT_OUT = ("name", "raw", "interactive", "tty", "detach_keys")
"""Flags of `run` for one job."""

Texts = list[str] | None


def options(
    each: Annotated[
        Texts,
        typer.Option(
            "--each",
            metavar="NAME=VALUES",
            help="A job for each value: 0.1,0.01 or 1..5 or 0..100..10. Several names: for each combination.",
        ),
    ] = None,
    each_line: Annotated[
        Texts,
        typer.Option(
            "--each-line",
            metavar="[NAME=]FILE",
            help="A job for each line of FILE that is not blank; - is stdin. [line]",
        ),
    ] = None,
    each_file: Annotated[
        Texts,
        typer.Option(
            "--each-file",
            metavar="[NAME=]PATTERN",
            help="A job for each file that matches, such as 'data/*.csv'. [file]",
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option("--max", metavar="N", help="Run at most N of these jobs at once. [no limit]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the jobs, and submit none.")] = False,
) -> None:
    """The options of `sweep` beside those of `run`; the parser adds them."""


OPTIONS = options


def sweep(**given: Any) -> Any:
    """Submit a job for each combination of values as one set; wait until all have ended."""
    from jobctl.job.requests.submission import source_of
    from jobctl.sets.run import run_sweep
    from jobctl.sets.value_files import each_file, each_line
    from jobctl.sets.values import each

    axes = [
        *map(each, given.get("each") or ()),
        *map(each_line, given.get("each_line") or ()),
        *map(each_file, given.get("each_file") or ()),
    ]
    return run_sweep(
        session_of(given["ctx"]),
        flags_of(given),
        source_of(given.get("file")),
        axes,
        most=given.get("most"),
        detach=bool(given.get("detach")),
        dry_run=bool(given.get("dry_run")),
    )


sweep.__wrapped__ = run  # type: ignore[attr-defined] # the parser reads the flags of `run` there
sweep.__annotations__ = run.__annotations__
