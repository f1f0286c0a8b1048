"""What completion scripts know of the commands, and what they ask jobctl while somebody types. Pure.

Images are not offered: jobd has no call that lists them.
"""

from dataclasses import dataclass

IDS = "jobctl ls -q -a --limit 200 2>/dev/null"
ACTIVE_IDS = "jobctl ls -q --status accepted,running --limit 200 2>/dev/null"
PATHS = "jobctl __paths"
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
    copy (a path of a workspace, then a local one), files, shells or other.
    """

    name: str
    summary: str
    options: tuple[OptionWords, ...]
    argument: str = ""
    aliases: tuple[str, ...] = ()
