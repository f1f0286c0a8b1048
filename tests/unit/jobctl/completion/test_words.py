"""Behind which words a shell expects the value of an option, and which values it offers."""

import re

import pytest

from jobctl.commands.daemon import daemon
from jobctl.commands.queue.group import ACTIONS
from jobctl.completion.describe import words
from jobctl.completion.words import DAEMON_ACTIONS, GROUP_ACTIONS, CommandWords, OptionWords, before_value

OPTIONS = (
    OptionWords(("-m", "--memory"), "", takes_value=True),
    OptionWords(("-d", "--detach"), "", takes_value=False),
    OptionWords(("--raw",), "", takes_value=False),
)


@pytest.mark.parametrize("word", ["-m", "--memory", "-dm", "-ddm"])
def test_a_value_follows(word: str) -> None:
    assert re.search(before_value(OPTIONS), word)


@pytest.mark.parametrize(
    "word", ["-d", "--raw", "--memory=1g", "-m1g", "-md", "--", "-", "image", "--mem", "x-m"]
)
def test_no_value_follows(word: str) -> None:
    assert not re.search(before_value(OPTIONS), word)


@pytest.mark.parametrize("command", [command for command in words() if command.argument == "image"])
def test_run_and_submit_have_their_own_options(command: CommandWords) -> None:
    pattern = before_value(command.options)
    for option in command.options:
        for name in option.names:
            assert bool(re.search(pattern, name)) == option.takes_value, name


def option(command: str, name: str) -> OptionWords:
    described = next(each for each in words() if each.name == command)
    return next(each for each in described.options if name in each.names)


@pytest.mark.parametrize(
    ("command", "name", "jobs"),
    [("run", "--after", True), ("submit", "--after", True), ("events", "--job", True), ("replay", "--job", True),
     ("events", "--after", False), ("run", "--name", False)],
)  # fmt: skip
def test_an_option_that_names_a_job_offers_ids(command: str, name: str, jobs: bool) -> None:
    assert option(command, name).jobs == jobs


def test_gpus_offers_its_only_word() -> None:
    assert option("run", "--gpus").words == ("all",)


@pytest.mark.parametrize(
    ("command", "groups"), [("run", True), ("submit", True), ("ls", True), ("group", False)]
)
def test_an_option_that_names_a_group_offers_groups(command: str, groups: bool) -> None:
    described = next(each for each in words() if each.name == command)
    assert any(each.groups for each in described.options) == groups


def test_the_actions_of_a_group_are_those_of_the_command() -> None:
    assert tuple(GROUP_ACTIONS.split()) == ACTIONS


def test_the_actions_of_the_daemon_are_those_of_the_command() -> None:
    assert tuple(DAEMON_ACTIONS.split()) == daemon.ACTIONS
