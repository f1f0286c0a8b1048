"""Writes man pages and completion scripts from the code; with --check, says what has drifted and fails.

    python -m scripts.generate_docs [--check]

jobctl.1 comes from the command table and the parsers, jobd.8 from jobd's table of settings, job.5 from the structs of the wire
contract. What a field means is written here; a field without words, or words without a field, is an error.
"""

import re
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from jobctl.describe import CommandText, texts, words
from jobctl.jobfile import LONGEST_BYTES
from jobctl.main import REASONS
from jobctl.shells import SHELLS, script
from jobd.variables import VARIABLES
from jobd.wire import job, limits
from jobd.wire.artifact import KINDS
from jobd.wire.job import Callback, JobSpec

ROOT = Path(__file__).resolve().parent.parent
COMPLETION_FILES = {"bash": "jobctl.bash", "zsh": "_jobctl", "fish": "jobctl.fish"}

JOB_FIELDS = {
    "id": f"name of the job, at most {limits.MAX_ID} letters, digits, '-' and '_'; jobctl makes one when it is absent",
    "image": "container image",
    "meta": f"texts that every event carries, at most {limits.MAX_META}",
    "command": "a text is a shell line that takes the entrypoint's place; a list is the entrypoint's arguments",
    "entrypoint": "program and first arguments, instead of the image's own",
    "cpu": f"limit in cores, at most {limits.MAX_CPU}; default {job.DEFAULT_CPU:g}",
    "memory": f"limit in MB, {limits.MIN_MEMORY_MB} to {limits.MAX_MEMORY_MB}; default {job.DEFAULT_MEMORY_MB}",
    "environment": "variables of the command",
    "timeoutSeconds": "longest run of the command in seconds, "
    f"at most {limits.MAX_TIMEOUT_S}; default {job.DEFAULT_TIMEOUT_S}",
    "workspace": "absolute path of the working directory, where the job's files are",
    "artifacts": f"what is moved in before and out after the command, at most {limits.MAX_ARTIFACTS}; see ARTIFACTS",
    "callback": "where the job's events are posted; see CALLBACK",
    "labels": f"texts to filter by, at most {limits.MAX_LABELS}",
    "pids": f"limit of processes; default {job.DEFAULT_PIDS}",
    "user": "uid[:gid] or name that the command runs as; default: the image's",
    "pull": "when the image is pulled",
    "platform": "os[/architecture[/variant]] of the image",
    "runtime": "the engine's runtime",
    "secrets": "name: text; each is a file in /run/secrets, in memory, that the command's user alone can read",
    "readOnly": "the command can write to its workspace and to a /tmp in memory alone",
    "capDrop": "capabilities that are taken away, such as SETUID, or ALL; NET_RAW always is",
    "capAdd": "capabilities that are given; refused unless jobd runs with ALLOW_CAP_ADD",
    "retries": f"further attempts after a failure, at most {limits.MAX_RETRIES}; each begins anew, after a pause that doubles",
    "retryOn": "exit codes and reasons to repeat after; empty: any failure before the outputs",
}
CALLBACK_FIELDS = {
    "url": "http(s) URL; localhost is the machine that jobd runs on",
    "events": "types to post; empty: all",
    "key": "secret that signs each event; while it is rotated several, the newest first: whsec_NEW whsec_OLD",
    "batch": "what has piled up is posted as one array (application/cloudevents-batch+json)",
}
ARTIFACT_FIELDS = {
    "id": "name of the artifact, unique in its job",
    "depends": "another artifact's id, or job: run after it",
    "when": "after which end of the command",
    "optional": "a missing source is no failure",
    "sha256": "hex digest that the content must have",
    "maxBytes": "largest size that is taken",
    "mode": "octal permissions, for instance 0644",
    "subdir": "only this folder of the archive",
    "format": "of the archive",
    "recursive": "also what is in folders",
    "excludes": "globs on names to leave out",
}
IN_OUT = {
    "download": ("http(s) URL", "file in the workspace"),
    "write": ("the text", "file in the workspace"),
    "unarchive": ("tar.gz, tar or zip in the workspace", "folder in the workspace"),
    "upload": ("file in the workspace", "http(s) URL, by PUT"),
    "read": ("file in the workspace; its content goes into the event", ""),
    "archive": ("file or folder in the workspace", "archive in the workspace"),
    "list": ("folder in the workspace; its names go into the event", ""),
}
_SECOND_BREAK = re.compile(r"(^\.S[HS] .*\n)\.PP\n", re.MULTILINE)

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
    ("122", "the command succeeded, an output did not"),
    ("123", "failed before the start: image or input"),
    ("124", "timed out"),
    ("125", "jobctl or jobd failed"),
    ("126, 127", "the command cannot be run, or is not there"),
    ("130", "interrupted here"),
    ("137", "out of memory"),
    ("128+n", "ended by signal n"),
)
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
    ("NO_COLOR", "no colour"),
)


def pages() -> dict[Path, str]:
    """Returns every generated file with its content."""
    made = {Path("completions") / COMPLETION_FILES[shell]: script(shell, words()) for shell in SHELLS}
    for name, page in (("jobctl.1", jobctl_page()), ("jobd.8", jobd_page()), ("job.5", job_page())):
        made[Path("man") / name] = _SECOND_BREAK.sub(r"\1", page)
    return made


def jobctl_page() -> str:
    """Returns jobctl.1."""
    body = title("JOBCTL", 1, "jobctl", "run container jobs on this machine")
    body += section("SYNOPSIS") + "\\fBjobctl\\fR [\\fIOPTIONS\\fR] [\\fICOMMAND\\fR] [\\fIARGUMENTS\\fR]\n"
    body += section("DESCRIPTION")
    body += text(
        "Submits jobs to jobd(8), follows, lists and ends them. Without a command, lists the jobs that are under way. "
        "Data is printed on standard output and everything else on standard error. "
        "An ID is exact or a unique prefix; @last is this user's newest job."
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
    body += tagged("$XDG_RUNTIME_DIR/jobd/jobd.sock, /run/jobd/jobd.sock", "where the daemon is looked for")
    return body + section("SEE ALSO") + "\\fBjobd\\fR(8), \\fBjob\\fR(5)\n"


def command_part(command: CommandText, shared: set[tuple[str, ...]]) -> str:
    """Returns one command's part of jobctl.1."""
    part = (
        f".SS {escaped(command.name)}\n\\fBjobctl {escaped(command.name)}\\fR {escaped(command.usage)}\n"
        + text(command.help)
    )
    part += "".join(option(o.names, o.metavar, o.help) for o in command.options if o.names not in shared)
    return part + (
        ".PP\n.nf\n" + "".join(line(each) for each in command.examples.strip("\n").split("\n")) + ".fi\n"
    )


def jobd_page() -> str:
    """Returns jobd.8."""
    body = title("JOBD", 8, "jobd", "run container jobs, keep their records, send their events")
    body += section("SYNOPSIS") + "\\fBjobd\\fR [\\fIOPTIONS\\fR]\n" + section("DESCRIPTION")
    body += text(
        "Runs in the foreground, takes jobs over a Unix socket and over TCP on loopback, and runs them as containers of the "
        "engine that DOCKER_HOST or the current docker context names. A flag wins over its variable, a variable over the "
        "configuration file, that over the default. Durations are such as 100ms, 10s and 1h30m."
    )
    body += section("SETTINGS")
    for variable in VARIABLES:
        names = variable.name + (f", {variable.flag}" if variable.flag else "")
        default = f" Default: {variable.default}." if variable.default else ""
        body += tagged(names, f"{variable.help}.{default}")
    return body + section("SEE ALSO") + "\\fBjobctl\\fR(1), \\fBjob\\fR(5)\n"


def job_page() -> str:
    """Returns job.5."""
    body = title("JOB", 5, "job", "a job file or submission")
    body += section("DESCRIPTION")
    body += text(
        "One mapping, as JSON or YAML. jobctl run -f reads it from a file; over HTTP it is the JSON body of POST /v1/jobs, of at "
        f"most {limits.MAX_BODY_BYTES >> 20} MiB (a file may have {LONGEST_BYTES >> 20} MiB with its comments). Unknown fields "
        "are refused. jobctl validate -f names all that is wrong."
    )
    body += section("FIELDS") + struct_fields(JobSpec, JOB_FIELDS)
    body += section("CALLBACK") + struct_fields(Callback, CALLBACK_FIELDS)
    body += section("ARTIFACTS") + text(
        "An artifact runs before the command unless it depends on job, directly or through others. Paths are relative to the "
        "workspace and never leave it."
    )
    assert set(IN_OUT) == set(KINDS), "IN_OUT and the artifact kinds differ"
    for kind, struct in KINDS.items():
        source, out = IN_OUT[kind]
        body += f".SS {escaped(kind)}\n" + tagged("in", source) + (tagged("out", out) if out else "")
        own = {name: ARTIFACT_FIELDS[name] for name in encoded_names(struct) if name not in ("in", "out")}
        body += struct_fields(struct, {**own, "in": "", "out": ""}, leave_out=("in", "out"))
    body += section("EXAMPLE") + ".nf\n" + "".join(line(each) for each in EXAMPLE.splitlines()) + ".fi\n"
    reasons = ", ".join(sorted({*REASONS, "exit-code", "start-failed"}))
    body += section("REASONS") + text(f"Why a job did not complete: {reasons}.")
    return body + section("SEE ALSO") + "\\fBjobctl\\fR(1), \\fBjobd\\fR(8)\n"


EXAMPLE = """\
image: python:3-slim
command: [python, count.py]
memory: 256
artifacts:
  - {id: program, type: download, in: "https://example.org/count.py", out: count.py}
  - {id: result, type: upload, in: counts.csv, out: "https://example.org/counts.csv", depends: job}
"""


def encoded_names(struct: type[msgspec.Struct]) -> list[str]:
    """Returns the names of a struct's fields as they stand on the wire."""
    return [field.encode_name for field in msgspec.structs.fields(struct)]


def struct_fields(struct: type[msgspec.Struct], said: dict[str, str], leave_out: tuple[str, ...] = ()) -> str:
    """Returns a struct's fields with their types, defaults and words; both sides must name the same ones."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    extra = set(said) - set(fields) - set(leave_out)
    if missing := (set(fields) - set(said)) | extra:
        raise SystemExit(
            f"scripts/generate_docs.py: words and fields of {struct.__name__} differ: {sorted(missing)}"
        )
    found = ""
    for name, field in fields.items():
        if name in leave_out:
            continue
        default = "required" if field.required and name != "id" else ""
        if field.default not in (msgspec.NODEFAULT, None, 0, False):
            default = f"default {field.default}".replace("True", "true")
        notes = "; ".join(part for part in (type_text(field.type), default) if part)
        found += tagged(f"{name} ({notes})", said[name] + ".")
    return found


def type_text(annotation: Any) -> str:
    """Returns a type in the words of JSON."""
    plain = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): ""}
    if annotation in plain:
        return plain[annotation]
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin is list:
        return "list of texts" if arguments[0] is str else "list"
    if origin is dict:
        return "mapping of texts"
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return "mapping"
    return " or ".join(part for part in map(type_text, arguments) if part)


def title(name: str, number: int, plain: str, summary: str) -> str:
    """Returns the head of a page."""
    return f'.\\" Made by scripts/generate_docs.py.\n.TH {name} {number}\n.SH NAME\n{plain} \\- {escaped(summary)}\n'


def section(name: str) -> str:
    """Returns a section's head."""
    return f".SH {name}\n"


def text(what: str) -> str:
    """Returns paragraphs."""
    return "".join(".PP\n" + line(" ".join(each.split())) for each in what.split("\n\n"))


def option(names: tuple[str, ...], metavar: str, said: str) -> str:
    """Returns one option."""
    return tagged(", ".join(names) + (f" {metavar}" if metavar else ""), said)


def tagged(tag: str, said: str) -> str:
    """Returns a tag and what is said of it."""
    return f".TP\n\\fB{escaped(tag)}\\fR\n{line(said)}"


def line(what: str) -> str:
    """Returns a line that roff takes for text."""
    shown = escaped(what)
    return ("\\&" + shown if shown[:1] in (".", "'") else shown) + "\n"


def escaped(what: str) -> str:
    """Returns text in which roff finds no commands and keeps ASCII hyphens."""
    return what.replace("\\", "\\e").replace("-", "\\-")


def main(arguments: list[str]) -> int:
    """Writes, or with --check compares, and returns the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__, file=sys.stderr)
        return 2
    drifted = []
    for path, content in pages().items():
        target = ROOT / path
        if target.is_file() and target.read_text(encoding="utf-8") == content:
            continue
        drifted.append(str(path))
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
    if drifted:
        print(("these differ from the code; run make docs: " if check else "written: ") + ", ".join(drifted))
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
