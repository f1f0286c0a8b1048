"""Each part of `jobs` takes a Protocol with the engine calls that the part makes, and no others."""

import ast
from pathlib import Path
from typing import Any

import pytest

import jobd
from jobd.jobs.interactive.sessions import SessionEngine
from jobd.jobs.port import interactive, protocols

ROOT = Path(jobd.__file__).parent
PARTS = (
    (protocols.PreparationEngine, ("jobs/run/preparation.py",)),
    (
        protocols.ExecutionEngine,
        ("jobs/run/execution.py", "jobs/log/container_log_follower.py", "jobs/log/output_follower.py"),
    ),
    (protocols.RunRelease, ("jobs/run/supervisor.py",)),
    (protocols.Logs, ("jobs/log/container_log_follower.py",)),
    (interactive.WorkerOutput, ("jobs/log/output_follower.py",)),
    (protocols.Files, ("jobs/run/output_collection.py",)),
    (protocols.Files, ("jobs/job_files.py",)),
    (protocols.Monitored, ("jobs/run/engine_monitor.py",)),
    (protocols.Upkeep, ("jobs/retention/retention.py", "jobs/retention/orphans.py")),
    (SessionEngine, ("jobs/interactive/sessions.py",)),
    (interactive.WorkerInput, ("jobs/interactive/inputs.py",)),
    (protocols.DiskMeasurement, ("health/about.py",)),
)
"""A Protocol, and the file that takes it, with the files that the file passes its engine on to."""


def methods(protocol: type[Any]) -> set[str]:
    return {name for name in dir(protocol) if not name.startswith("_") and callable(getattr(protocol, name))}


def calls(file: str) -> set[str]:
    """Returns the names that the code of one file calls on `engine` or `self._engine`."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in ("engine", "_engine"):
                found.add(node.attr)
    return found


@pytest.mark.parametrize(("protocol", "files"), PARTS, ids=[files[0] for _, files in PARTS])
def test_a_part_takes_the_calls_that_it_makes(protocol: type[Any], files: tuple[str, ...]) -> None:
    assert set().union(*map(calls, files)) == methods(protocol)


def test_the_parts_make_every_call_of_the_port() -> None:
    assert set().union(*(methods(protocol) for protocol, _ in PARTS)) == methods(protocols.EnginePort)


def test_no_protocol_of_the_port_is_large() -> None:
    small = [
        one
        for module in (protocols, interactive)
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__
    ]
    own = {one.__name__: [name for name in vars(one) if not name.startswith("_")] for one in small}
    assert max(map(len, own.values())) <= 3, own
