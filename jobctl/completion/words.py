"""What completion scripts know of the commands, and what they ask jobctl while somebody types. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

IDS = "jobctl ls -q -a --limit 200 2>/dev/null"
ACTIVE_IDS = "jobctl ls -q --status accepted,running --limit 200 2>/dev/null"
PATHS = "jobctl __paths"
IMAGES = "jobctl __images 2>/dev/null"
FORMATS = "table wide json yaml name"
STATUSES = "accepted running completed failed cancelled unreadable"
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class OptionWords:
    """One option: its spellings, what it says of itself, whether a value follows, and the words that value may be.
    `files`: the value is a path; `pairs`: what follows its `=` is one; `jobs`: it is a job's id.
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...] = ()
    files: bool = False
    pairs: bool = False
    jobs: bool = False


@dataclass(frozen=True, slots=True)
class CommandWords:
    """One command: its name, summary, options and other names. `argument`: what its arguments are - jobs, active (jobs under way),
    copy (a path of a workspace, then a local one), image (the first one, the rest being a command in it), files, shells or other.
    """

    name: str
    summary: str
    options: tuple[OptionWords, ...]
    argument: str = ""
    aliases: tuple[str, ...] = ()


def before_value(options: Sequence[OptionWords]) -> str:
    """Returns the regular expression (POSIX extended) for a word behind which the value of an option is a word of its own: `--name`,
    `-m`, and `-dm` where `-d` is a flag; not `--name=x` nor `-m1g`.
    """
    names = [(name, option.takes_value) for option in options for name in option.names]
    long = [name for name, valued in names if valued and name.startswith("--")]
    short = "".join(name[1] for name, valued in names if valued and not name.startswith("--"))
    flags = "".join(name[1] for name, valued in names if not valued and not name.startswith("--"))
    return f"^({'|'.join(long)}|-[{flags}h]*[{short}])$"
