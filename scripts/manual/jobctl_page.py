"""jobctl.1, from the command table and the parsers. Owns the descriptions of exit codes and variables."""

from jobctl.command_table import ALIASES, HELP, PRESET_FORMATS, PRESETS
from jobctl.commands.daemon.doctor import TABLE as DOCTOR
from jobctl.commands.events.deliveries import WIDE_TABLE as DELIVERIES
from jobctl.completion.describe import CommandText, texts
from jobctl.output.job_table import WIDE_TABLE as LS
from jobctl.output.table import Table
from jobctl.top.rows import TABLE as TOP
from scripts.manual.roff import escaped, line, option, section, tagged, text, title

TABLES = (("ls", LS), ("top", TOP), ("deliveries", DELIVERIES), ("doctor", DOCTOR))
EXIT_CODES = (
    ("0", "success"),
    ("1", "error"),
    ("2", "usage"),
    ("3", "daemon unreachable; of daemon status: jobd does not run"),
    ("4", "not found"),
    ("5", "not allowed"),
    (
        "6",
        "conflict: the id is in use or matches several jobs, or the job or group is in another state than needed",
    ),
    ("130", "interrupted with Ctrl-C; listen ends so with its result"),
    ("141", "the reader of standard output has closed the pipe"),
)
RUN_EXIT_CODES = (
    ("120", "the timeout of wait has passed"),
    ("121", "cancelled by someone else"),
    ("122", "the command succeeded, but an output or, in a pipe, a part of the log is missing"),
    ("123", "failed before the command started: image or input"),
    ("124", "timed out"),
    ("125", "jobctl or jobd failed"),
    ("126, 127", "the command cannot run, or does not exist"),
    ("130", "interrupted with Ctrl-C"),
    ("137", "out of memory"),
    ("128+n", "ended by signal n"),
)
DESTINATIONS = """
These rules hold for the DEST of run --out and of cp. Repeating a command gives the same result.

A DEST whose last part is /, . or .. is a folder that gets PATH under its own name. Any other DEST becomes a copy of PATH. PATH . is the
whole workspace; a folder as DEST then gets each entry of the workspace.

An existing file is replaced atomically, and keeps its mode; other programs see the old or the new file. A link is followed. A device or a
FIFO is written to; jobctl waits a minute for the reader of a FIFO. A socket is refused.

An existing folder is replaced as a whole, and only where it is empty, or jobctl wrote all files in it and they are unchanged; jobctl marks
its files with an extended attribute (user.jobctl.written). On a file system without extended attributes, remove the folder first. jobctl
never replaces a mount point, the home folder, the working directory or a folder that contains one of them, and never a file by a folder or
a folder by a file. jobctl run checks this before the job runs.

- is standard output, and so are /dev/stdout and /dev/fd/1: a file is printed as it is, a folder as a tar. Only one output can go there; the
job's log then goes to standard error.
"""
CLIENT_VARIABLES = (
    ("JOBCTL_HOST", "the daemon's address: unix:///path or http://host:port; --host overrides it"),
    (
        "JOBCTL_API_KEY_FILE",
        "file with the key for TCP; jobctl finds the key of this machine's daemon itself",
    ),
    ("TRACEPARENT, TRACESTATE", "the trace that a submission is a part of; an invalid one is ignored"),
    ("JOBCTL_CONTEXT", "the context of the context file; default: its current"),
    ("JOBCTL_CONFIG", "the context file; default: ~/.config/jobctl/contexts.toml"),
    (
        "JOBD_SOCKET, JOBD_STATE_DIR",
        "the socket and the state directory of this machine's jobd, where they are not the defaults",
    ),
    (
        "JOBCTL_DEFAULT_MEMORY, JOBCTL_DEFAULT_CPUS, JOBCTL_DEFAULT_TIMEOUT",
        "defaults of run and submit; also default_memory and so on in the context file",
    ),
    ("NO_COLOR", "turns colours off"),
)


def jobctl_page() -> str:
    """Returns jobctl.1."""
    body = title("JOBCTL", 1, "jobctl", "run container jobs on this machine")
    body += section("SYNOPSIS") + "\\fBjobctl\\fR [\\fIOPTIONS\\fR] [\\fICOMMAND\\fR] [\\fIARGUMENTS\\fR]\n"
    body += section("DESCRIPTION")
    body += text(
        "Submits jobs to jobd(8), follows, lists and cancels them. Without a command, jobctl lists the active jobs. "
        "Data goes to standard output, notes and errors go to standard error. "
        "An ID is exact or a unique prefix; @last is this user's newest job. Commands that end or remove jobs (cancel, rm) refuse a prefix, "
        "list the ids that begin with it, and change no job."
    )
    commands = texts()
    shared = {option.names for option in commands[0].options}.intersection(
        *({o.names for o in c.options} for c in commands)
    )
    body += section("OPTIONS") + text("These options are valid before and after the command.")
    body += "".join(option(o.names, o.metavar, o.help) for o in commands[0].options if o.names in shared)
    body += section("COMMANDS")
    for command in commands:
        body += command_part(command, shared)
    body += section("WHERE OUTPUTS GO") + "".join(
        text(" ".join(paragraph.split())) for paragraph in DESTINATIONS.split("\n\n")
    )
    body += section("ALIASES") + text("Names of commands in other tools:")
    body += "".join(tagged(alias, _meaning(alias)) for alias in ALIASES)
    body += tagged(f"{HELP} [COMMAND]", "COMMAND --help")
    body += section("OUTPUT") + text(
        "docs/jobctl-output.schema.json has the schema of each command's --json output. A stream has one value a line. With --json, "
        "errors are JSON on standard error. A command refuses a format that it cannot print."
    )
    body += text(
        "Without a terminal, tables have all columns and whole texts. On a terminal the first column is never cut; an id longer than half of "
        "the width is on a line of its own. Where a row does not fit, texts are shortened, then whole columns are dropped, in this order:"
    )
    body += "".join(tagged(name, _order(shape)) for name, shape in TABLES)
    body += section("EXIT STATUS") + text(
        "Exit codes of run, sweep and wait: the job's own (of a set that of its first job that failed), and"
    )
    body += "".join(tagged(code, meaning) for code, meaning in RUN_EXIT_CODES) + text(
        "Exit codes of all other commands:"
    )
    body += "".join(tagged(code, meaning) for code, meaning in EXIT_CODES)
    body += section("ENVIRONMENT") + "".join(tagged(name, meaning) for name, meaning in CLIENT_VARIABLES)
    body += section("FILES")
    body += tagged(
        "~/.config/jobctl/contexts.toml",
        'current = "lab", then a table [contexts.lab] with host and api_key_file',
    )
    body += tagged(
        "$XDG_RUNTIME_DIR/jobd/jobd.sock, /run/user/UID/jobd/jobd.sock, jobd.sock in the state directory, /run/jobd/jobd.sock",
        "the sockets that jobctl tries, in this order",
    )
    return body + section("SEE ALSO") + "\\fBjobd\\fR(8), \\fBjob\\fR(5)\n"


def command_part(command: CommandText, shared: set[tuple[str, ...]]) -> str:
    """Returns one command's part of jobctl.1."""
    part = (
        f".SS {escaped(command.name)}\n\\fBjobctl {escaped(command.name)}\\fR {escaped(command.usage)}\n"
        + text(command.help)
    )
    part += "".join(option(o.names, o.metavar, o.help) for o in command.options if o.names not in shared)
    part += text(
        f"Formats: {', '.join(command.formats)}." if command.formats else "There are no other formats."
    )
    return part + (
        ".PP\n.nf\n" + "".join(line(each) for each in command.examples.strip("\n").split("\n")) + ".fi\n"
    )


def _meaning(alias: str) -> str:
    """Returns the command that an alias runs."""
    preset = PRESETS.get(alias, ())
    format = PRESET_FORMATS.get(alias)
    return " ".join((ALIASES[alias], *preset, *(("-o", format) if format else ())))


def _order(shape: Table) -> str:
    return (", ".join(shape.drop) or "none; the last column is folded") + (
        f" (shortened: {', '.join(name for name in shape.columns if name in shape.elastic)})"
        if shape.elastic
        else ""
    )
