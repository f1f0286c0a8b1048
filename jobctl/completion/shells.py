"""Completion scripts for bash, zsh and fish. Pure: from the descriptions of the commands to text."""

from collections.abc import Callable, Sequence

from jobctl.completion.bash import bash_script
from jobctl.completion.fish import fish_script
from jobctl.completion.words import CommandWords
from jobctl.completion.zsh import zsh_script


def script(shell: str, commands: Sequence[CommandWords]) -> str:
    """Returns the completion script for one of `words.SHELLS`."""
    makers: dict[str, Callable[[Sequence[CommandWords]], str]] = {
        "bash": bash_script,
        "zsh": zsh_script,
        "fish": fish_script,
    }
    return makers[shell](commands)
