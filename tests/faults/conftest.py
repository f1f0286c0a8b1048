"""The fault matrix: what each test injects and what must hold nevertheless, as a table at the end of the run.

`fast` marks the rows that run with all other tests; the rest takes minutes and runs by `make faults`.
"""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon
from tests.support.engine_proxy import EngineProxy
from tests.support.second_engine import SecondEngine
from tests.support.starts import Starts

SIDECAR_IMAGE = "job-sidecar:latest"
ROWS = ("Crash", "Engine", "Receiver", "Exhaustion", "Worker", "Client", "Input")


@dataclass
class _Row:
    outcomes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


_rows: dict[tuple[str, str, str], _Row] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(row, injection, invariant): a row of the fault matrix")
    config.addinivalue_line("markers", "fast: a fault that takes seconds; it runs with all other tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.get_closest_marker("fault") is None:
            row = item.path.stem.removeprefix("test_").rstrip("s").capitalize()
            title = item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
            item.add_marker(pytest.mark.fault(row=row, injection=title, invariant=""))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("fault")
    if marker is None or (report.when != "call" and report.passed):
        return report
    key = (marker.kwargs["row"], marker.kwargs["injection"], marker.kwargs["invariant"])
    row = _rows.setdefault(key, _Row())
    row.outcomes.append(report.outcome)
    if report.failed:
        row.failed.append(item.name)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _rows:
        return
    out = terminalreporter
    out.section("fault matrix")
    out.write_line(f"{'row':<11} {'injection':<62} {'invariant':<62} result")
    order = {name: place for place, name in enumerate(ROWS)}
    for (name, injection, invariant), row in sorted(
        _rows.items(), key=lambda entry: (order.get(entry[0][0], len(ROWS)), entry[0][0])
    ):
        count = len(row.outcomes)
        passed = row.outcomes.count("passed")
        result = "skipped" if set(row.outcomes) == {"skipped"} else "ok" if passed == count else "FAILED"
        if count > 1:
            result += f" ({passed}/{count})"
        out.write_line(f"{name:<11} {injection:<62} {invariant:<62} {result}")
        for failed in row.failed:
            out.write_line(f"{'':<11}   failed: {failed}")


@pytest.fixture(scope="session")
def starts(docker_client: docker.DockerClient) -> Iterator[Starts]:
    """Counts, on the engine's own word, how often each container was started while the tests ran."""
    made = Starts(docker_client)
    yield made
    made.close()


@pytest.fixture
def proxy(tmp_path: Path, docker_client: docker.DockerClient) -> Iterator[EngineProxy]:
    """Stands between jobd and the engine; does nothing until it is told to."""
    made = EngineProxy(tmp_path / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def behind_proxy(make_daemon: Callable[..., Daemon], proxy: EngineProxy) -> Callable[..., Daemon]:
    """Makes daemons that reach the engine through the proxy."""

    def make(environ: dict[str, str] | None = None, **options: Any) -> Daemon:
        return make_daemon(environ={"DOCKER_HOST": proxy.url, **(environ or {})}, **options)

    return make


@pytest.fixture(scope="module")
def second(docker_client: docker.DockerClient, worker_image: str) -> Iterator[SecondEngine]:
    """An engine that may be killed: in its own network namespace, with the images of workers and sidecar."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("ip"):
        pytest.skip("a second engine needs root, dockerd and ip on this machine")
    engine = SecondEngine()
    try:
        engine.start()
        engine.load(docker_client, worker_image)
        engine.load(docker_client, SIDECAR_IMAGE)
        yield engine
    finally:
        engine.close()
