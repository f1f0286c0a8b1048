"""The command table: complete, and imported one command at a time."""

from typing import Any

import pytest

from jobctl.command_table import ALIASES, COMMANDS
from jobctl.parser import load


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_examples_and_the_global_flags(name: Any) -> None:
    command = load(name)
    spelled = {option for parameter in command.params for option in parameter.opts}
    assert {"--host", "--json", "-o"} <= spelled
    assert command.help
    assert command.epilog
    assert f"jobctl {name}" in command.epilog.replace("$(", "").replace("completion zsh", f"{name}")
    assert len(spelled) == sum(len(parameter.opts) for parameter in command.params), (
        "no spelling is used twice"
    )


def test_aliases_name_commands() -> None:
    assert set(ALIASES.values()) <= set(COMMANDS)
    assert not set(ALIASES) & set(COMMANDS)
