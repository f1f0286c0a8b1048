"""`jobctl run`: submits a job and stays with it, or with -d prints its id."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from jobctl.connection.session import Session, of
from jobctl.errors import LocalFile, Misuse
from jobctl.job.outcome import Outcome
from jobctl.job.plan import Flags, Plan
from jobctl.output import output

SETTINGS = {"allow_interspersed_args": False}
FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl run busybox echo hello
  jobctl run --sh 'sort words.txt | uniq -c > counts.txt' --in words.txt=./words.txt --out counts.txt=. busybox
  jobctl run -f job.yaml -e LEVEL=debug
  jobctl run --retries 3 --retry-on 75,timeout fetcher:1
  id=$(jobctl run -d -m 2g --timeout 2h trainer:1 python train.py)

Flags stand before IMAGE; what follows it is the command.

\b
Exit codes: the job's own, and
  121 cancelled elsewhere        125 jobctl or jobd failed
  122 outputs failed             126, 127 the command cannot be run
  123 image or input failed      130 interrupted here
  124 timed out                  137 out of memory, or killed
"""

Texts = list[str] | None
EVENT_TYPES = "start, log, exit, retry, artifact, complete"
RETRY_REASONS = (
    "exit-code, timeout, oom-killed, lost, start-failed, image-not-found, input-failed, refused-by-engine, "
    "engine-error"
)


def run(
    ctx: typer.Context,
    image: Annotated[
        str | None,
        typer.Argument(metavar="[IMAGE]", help="The image; may come from the job file.", show_default=False),
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]...", help="Arguments of the image's entrypoint.", show_default=False
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "-f", "--file", metavar="FILE", help="A job file, JSON or YAML; - is stdin. Flags override it."
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Print the id and leave.")] = False,
    shell: Annotated[
        str | None,
        typer.Option("--sh", metavar="LINE", help="A shell line, run by /bin/sh -c, instead of COMMAND."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="ID", help="The job's id; made from the image's name when absent."),
    ] = None,
    env: Annotated[
        Texts,
        typer.Option(
            "-e", "--env", metavar="NAME[=VALUE]", help="A variable; without a value, the caller's."
        ),
    ] = None,
    env_file: Annotated[
        Texts,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="Variables, one a line; export and quotes as in a shell, nothing is expanded.",
        ),
    ] = None,
    secret: Annotated[
        Texts,
        typer.Option(
            "--secret",
            metavar="NAME=FILE",
            help="The file's text, at /run/secrets/NAME: in memory, for the worker alone.",
        ),
    ] = None,
    workdir: Annotated[
        str | None,
        typer.Option(
            "-w", "--workdir", metavar="PATH", help="The workspace: working directory and mount. [/workspace]"
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("-m", "--memory", metavar="AMOUNT", help="Memory limit with its unit: 512m, 2g. [512m]"),
    ] = None,
    cpus: Annotated[
        float | None, typer.Option("--cpus", metavar="CORES", help="CPU limit, for instance 0.5. [1]")
    ] = None,
    pids_limit: Annotated[
        int | None, typer.Option("--pids-limit", metavar="N", help="Process limit. [4096]")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="Longest run: 90s, 2h, 1d. [30m]")
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option("--retries", metavar="N", help="Further attempts after a failure, at most 10. [0]"),
    ] = None,
    retry_on: Annotated[
        Texts,
        typer.Option(
            "--retry-on",
            metavar="CODE|REASON",
            help=f"Repeat after these alone: numbers, or {RETRY_REASONS}.",
        ),
    ] = None,
    label: Annotated[
        Texts, typer.Option("-l", "--label", metavar="KEY=VALUE", help="A label, for ls --label.")
    ] = None,
    meta: Annotated[
        Texts, typer.Option("--meta", metavar="KEY=VALUE", help="An entry that every event carries.")
    ] = None,
    inputs: Annotated[
        Texts,
        typer.Option(
            "--in", metavar="PATH=SOURCE", help="Put a URL, local file or folder at PATH of the workspace."
        ),
    ] = None,
    outputs: Annotated[
        Texts,
        typer.Option(
            "--out",
            metavar="PATH=DEST",
            help="After success, send PATH to a URL, or make it the local DEST; into the folder where DEST ends in / or"
            " is a dot; - is stdout, and the log goes to stderr then. With -d, jobctl fetch fetches it.",
        ),
    ] = None,
    write: Annotated[
        Texts, typer.Option("--write", metavar="PATH=TEXT", help="Write TEXT to PATH before the start.")
    ] = None,
    read: Annotated[
        Texts,
        typer.Option("--read", metavar="PATH", help="Put the content of PATH into an event after success."),
    ] = None,
    callback: Annotated[
        str | None, typer.Option("--callback", metavar="URL", help="Where the job's events are posted.")
    ] = None,
    callback_key_file: Annotated[
        str | None,
        typer.Option(
            "--callback-key-file",
            metavar="FILE",
            help="The key that signs them; several: a line each, newest first.",
        ),
    ] = None,
    callback_events: Annotated[
        Texts,
        typer.Option("--callback-events", metavar="TYPE[,TYPE]", help=f"Only these: {EVENT_TYPES}."),
    ] = None,
    callback_batch: Annotated[
        bool, typer.Option("--callback-batch", help="Post what has piled up as one array.")
    ] = False,
    user: Annotated[
        str | None, typer.Option("--user", metavar="UID[:GID]", help="The user of the worker. [the image's]")
    ] = None,
    pull: Annotated[
        Literal["missing", "always", "never"] | None,
        typer.Option("--pull", help="When to pull the image. [missing]", show_default=False),
    ] = None,
    entrypoint: Annotated[
        str | None, typer.Option("--entrypoint", metavar="PROGRAM", help="Instead of the image's own.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option("--platform", metavar="OS/ARCH", help="The image's platform.")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option("--runtime", metavar="NAME", help="The engine's runtime.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nothing but the workspace and /tmp can be written to.")
    ] = False,
    cap_drop: Annotated[
        Texts, typer.Option("--cap-drop", metavar="NAME", help="Take a capability away; ALL takes all.")
    ] = None,
    cap_add: Annotated[
        Texts, typer.Option("--cap-add", metavar="NAME", help="Give one more, where the daemon allows that.")
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Give also a terminal all control sequences that the job writes."),
    ] = False,
) -> Outcome | None:
    """Run a job, stream its log, exit with its code."""
    from jobctl.job import submission
    from jobctl.transfers.local_outputs import declared

    session = of(ctx)
    flags = Flags(
        image=image, command=command or (), shell=shell, name=name, env=env or (), workdir=workdir, memory=memory,
        env_files=[(path, _text(path, "--env-file")) for path in env_file or ()], cpus=cpus, pids_limit=pids_limit,
        user=user, pull=pull, platform=platform, runtime=runtime, entrypoint=entrypoint, labels=label or (),
        meta=meta or (), timeout=timeout, callback=callback, inputs=inputs or (), outputs=outputs or (),
        callback_key=_key(callback_key_file), callback_events=callback_events or (), callback_batch=callback_batch,
        retries=retries, retry_on=retry_on or (), writes=write or (), reads=read or (), read_only=read_only,
        cap_drop=cap_drop or (), cap_add=cap_add or (), secrets=_secrets(secret or []),
    )  # fmt: skip
    source = submission.source_of(file)
    prepared = declared(submission.prepare(flags, source), keep=detach)
    if detach:
        _detached(session, prepared, source)
        return None
    return _attached(session, prepared, source, raw=raw)


def _detached(session: Session, prepared: Plan, source: Any) -> None:
    from jobctl.job.submission import submit
    from jobctl.transfers.local_outputs import remember

    if _stdout_is_taken(prepared, as_json=False):
        raise Misuse(
            "an output of a detached job cannot go to stdout: nobody reads that when the job has ended",
            hint="name a file, which jobctl fetch or jobctl wait writes then",
        )
    answer = submitted(submit(session.client(), prepared, source))
    remember(str(answer.get("uid") or ""), prepared.fetches)
    if session.format in ("json", "yaml"):
        output.tree(answer, session.format)
    else:
        output.text(f"{answer['id']}\n")


def submitted(answer: dict[str, Any]) -> dict[str, Any]:
    """Returns what is told of a job that was submitted, now or by an earlier try: its id, uid and status."""
    return {key: answer[key] for key in ("id", "uid", "status") if key in answer}


def _attached(session: Session, prepared: Plan, source: Any, *, raw: bool) -> Outcome:
    from jobctl.errors import JobctlError
    from jobctl.job import attach
    from jobctl.job.attempts import Attempts
    from jobctl.job.submission import submit

    as_json = session.format == "json"
    only_stderr = _stdout_is_taken(prepared, as_json=as_json)
    if session.format not in ("", "json"):
        raise Misuse(
            f"a run that is followed cannot print -o {session.format}",
            hint="-o json, or run -d to print the id alone",
        )
    client = session.client()
    job_id = str(prepared.spec["id"])
    with attach.Keyboard(client, job_id) as keyboard:
        try:
            answer = submitted(submit(client, prepared, source))
        except KeyboardInterrupt:
            try:  # it may have arrived: nobody is left to wait for it
                attach.cancel(client, job_id, by="Ctrl-C in jobctl run", timeout_s=5.0)
            except JobctlError:
                pass
            raise
        keyboard.accepted = True
        if session.format == "json":
            output.json_line(answer)
        with Attempts(client, job_id, prepared.spec.get("retries")):
            ended = attach.follow_to_end(
                client, job_id, keyboard, as_json=as_json, raw=raw, only_stderr=only_stderr
            )
        sys.stdout.flush()
        if keyboard.presses:
            return attach.after_interrupt(keyboard, ended)
        return attach.after_interrupt(keyboard, attach.finish(client, job_id, ended, prepared.fetches))


def _stdout_is_taken(prepared: Plan, *, as_json: bool) -> bool:
    """Looks at the places of all outputs before the job runs; true where one of them is stdout."""
    if not prepared.fetches:
        return False
    from jobctl.transfers import destination

    places = destination.resolve_all(prepared.fetches)
    taken = destination.Stream(destination.STDOUT) in places
    if taken and as_json:
        raise Misuse(
            "an output cannot go to stdout beside --json, which is written there",
            hint="name a file: --out PATH=FILE",
        )
    return taken


def _text(path: str, flag: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LocalFile(f"{flag}: {path} cannot be read: {why}") from None


def _secrets(pairs: list[str]) -> list[tuple[str, str]]:
    found = []
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not name or not equals or not path:
            raise Misuse(
                "--secret must be NAME=FILE: the value is not given on the command line, where others can see it",
                field="secrets",
            )
        found.append((name, _text(path, "--secret")))
    return found


def _key(path: str | None) -> str | None:
    if path is None:
        return None
    from jobctl.receiving.signatures import joined

    key = joined(_text(path, "--callback-key-file"))
    if not key:
        raise LocalFile(f"--callback-key-file: {path} is empty", field="callback.key")
    return key
