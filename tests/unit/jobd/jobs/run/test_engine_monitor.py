"""Jobs that this host can never run are refused before they are accepted."""

from typing import Any, cast

import pytest

from jobd.errors import InvalidRequest
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import EngineFacts
from jobd.jobs.record.text_limits import MAX_ERROR
from jobd.jobs.run.engine_monitor import EngineMonitor
from jobd.jobs.run.supervisors import Supervisors
from jobd.wire.job import JobSpec
from tests.support.fakes.clock import FakeClock
from tests.support.fakes.orchestrator import FakeOrchestrator

FACTS = EngineFacts(
    name="an engine",
    version="1",
    api_version="1.41",
    cpus=2,
    memory_bytes=1024 * 1024 * 1024,
    platform="linux/amd64",
)


def watch(facts: EngineFacts | None = FACTS) -> EngineMonitor:
    made = EngineMonitor(FakeOrchestrator(), cast(Supervisors, None), FakeClock())
    made.facts = facts
    return made


def spec(**fields: Any) -> JobSpec:
    return JobSpec(id="a", image="b", **fields)


@pytest.mark.parametrize("fields", [{}, {"cpu": 2}, {"memory": 1024}, {"cpu": 0.5, "memory": 6}])
def test_a_job_that_fits_is_accepted(fields: dict[str, Any]) -> None:
    watch().check_fits(spec(**fields))


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"cpu": 2.01}, "cpu", "cpu: asks for 2.01 cores; this host has 2 cores"),
        ({"memory": 1025}, "memory", "memory: asks for 1025 MB; this host has 1024 MB"),
    ],
)
def test_a_job_that_does_not_fit_is_refused_with_its_field_and_the_hosts_size(
    fields: dict[str, Any], field: str, text: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{text}$") as caught:
        watch().check_fits(spec(**fields))
    assert caught.value.field == field


def test_an_engine_that_was_never_reached_refuses_no_job() -> None:
    watch(None).check_fits(spec(cpu=64, memory=65536))


def trouble_of(watching: EngineMonitor) -> str | None:
    return watching.trouble


async def test_an_answer_is_kept_and_an_error_shown_until_the_next_answer() -> None:
    engine = FakeOrchestrator()
    watching = EngineMonitor(engine, cast(Supervisors, None), FakeClock())
    assert trouble_of(watching) == "not asked yet"
    await watching.ask()
    assert trouble_of(watching) is None
    assert watching.facts == engine.facts
    engine.away = True
    await watching.ask()
    assert trouble_of(watching) == "the engine is away"
    assert watching.facts == engine.facts


async def test_an_error_of_any_length_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeOrchestrator()
    watching = EngineMonitor(engine, cast(Supervisors, None), FakeClock())

    async def probe() -> EngineFacts:
        raise EngineUnavailable("x" * 1_000_000)

    monkeypatch.setattr(engine, "probe", probe)
    await watching.ask()
    assert trouble_of(watching) == "x" * MAX_ERROR + "..."
