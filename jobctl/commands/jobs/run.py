"""`jobctl run`: submits a job and follows it, or with -d prints its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from jobctl.connection.session import session_of
from jobctl.errors import Misuse
from jobctl.job.outcome import Outcome
from jobctl.job.spec.given_flags import flags_of

if TYPE_CHECKING:
    import typer

    from jobctl.commands import container_arguments as container
    from jobctl.commands.arguments import DetachKeys

SETTINGS = {"allow_interspersed_args": False}
FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl run busybox echo hello
  jobctl run --sh 'sort words.txt | uniq -c > counts.txt' --in words.txt=./words.txt --out counts.txt=. busybox
  jobctl run -f job.yaml -e LEVEL=debug
  jobctl run --retries 3 --retry-on 75,timeout fetcher:1
  jobctl run --after @last report:1
  jobctl run --in data=job:train-1/results report:1
  cat words.txt | jobctl run -i busybox sort
  jobctl run -it busybox sh
  id=$(jobctl run -d -m 2g --timeout 2h trainer:1 python train.py)

Put flags before IMAGE; all words after IMAGE are the command.

\b
Exit codes: the job's own, and
  121 cancelled by someone else  125 jobctl or jobd failed
  122 outputs failed             126, 127 the command cannot run
  123 image or input failed      130 interrupted with Ctrl-C
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
        typer.Argument(
            metavar="[IMAGE]", help="The image; a job file can name it instead.", show_default=False
        ),
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
            "-f",
            "--file",
            metavar="FILE",
            help="A job file, JSON or YAML; - is stdin. Flags override its fields.",
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Print the id and do not wait.")] = False,
    interactive: Annotated[
        bool,
        typer.Option("-i", "--interactive", help="Feed jobctl's standard input to the command, and its end."),
    ] = False,
    tty: Annotated[
        bool,
        typer.Option(
            "-t",
            "--tty",
            help="Give the command a terminal; with -i, jobctl's own. ctrl-p ctrl-q leave the job running.",
        ),
    ] = False,
    detach_keys: DetachKeys = None,
    shell: Annotated[
        str | None,
        typer.Option("--sh", metavar="LINE", help="A shell line, which /bin/sh -c runs instead of COMMAND."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="ID", help="The job's id. [the image's name and random characters]"),
    ] = None,
    env: Annotated[
        Texts,
        typer.Option(
            "-e",
            "--env",
            metavar="NAME[=VALUE]",
            help="An environment variable; without a value, jobctl's own.",
        ),
    ] = None,
    env_file: Annotated[
        Texts,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="Environment variables, one a line; export and quotes as in a shell, but no expansion.",
        ),
    ] = None,
    secret: Annotated[
        Texts,
        typer.Option(
            "--secret",
            metavar="NAME=FILE",
            help="Give only the worker the file's text at /run/secrets/NAME, in memory.",
        ),
    ] = None,
    workdir: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--workdir",
            metavar="PATH",
            help="Where the workspace is mounted; also the working directory. [/workspace]",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("-m", "--memory", metavar="AMOUNT", help="Memory limit with a unit: 512m, 2g. [512m]"),
    ] = None,
    cpus: Annotated[
        float | None, typer.Option("--cpus", metavar="CORES", help="CPU limit, for instance 0.5. [1]")
    ] = None,
    pids_limit: Annotated[
        int | None, typer.Option("--pids-limit", metavar="N", help="Limit of processes and threads. [4096]")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="Time limit: 90s, 2h, 1d. [30m]")
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
            help=f"Retry only after these exit codes or reasons: {RETRY_REASONS}.",
        ),
    ] = None,
    label: Annotated[
        Texts, typer.Option("-l", "--label", metavar="KEY=VALUE", help="A label, for ls --label.")
    ] = None,
    meta: Annotated[
        Texts, typer.Option("--meta", metavar="KEY=VALUE", help="Data that every event of the job contains.")
    ] = None,
    inputs: Annotated[
        Texts,
        typer.Option(
            "--in",
            metavar="PATH=SOURCE",
            help="Copy a URL, local file or folder to PATH in the workspace; job:ID/PATH is a file or folder of an earlier job.",
        ),
    ] = None,
    outputs: Annotated[
        Texts,
        typer.Option(
            "--out",
            metavar="PATH=DEST",
            help="After success, upload PATH to a URL, or copy it to the local DEST; into the folder DEST where that ends in"
            " / or is a dot; - is stdout, and the log then goes to stderr. With -d, jobctl fetch copies it.",
        ),
    ] = None,
    write: Annotated[
        Texts,
        typer.Option("--write", metavar="PATH=TEXT", help="Write TEXT to PATH before the command starts."),
    ] = None,
    read: Annotated[
        Texts,
        typer.Option("--read", metavar="PATH", help="After success, put the content of PATH into an event."),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(
            "--priority", metavar="N", help="Start before waiting jobs with a lower one, -100 to 100. [0]"
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group", metavar="NAME", help="The job's group, which may have a limit of its own. [default]"
        ),
    ] = None,
    set_: Annotated[
        str | None,
        typer.Option(
            "--set", metavar="SET", help="The set that the job belongs to, for ls, wait and cancel --set."
        ),
    ] = None,
    after: Annotated[
        Texts,
        typer.Option(
            "--after",
            metavar="ID[:any|failed]",
            help="Start after an earlier job (a whole id, or @last) has completed; after any end; or after its failure.",
        ),
    ] = None,
    gpus: Annotated[
        str | None,
        typer.Option("--gpus", metavar="N", help="GPUs that the job holds alone, or all. [0]"),
    ] = None,
    callback: Annotated[
        str | None, typer.Option("--callback", metavar="URL", help="Send the job's events to this URL.")
    ] = None,
    callback_key_file: Annotated[
        str | None,
        typer.Option(
            "--callback-key-file",
            metavar="FILE",
            help="The key that signs the events; several keys: one a line, newest first.",
        ),
    ] = None,
    callback_events: Annotated[
        Texts,
        typer.Option(
            "--callback-events", metavar="TYPE[,TYPE]", help=f"Send only these events: {EVENT_TYPES}."
        ),
    ] = None,
    callback_batch: Annotated[
        bool, typer.Option("--callback-batch", help="Send the waiting events as one array.")
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(
            "-u", "--user", metavar="UID[:GID]", help="The user of the command; me is you. [the image's]"
        ),
    ] = None,
    pull: Annotated[
        Literal["missing", "always", "never"] | None,
        typer.Option("--pull", help="When to pull the image. [missing]", show_default=False),
    ] = None,
    entrypoint: Annotated[
        str | None,
        typer.Option(
            "--entrypoint", metavar="PROGRAM", help="Run PROGRAM instead of the image's entrypoint."
        ),
    ] = None,
    platform: container.Platform = None,
    runtime: container.Runtime = None,
    read_only: container.ReadOnly = False,
    cap_drop: container.CapDrop = None,
    cap_add: container.CapAdd = None,
    init: container.Init = False,
    no_init: container.NoInit = False,
    rm: container.Rm = False,
    stop_signal: container.StopSignal = None,
    stop_timeout: container.StopTimeout = None,
    volume: container.Volume = None,
    mount: container.Mount = None,
    tmpfs: container.Tmpfs = None,
    shm_size: container.ShmSize = None,
    hostname: container.Hostname = None,
    network: container.Network = None,
    publish: container.Publish = None,
    add_host: container.AddHost = None,
    dns: container.Dns = None,
    ulimit: container.Ulimit = None,
    device: container.Device = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Print the job's control sequences also on a terminal."),
    ] = False,
) -> Outcome | None:
    """Run a job, stream its log, exit with its exit code."""
    given = locals()  # all parameters, by their names
    from jobctl.job.requests.submission import prepare, source_of
    from jobctl.job.run import run_attached, run_detached

    flags, session, source = flags_of(given), session_of(ctx), source_of(file)
    if (interactive or tty) and source.has_several:
        raise Misuse("-i and -t take one job", hint="-f names a file with several jobs")
    if interactive and file == "-":
        raise Misuse("-f - reads the job file from standard input, which -i feeds to the command")
    if source.has_several:
        from jobctl.sets.run import run_document

        return run_document(session, flags, source, detach=detach)
    plan = prepare(flags, source)
    if any("@last" in text for text in (*(after or ()), *(inputs or ()))):
        from jobctl.job.spec.last_job import with_last_job

        plan = with_last_job(session.client(), plan)
    if detach:
        run_detached(session, plan, source)
        return None
    return run_attached(session, plan, source, raw=raw, detach_keys=detach_keys)
