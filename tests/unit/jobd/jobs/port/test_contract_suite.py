"""The contract suite passes with the engine in memory, and fails with an engine that lacks a hint, a cause or a method."""

import inspect
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from jobd.jobs.port.hints import Hint
from jobd.jobs.port.model import ContainerFacts, EndCause, JobRef, Observation
from jobd.jobs.port.protocols import EnginePort
from tests.contract import (
    test_causes_contract,
    test_files_contract,
    test_freezing_contract,
    test_hints_contract,
    test_interactive_contract,
    test_logs_contract,
    test_orchestrator_contract,
    test_preparation_contract,
    test_removal_contract,
    test_secrets_contract,
    test_sidecar_contract,
)
from tests.contract.worlds import Behaviour, FakeWorld, observed_until

SUITE = (
    test_hints_contract,
    test_causes_contract,
    test_orchestrator_contract,
    test_preparation_contract,
    test_removal_contract,
    test_logs_contract,
    test_files_contract,
    test_sidecar_contract,
    test_secrets_contract,
    test_freezing_contract,
    test_interactive_contract,
)
WHOLE_DEADLINE_S, DEADLINE_S = 5.0, 0.1
METHODS = sorted(
    name for name in dir(EnginePort) if not name.startswith("_") and callable(getattr(EnginePort, name))
)
Check = tuple[str, Callable[..., Any], dict[str, Any]]


def checks() -> Iterator[Check]:
    """Yields every check of the suite with its parameters."""
    for module in SUITE:
        for name, check in vars(module).items():
            if not name.startswith("test_"):
                continue
            drawn = [
                [dict(zip(names, values, strict=True)) for values in rows]
                for names, rows in map(_parameters, getattr(check, "pytestmark", []))
            ]
            for choice in itertools.product(*drawn):
                yield name, check, {key: value for part in choice for key, value in part.items()}


def _parameters(mark: pytest.Mark) -> tuple[list[str], list[tuple[Any, ...]]]:
    names = [name.strip() for name in mark.args[0].split(",")]
    return names, [values if len(names) > 1 else (values,) for values in mark.args[1]]


async def holds(check: Check, world: FakeWorld, folder: Path) -> None:
    """Runs one check in this world. Raises what the check raises."""
    _, call, chosen = check
    given = {
        "world": world,
        "ref": JobRef(uid=uuid.uuid4().hex, id=f"job-{uuid.uuid4().hex[:8]}"),
        "behave": Behaviour,
        "until": lambda ref, condition: observed_until(world, ref, condition),
        "values": {"token": "sEcReT", "other.pem": "two words"},
        "tmp_path": folder,
        "files": folder / "files.tar",
        **chosen,
    }
    try:
        await call(**{name: given[name] for name in inspect.signature(call).parameters})
    finally:
        await world.fake.close()


class Without:
    """The engine in memory without one of its methods: the call does nothing."""

    def __init__(self, engine: Any, method: str) -> None:
        self._engine, self._method = engine, method

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name != self._method:
            return found
        if name == "output":
            return _no_output
        return _nothing if inspect.iscoroutinefunction(found) else _no_items


async def _nothing(*_: Any, **__: Any) -> None:
    pass


async def _no_items(*_: Any, **__: Any) -> AsyncIterator[Any]:
    for item in list[Any]():
        yield item


@asynccontextmanager
async def _no_output(*_: Any) -> AsyncIterator[Any]:
    yield _no_items()


class WithoutHint:
    """The engine in memory without one kind of hint."""

    def __init__(self, engine: Any, kind: type) -> None:
        self._engine, self._kind = engine, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def hints(self) -> AsyncIterator[Hint]:
        async for hint in self._engine.hints():
            if not isinstance(hint, self._kind):
                yield hint


class WithoutCause:
    """The engine in memory with a wrong cause."""

    def __init__(self, engine: Any, cause: EndCause) -> None:
        self._engine, self._cause = engine, cause

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def observe(self, ref: JobRef) -> Observation:
        seen = await self._engine.observe(ref)
        return Observation(self._told(seen.worker), self._told(seen.sidecar))

    async def end_cause(self, *args: Any) -> EndCause:
        return self._other(await self._engine.end_cause(*args))

    def _told(self, facts: ContainerFacts | None) -> ContainerFacts | None:
        return facts and replace(facts, cause=facts.cause and self._other(facts.cause))

    def _other(self, cause: EndCause) -> EndCause:
        if cause is not self._cause:
            return cause
        return EndCause.OWN_EXIT if cause is EndCause.UNKNOWN else EndCause.UNKNOWN


async def failing(change: Callable[[Any], Any], folder: Path) -> str | None:
    """Returns the first check that the changed engine fails; None if the engine passes the suite."""
    for number, check in enumerate(checks()):
        world = FakeWorld(DEADLINE_S)
        world.orchestrator = change(world.fake)
        (inside := folder / str(number)).mkdir()
        try:
            await holds(check, world, inside)
        except (Exception, pytest.fail.Exception):
            return check[0]
    return None


@pytest.mark.parametrize("check", list(checks()), ids=lambda check: check[0].removeprefix("test_"))
async def test_the_engine_in_memory_passes(check: Check, tmp_path: Path) -> None:
    await holds(check, FakeWorld(WHOLE_DEADLINE_S), tmp_path)


@pytest.mark.parametrize("check", list(checks()), ids=lambda check: check[0].removeprefix("test_"))
async def test_an_engine_that_keeps_no_files_passes(check: Check, tmp_path: Path) -> None:
    await holds(check, FakeWorld(WHOLE_DEADLINE_S, keeps_files=False), tmp_path)


@pytest.mark.parametrize("method", METHODS)
async def test_an_engine_without_a_method_fails(method: str, tmp_path: Path) -> None:
    assert await failing(lambda engine: Without(engine, method), tmp_path) is not None


@pytest.mark.parametrize("kind", get_args(Hint), ids=lambda kind: kind.__name__)
async def test_an_engine_without_a_kind_of_hint_fails(kind: type, tmp_path: Path) -> None:
    name = await failing(lambda engine: WithoutHint(engine, kind), tmp_path)
    assert name is not None
    assert name in vars(test_hints_contract)


@pytest.mark.parametrize("cause", list(EndCause), ids=lambda cause: cause.value)
async def test_an_engine_without_a_cause_fails(cause: EndCause, tmp_path: Path) -> None:
    assert await failing(lambda engine: WithoutCause(engine, cause), tmp_path) is not None
