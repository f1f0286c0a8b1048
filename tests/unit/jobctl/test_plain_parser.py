"""The parser of ordinary command lines gives a command what typer gives it, or leaves the command line to typer."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobctl import parameter_table as generated
from jobctl import parser, plain_parser
from jobctl.command_table import ALIASES, COMMANDS, HIDDEN, module_of
from jobctl.connection.session import Session
from jobctl.errors import JobctlError
from jobctl.parameter_table import PARAMETERS
from scripts.manual.parameter_table import parameter_table

VALUES = (
    "x",
    "k=v",
    "1",
    "0",
    "-5",
    "1.5",
    ".",
    "",
    "-",
    "--",
    "json",
    "wide",
    "missing",
    "stdout",
    "TERM",
    "ö",
)
GLOBAL = ("--host", "-o", "--output", "--json", "-h", "--version")
Seen = list[tuple[dict[str, Any], dict[str, Any]]]


def words_of(name: str) -> st.SearchStrategy[list[str]]:
    options = [*PARAMETERS[ALIASES.get(name, name)][0], *GLOBAL]
    option, value = st.sampled_from(options), st.sampled_from(VALUES)
    word = st.one_of(
        st.tuples(option, value).map(list),
        st.tuples(option, value).map(lambda pair: ["=".join(pair)]),
        st.tuples(option, value).map(lambda pair: ["".join(pair)]),
        st.lists(option, min_size=2, max_size=2).map(lambda two: [two[0] + two[1].lstrip("-")]),
        option.map(lambda one: [one]),
        value.map(lambda one: [one]),
    )
    return st.lists(word, max_size=5).map(lambda parts: [each for part in parts for each in part])


@st.composite
def command_lines(draw: Any) -> list[str]:
    name = draw(st.sampled_from([*PARAMETERS, *ALIASES]))
    before = draw(st.sampled_from([[], ["--json"], ["-o", "json"], ["--host=x"], ["--host", "y", "-ojson"]]))
    return [*before, name, *draw(words_of(name))]


@contextmanager
def recorded(name: str, seen: Seen, session: Session) -> Iterator[None]:
    """Replaces a command by one that records its arguments, and the session at that time."""
    module, attribute = module_of(name), name.removeprefix("__")
    function: Callable[..., Any] = getattr(module, attribute)
    own = getattr(module, "OPTIONS", None)
    parameters = [
        *inspect.signature(function).parameters.values(),
        *(inspect.signature(own).parameters.values() if own is not None else ()),
    ]

    @functools.wraps(function)
    def recorder(**given: Any) -> None:
        del given["ctx"]
        defaults = {each.name: each.default for each in parameters if each.name != "ctx"}
        # A command's own options come from typer without a conversion of their lists.
        lists = {each: list(given[each]) or None for each in given if isinstance(given[each], tuple)}
        seen.append(({**defaults, **given, **lists}, dict(vars(session))))

    setattr(module, attribute, recorder)
    try:
        yield
    finally:
        setattr(module, attribute, function)


def outcome(name: str, run: Callable[[Session], object]) -> Any:
    session, seen = Session(), Seen()
    with recorded(name, seen, session):
        try:
            run(session)
        except JobctlError as error:
            return error.message
    return seen


def compare(arguments: list[str]) -> bool:
    """Compares both parsers; returns False where the command line is left to typer."""
    call = plain_parser.parse(arguments)
    if call is None:
        return False

    def run_plainly(session: Session) -> None:
        call.set_up(session)
        call.run(session)

    plain = outcome(call.name, run_plainly)
    assert plain == outcome(call.name, lambda session: parser.run(arguments, session)), arguments
    return True


@given(command_lines())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_command_gets_what_typer_gives_it(arguments: list[str]) -> None:
    compare(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--json",
        "run busybox true",
        "run --name a -e A=1 -eB=2 -m 512m --cpus 0.5 --retries 3 busybox sh -c exit",
        "run --sh=true --label a=b -l c=d --in data=./data --read-only busybox",
        "run -- busybox --help",
        "run -dfjob.yaml",
        "submit -f - --pull missing",
        "ls -aq",
        "ls -a --status failed --limit 3 -l a=b",
        "ps --json",
        "logs -f -t --tail 5 a b --stream stderr",
        "logs a -- -b",
        "kill a b",
        "inspect a",
        "cp a:b .",
        "wait --any a --timeout 5s",
        "bump a b --priority 3",
        "pause --running",
        "group set gpu --max 1",
        "group",
        "__images",
    ],
)
def test_ordinary_command_lines_need_no_typer(arguments: str) -> None:
    assert compare(arguments.split())


@pytest.mark.parametrize(
    "arguments",
    ["-h", "help ls", "ls --help", "--version", "unknown", "ls -z", "ls x", "show", "cp a", "ls --limit -1",
     "ls --limit 1e3", "ls --limit", "run --pull always,never x", "ls -o html", "ls --all=1", "ls -a-", "ls -a-q", "-- ls", "run --cpus inf x"],
)  # fmt: skip
def test_help_and_errors_are_typers(arguments: str) -> None:
    assert plain_parser.parse(arguments.split()) is None


def test_the_table_has_the_commands_and_is_that_of_their_annotations() -> None:
    assert {*COMMANDS, *HIDDEN} - {*PARAMETERS} == {"completion", "replay"}, "arguments that are no text"
    assert inspect.getsource(generated) == parameter_table()
