"""Describes all commands, from their parsers, for completion scripts and man pages. Imports every command."""

from dataclasses import dataclass
from typing import Any

from jobctl.command_table import ALIASES, COMMANDS, formats_of
from jobctl.commands.events.deliveries import STATES
from jobctl.commands.jobs.cancel import SIGNALS
from jobctl.commands.jobs.prune import ENDED
from jobctl.commands.jobs.run import EVENT_TYPES, RETRY_REASONS
from jobctl.completion.words import FORMATS, STATUSES, CommandWords, OptionWords
from jobctl.parser import load

ARGUMENTS = {
    **dict.fromkeys(("show", "explain", "fetch", "logs", "wait", "rm", "deliveries", "events"), "jobs"),
    **dict.fromkeys(("run", "submit", "sweep"), "image"),
    **dict.fromkeys(("cancel", "pause", "resume"), "active"), "bump": "waiting", "retry": "ended", "group": "group",
    "cp": "copy", "completion": "shells", "daemon": "daemon", "validate": "files", "verify": "files",
}  # fmt: skip
"""The kinds of arguments of commands."""
PAIR_OPTIONS = frozenset({"--in", "--out", "--secret"})
"""Options with the value NAME=PATH, where PATH is local."""
FILE_OPTIONS = frozenset({"--file", "--each-line", "--env-file", "--callback-key-file", "--key-file"})
JOB_OPTIONS = {
    "events": "--job",
    "replay": "--job",
    "run": "--after",
    "submit": "--after",
    "sweep": "--after",
}
"""The option of a command with a job's id as its value."""
GROUP_OPTION = "--group"
SET_OPTION = "--set"
OPTION_WORDS = {
    "--output": FORMATS,
    "--state": " ".join(STATES),
    "--signal": " ".join(SIGNALS),
    "--callback-events": EVENT_TYPES.replace(",", ""),
    "--retry-on": RETRY_REASONS.replace(",", ""),
    "--gpus": "all",
    "--network": "none bridge",
    "--stop-signal": " ".join(SIGNALS),
    "--user": "me",
    "--by": "image group label",
}
STATUS_WORDS = {"ls": STATUSES, "prune": " ".join(ENDED)}


@dataclass(frozen=True, slots=True)
class OptionText:
    """One option, for a man page."""

    names: tuple[str, ...]
    metavar: str
    help: str


@dataclass(frozen=True, slots=True)
class CommandText:
    """One command, for a man page."""

    name: str
    summary: str
    usage: str
    help: str
    options: tuple[OptionText, ...]
    examples: str
    formats: tuple[str, ...]
    aliases: tuple[str, ...]


def words() -> list[CommandWords]:
    """Returns the descriptions of all commands for completion scripts."""
    found = []
    for name, (_, summary) in COMMANDS.items():
        options = tuple(_option_words(name, parameter) for parameter in _options(load(name)))
        aliases = tuple(alias for alias, command_name in ALIASES.items() if command_name == name)
        found.append(CommandWords(name, summary, options, ARGUMENTS.get(name, ""), aliases))
    return found


def texts() -> list[CommandText]:
    """Returns the descriptions of all commands for man pages."""
    found = []
    for name, (_, summary) in COMMANDS.items():
        command = load(name)
        context = command.make_context(f"jobctl {name}", [], resilient_parsing=True)
        usage = " ".join(command.collect_usage_pieces(context))
        options = tuple(
            OptionText((*p.opts, *p.secondary_opts), _metavar(p), str(p.help or ""))
            for p in _options(command)
        )
        examples = (command.epilog or "").replace("\b\n", "")
        aliases = tuple(alias for alias, command_name in ALIASES.items() if command_name == name)
        found.append(
            CommandText(
                name, summary, usage, command.help or "", options, examples, formats_of(name), aliases
            )
        )
    return found


def _options(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option" and not p.hidden]


def _metavar(parameter: Any) -> str:
    if parameter.is_flag:
        return ""
    choices = getattr(parameter.type, "choices", None)
    return str(parameter.metavar or ("|".join(map(str, choices)) if choices else "VALUE"))


def _option_words(command: str, parameter: Any) -> OptionWords:
    names = (*parameter.opts, *parameter.secondary_opts)
    choices = tuple(map(str, getattr(parameter.type, "choices", None) or ()))
    for name in names:
        known = STATUS_WORDS.get(command, "") if name == "--status" else OPTION_WORDS.get(name, "")
        choices = choices or tuple(known.split())
    return OptionWords(
        names,
        str(parameter.help or "").rstrip("."),
        takes_value=not parameter.is_flag,
        words=choices,
        files=bool(FILE_OPTIONS & set(names)),
        pairs=bool(PAIR_OPTIONS & set(names)),
        jobs=JOB_OPTIONS.get(command) in names,
        groups=GROUP_OPTION in names,
        sets=SET_OPTION in names,
    )
