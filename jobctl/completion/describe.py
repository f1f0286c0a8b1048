"""What the commands say of themselves, read from their parsers: for completion scripts and man pages.

Owns the reading. It imports every command, which no command that does work may do.
"""

from dataclasses import dataclass
from typing import Any

from jobctl.commands.cancel import SIGNALS
from jobctl.commands.deliveries import STATES
from jobctl.commands.prune import ENDED
from jobctl.commands.run import EVENT_TYPES, RETRY_REASONS
from jobctl.completion.words import FORMATS, STATUSES, CommandWords, OptionWords
from jobctl.lazy import ALIASES, COMMANDS, formats_of, load

ARGUMENTS = {
    **dict.fromkeys(("show", "explain", "fetch", "logs", "wait", "rm", "deliveries"), "jobs"),
    **dict.fromkeys(("run", "submit"), "image"),
    "cancel": "active", "cp": "copy", "completion": "shells", "validate": "files", "verify": "files",
}  # fmt: skip
"""What the arguments of a command are; of all others nothing is known."""
PAIR_OPTIONS = frozenset({"--in", "--out", "--secret"})
"""Options whose value is NAME=PATH, with a local path."""
FILE_OPTIONS = frozenset({"--file", "--env-file", "--callback-key-file", "--key-file"})
JOB_OPTIONS = frozenset({"--job"})
OPTION_WORDS = {
    "--output": FORMATS,
    "--state": " ".join(STATES),
    "--signal": " ".join(SIGNALS),
    "--callback-events": EVENT_TYPES.replace(",", ""),
    "--retry-on": RETRY_REASONS.replace(",", ""),
}
STATUS_WORDS = {"ls": STATUSES, "prune": " ".join(ENDED)}


@dataclass(frozen=True, slots=True)
class OptionText:
    """One option as a page shows it."""

    names: tuple[str, ...]
    metavar: str
    help: str


@dataclass(frozen=True, slots=True)
class CommandText:
    """One command as a page shows it."""

    name: str
    summary: str
    usage: str
    help: str
    options: tuple[OptionText, ...]
    examples: str
    formats: tuple[str, ...]
    aliases: tuple[str, ...]


def words() -> list[CommandWords]:
    """Returns all commands as completion scripts need them."""
    found = []
    for name, (_, summary) in COMMANDS.items():
        options = tuple(_option_words(name, parameter) for parameter in _options(load(name)))
        aliases = tuple(alias for alias, of in ALIASES.items() if of == name)
        found.append(CommandWords(name, summary, options, ARGUMENTS.get(name, ""), aliases))
    return found


def texts() -> list[CommandText]:
    """Returns all commands as man pages need them."""
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
        aliases = tuple(alias for alias, of in ALIASES.items() if of == name)
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
        jobs=bool(JOB_OPTIONS & set(names)),
    )
