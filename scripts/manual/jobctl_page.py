"""jobctl.1, from the command table and the parsers; exit codes and variables are told here."""

from jobctl.command_table import ALIASES, HELP, PRESET_FORMATS, PRESETS
from jobctl.commands.deliveries import WIDE_TABLE as DELIVERIES
from jobctl.commands.doctor import TABLE as DOCTOR
from jobctl.commands.ls import WIDE_TABLE as LS
from jobctl.commands.top import TABLE as TOP
from jobctl.completion.describe import CommandText, texts
from jobctl.output.table import Table
from scripts.manual.roff import escaped, line, option, section, tagged, text, title

TABLES = (("ls", LS), ("top", TOP), ("deliveries", DELIVERIES), ("doctor", DOCTOR))
EXIT_CODES = (
    ("0", "success"),
    ("1", "error"),
    ("2", "usage"),
    ("3", "daemon unreachable"),
    ("4", "not found"),
    ("5", "not allowed"),
    ("6", "conflict: an id in use, or a prefix of several"),
)
RUN_EXIT_CODES = (
    ("120", "wait gave up"),
    ("121", "cancelled elsewhere"),
    ("122", "the command succeeded, an output did not arrive, or a pipe lacks a part of what it printed"),
    ("123", "failed before the start: image or input"),
    ("124", "timed out"),
    ("125", "jobctl or jobd failed"),
    ("126, 127", "the command cannot be run, or is not there"),
    ("130", "interrupted here"),
    ("137", "out of memory"),
    ("128+n", "ended by signal n"),
)
DESTINATIONS = """
This holds for the DEST of run --out and of cp. The same command again gives the same.

A DEST whose last part is /, . or .. is a folder that PATH goes into, under its own name. Any other DEST becomes what PATH is. PATH . is
the whole workspace; with such a folder as DEST, each entry of it goes there.

A file that is there is replaced at once, and keeps its mode; what may look meanwhile sees the old or the new one. A link is followed. A
device or a FIFO is written to, a FIFO waits a minute for its reader, and a socket is refused.

A folder that is there is replaced as a whole, at once, and only where it is empty or all that is in it was written by jobctl and not
changed since; jobctl knows that by an extended attribute (user.jobctl.written). On a file system without them, remove the folder before.
A mount point, the home folder and the working directory, and what is around them, are never replaced, nor is a file by a folder or a
folder by a file. run looks at that before the job runs.

- is standard output, and so are /dev/stdout and /dev/fd/1: a file is written there as it is, a folder as a tar. One output alone can go
there; all lines of the job go to standard error then.
"""
CLIENT_VARIABLES = (
    ("JOBCTL_HOST", "the daemon: unix:///path or http://host:port; --host wins"),
    (
        "JOBCTL_API_KEY_FILE",
        "file with the key for TCP; for this machine's daemon the key is found by itself",
    ),
    ("JOBCTL_CONTEXT", "which context of the context file; default: its current"),
    ("JOBCTL_CONFIG", "the context file; default: ~/.config/jobctl/contexts.toml"),
    (
        "JOBD_SOCKET, JOBD_STATE_DIR",
        "where this machine's jobd listens and keeps its key, when not in the usual places",
    ),
    (
        "JOBCTL_DEFAULT_MEMORY, JOBCTL_DEFAULT_CPUS, JOBCTL_DEFAULT_TIMEOUT",
        "what run and submit ask for where nothing else says it; also default_memory and so on in the context file",
    ),
    ("NO_COLOR", "no colour"),
)


def jobctl_page() -> str:
    """Returns jobctl.1."""
    body = title("JOBCTL", 1, "jobctl", "run container jobs on this machine")
    body += section("SYNOPSIS") + "\\fBjobctl\\fR [\\fIOPTIONS\\fR] [\\fICOMMAND\\fR] [\\fIARGUMENTS\\fR]\n"
    body += section("DESCRIPTION")
    body += text(
        "Submits jobs to jobd(8), follows, lists and ends them. Without a command, lists the jobs that are under way. "
        "Data is printed on standard output and everything else on standard error. "
        "An ID is exact or a unique prefix; @last is this user's newest job. Where jobs are ended or removed (cancel, rm), a prefix is "
        "answered with the ids that it fits, and nothing happens."
    )
    commands = texts()
    shared = {option.names for option in commands[0].options}.intersection(
        *({o.names for o in c.options} for c in commands)
    )
    body += section("OPTIONS") + text("These stand before the command or after it.")
    body += "".join(option(o.names, o.metavar, o.help) for o in commands[0].options if o.names in shared)
    body += section("COMMANDS")
    for command in commands:
        body += command_part(command, shared)
    body += section("WHERE OUTPUTS GO") + "".join(
        text(" ".join(paragraph.split())) for paragraph in DESTINATIONS.split("\n\n")
    )
    body += section("OTHER NAMES") + text("Names of other tools that work here too:")
    body += "".join(tagged(alias, _meaning(alias)) for alias in ALIASES)
    body += tagged(f"{HELP} [COMMAND]", "COMMAND --help")
    body += section("OUTPUT") + text(
        "With --json each command prints one shape; docs/jobctl-output.schema.json has them all. Streams are one value a line. "
        "Errors are JSON on standard error then. A format that a command cannot print is refused."
    )
    body += text(
        "Tables off a terminal hold all columns and texts. On a terminal the first column is never cut; an id longer than half of the "
        "width stands on a line of its own. Where a row does not fit, texts are shortened, then whole columns go, in this order:"
    )
    body += "".join(tagged(name, _order(shape)) for name, shape in TABLES)
    body += section("EXIT STATUS") + text("Of run and wait: the job's own, and")
    body += "".join(tagged(code, meaning) for code, meaning in RUN_EXIT_CODES) + text(
        "Of all other commands:"
    )
    body += "".join(tagged(code, meaning) for code, meaning in EXIT_CODES)
    body += section("ENVIRONMENT") + "".join(tagged(name, meaning) for name, meaning in CLIENT_VARIABLES)
    body += section("FILES")
    body += tagged(
        "~/.config/jobctl/contexts.toml",
        'current = "lab", then a table [contexts.lab] with host and api_key_file',
    )
    body += tagged(
        "$XDG_RUNTIME_DIR/jobd/jobd.sock, /run/user/UID/jobd/jobd.sock, jobd.sock in the state folder, /run/jobd/jobd.sock",
        "where the daemon is looked for, in this order",
    )
    return body + section("SEE ALSO") + "\\fBjobd\\fR(8), \\fBjob\\fR(5)\n"


def command_part(command: CommandText, shared: set[tuple[str, ...]]) -> str:
    """Returns one command's part of jobctl.1."""
    part = (
        f".SS {escaped(command.name)}\n\\fBjobctl {escaped(command.name)}\\fR {escaped(command.usage)}\n"
        + text(command.help)
    )
    part += "".join(option(o.names, o.metavar, o.help) for o in command.options if o.names not in shared)
    part += text(f"Formats: {', '.join(command.formats)}." if command.formats else "It has no other format.")
    return part + (
        ".PP\n.nf\n" + "".join(line(each) for each in command.examples.strip("\n").split("\n")) + ".fi\n"
    )


def _meaning(alias: str) -> str:
    """What an alias stands for, as it would be typed."""
    preset = PRESETS.get(alias, ())
    format = PRESET_FORMATS.get(alias)
    return " ".join((ALIASES[alias], *preset, *(("-o", format) if format else ())))


def _order(shape: Table) -> str:
    return (", ".join(shape.drop) or "none; the last column is folded") + (
        f" (shortened: {', '.join(name for name in shape.columns if name in shape.elastic)})"
        if shape.elastic
        else ""
    )
