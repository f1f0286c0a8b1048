"""The fault matrix: each test's injected fault and invariant, as a table at the end of the run.

`fault` marks a row. `fast` marks the rows that run with all other tests; the others take minutes and run by `make faults`.
A report carries its row, so that the table is complete when tests run in several processes.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

FAULTS = Path(__file__).parents[2] / "faults"
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
    for item in items:
        if item.path.is_relative_to(FAULTS) and item.get_closest_marker("fault") is None:
            row = item.path.stem.removeprefix("test_").rstrip("s").capitalize()
            title = item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
            item.add_marker(pytest.mark.fault(row=row, injection=title, invariant=""))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("fault")
    if marker is not None and (report.when == "call" or not report.passed):
        row = [marker.kwargs[name] for name in ("row", "injection", "invariant")]
        report.user_properties.append(("fault", [item.name, *row]))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for key, value in report.user_properties:
        if key == "fault":
            name, kind, injection, invariant = cast("list[str]", value)
            row = _rows.setdefault((kind, injection, invariant), _Row())
            row.outcomes.append(report.outcome)
            if report.failed:
                row.failed.append(name)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _rows:
        return
    out = terminalreporter
    out.section("fault matrix")
    out.write_line(f"{'row':<11} {'injection':<62} {'invariant':<62} result")
    order = {name: place for place, name in enumerate(ROWS)}
    for (name, injection, invariant), row in sorted(
        _rows.items(), key=lambda entry: (order.get(entry[0][0], len(ROWS)), entry[0])
    ):
        count = len(row.outcomes)
        passed = row.outcomes.count("passed")
        result = "skipped" if set(row.outcomes) == {"skipped"} else "ok" if passed == count else "FAILED"
        if count > 1:
            result += f" ({passed}/{count})"
        out.write_line(f"{name:<11} {injection:<62} {invariant:<62} {result}")
        for failed in row.failed:
            out.write_line(f"{'':<11}   failed: {failed}")
