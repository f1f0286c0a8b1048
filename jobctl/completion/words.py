"""The descriptions of commands for completion scripts, and the commands that the scripts call. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

IDS = "jobctl ls -q -a --limit 200 2>/dev/null"
ACTIVE_IDS = "jobctl ls -q --status accepted,running --limit 200 2>/dev/null"
WAITING_IDS = "jobctl ls -q --status accepted --limit 200 2>/dev/null"
GROUP_NAMES = "jobctl group ls -o name 2>/dev/null"
ENDED_IDS = "jobctl ls -q --status completed,failed,cancelled --limit 200 2>/dev/null"
SETS = "jobctl sets -q --limit 100 2>/dev/null"
PATHS = "jobctl __paths"
IMAGES = "jobctl __images 2>/dev/null"
FORMATS = "table wide json yaml name"
STATUSES = "accepted running completed failed cancelled unreadable"
SHELLS = ("bash", "zsh", "fish")
GROUP_ACTIONS = "set ls pause resume rm"
DAEMON_ACTIONS = "status install start stop restart reload logs uninstall"


@dataclass(frozen=True, slots=True)
class OptionWords:
    """One option: its names, help text, and values. `files`: the value is a path; `pairs`: the value is NAME=PATH; `jobs`: the value is
    a job's id; `groups`: the value is the name of a group; `sets`: the id of a set.
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...] = ()
    files: bool = False
    pairs: bool = False
    jobs: bool = False
    groups: bool = False
    sets: bool = False


@dataclass(frozen=True, slots=True)
class CommandWords:
    """One command: its name, summary, options and aliases. `argument`: the kind of its arguments - jobs, active (active jobs), waiting
    (waiting jobs), ended (ended jobs), group (an action, then a group), copy (a path in a workspace, then a local path), image (an image, then its
    command), files, shells, daemon (an action) or other.
    """

    name: str
    summary: str
    options: tuple[OptionWords, ...]
    argument: str = ""
    aliases: tuple[str, ...] = ()


def before_value(options: Sequence[OptionWords]) -> str:
    """Returns a POSIX extended regular expression for a word that the value of an option follows as the next word: `--name`, `-m`, and
    `-dm` where `-d` is a flag; not `--name=x` or `-m1g`.
    """
    names = [(name, option.takes_value) for option in options for name in option.names]
    long = [name for name, valued in names if valued and name.startswith("--")]
    short = "".join(name[1] for name, valued in names if valued and not name.startswith("--"))
    flags = "".join(name[1] for name, valued in names if not valued and not name.startswith("--"))
    return f"^({'|'.join(long)}|-[{flags}h]*[{short}])$"
