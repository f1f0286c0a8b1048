"""A misspelt command leads to its neighbour, and never to one that destroys what somebody wanted to keep."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jobctl.command_table import ALIASES, COMMANDS, DESTRUCTIVE
from jobctl.suggestion import allowed, distance, nearest

NAMES = [*COMMANDS, *ALIASES]
OTHER_TOOLS = [
    "attach",
    "build",
    "commit",
    "config",
    "container",
    "context",
    "create",
    "diff",
    "exec",
    "export",
    "history",
    "image",
    "images",
    "import",
    "info",
    "load",
    "login",
    "logout",
    "network",
    "node",
    "pause",
    "plugin",
    "port",
    "pull",
    "push",
    "rename",
    "restart",
    "rmi",
    "save",
    "search",
    "secret",
    "service",
    "stack",
    "start",
    "stats",
    "swarm",
    "tag",
    "unpause",
    "update",
    "volume",
    "apply",
    "annotate",
    "autoscale",
    "cordon",
    "debug",
    "describe",
    "drain",
    "edit",
    "expose",
    "get",
    "label",
    "patch",
    "proxy",
    "rollout",
    "scale",
    "set",
    "taint",
    "add",
    "clean",
    "clear",
    "daemon",
    "enqueue",
    "env",
    "follow",
    "group",
    "parallel",
    "reset",
    "resume",
    "send",
    "stash",
    "status",
    "switch",
    "enable",
    "disable",
    "reload",
    "mask",
    "remove",
    "erase",
    "drop",
    "quit",
    "abort",
    "halt",
    "end",
]
words = st.text(string.ascii_lowercase, max_size=12)


@given(words)
def test_a_destructive_command_is_suggested_only_for_one_edit(typed: str) -> None:
    found = nearest(typed, NAMES, DESTRUCTIVE)
    if found in DESTRUCTIVE:
        assert distance(typed, found) <= 1
        assert len(found) >= 4
    if found is not None:
        assert distance(typed, found) <= allowed(found, careful=found in DESTRUCTIVE)


@given(st.sampled_from(NAMES), st.data())
def test_one_wrong_letter_in_a_name_finds_a_suggestion(name: str, data: st.DataObject) -> None:
    assume(len(name) >= 4)
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    typed = data.draw(
        st.sampled_from(
            [name[:at] + name[at + 1 :], name[:at] + letter + name[at:], name[:at] + letter + name[at + 1 :]]
        )
    )
    found = nearest(typed, NAMES, DESTRUCTIVE)
    assert found is not None
    assert distance(typed, found) <= 1
    if found in DESTRUCTIVE:
        assert all(
            distance(typed, other) > 1 for other in NAMES if other not in DESTRUCTIVE and len(other) >= 4
        )


@pytest.mark.parametrize("typed", OTHER_TOOLS)
def test_a_command_of_another_tool_suggests_no_destructive_command(typed: str) -> None:
    assert nearest(typed, NAMES, DESTRUCTIVE) not in DESTRUCTIVE


@given(words, words)
def test_the_distance_is_the_number_of_edits(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))


def test_swapped_letters_count_as_one_edit() -> None:
    assert distance("lgos", "logs") == 1
    assert distance("pause", "prune") == 2
