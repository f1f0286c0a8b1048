"""Every place in jobd that can remove a container, found in the code: by force only a container whose end is stored."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jobd

ROOT = Path(jobd.__file__).parent
FORCED = {
    # the removing functions, called only from the places below
    ("docker/engine.py", "destroy_container"): "the one call with force",
    ("docker/containers/removal.py", "_destroy_container"): "its signal is jobd's own",
    ("docker/containers/removal.py", "destroy"): "the containers under a job's names",
    ("docker/containers/removal.py", "_container"): "compares: one that is killed is waited for",
    ("docker/orchestrator.py", "remove"): "the orchestrator's removal by force",
    (
        "docker/sandboxes/sandbox.py",
        "remove_sandbox",
    ): "no job's container: the callers remove sandboxes that no job uses",
    # the callers
    (
        "docker/containers/creation.py",
        "_remove_stale",
    ): "of another attempt or job: its end is recorded before the name is given on",
    (
        "docker/containers/takeover.py",
        "_sidecar",
    ): "of another job that had the id: its end is recorded before the id is given on",
    ("jobs/run/execution.py", "remove"): "the job is over and deleted, or the attempt before is over",
    ("jobs/run/supervisor.py", "_carry_out"): "the same, as `next_action` asks for it",
    (
        "jobs/run/execution.py",
        "remove_sidecar",
    ): "the job is over, and its sidecar has an earlier job's workspace mounted",
    ("jobs/retention/retention.py", "_remove_containers_of"): "the job is over, and so is its retention",
    ("jobs/retention/orphans.py", "remove"): "no job has it, and had it a whole interval ago",
}
UNFORCED = {
    ("docker/engine.py", "remove_container"): "the one call without force",
    ("docker/containers/removal.py", "remove_stopped"): "the containers under a job's names",
    ("docker/containers/creation.py", "_remove_stale"): "this attempt's, none of which has run",
    ("docker/containers/unstarted.py", "remove"): "one whose start may be under way",
    ("docker/containers/takeover.py", "_sidecar"): "this attempt's, which has not run",
    ("docker/orchestrator.py", "remove_stopped"): "the orchestrator's removal of what does not run",
    ("jobs/run/preparation.py", "prepare"): "the sidecar's run is over, the worker was not asked to start",
    ("jobs/run/execution.py", "remove_unstarted"): "one whose start may be under way",
    ("jobs/run/supervisor.py", "_carry_out"): "the same, as `next_action` asks for it",
}
ENGINES = ("engine", "_engine", "orchestrator", "_execution")
WORDS = ("remove", "destroy", "force")


def sites(text: str, where: str) -> Iterator[tuple[str, str, str]]:
    """Yields (file, function, what) for each removal of a container that the code of one file names."""
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.keyword) and node.arg == "force":
                forced = not (isinstance(node.value, ast.Constant) and node.value.value is False)
                yield where, function.name, "forced" if forced else "unforced"
            elif isinstance(node, ast.Attribute):
                owner = node.value.attr if isinstance(node.value, ast.Attribute) else ""
                owner = node.value.id if isinstance(node.value, ast.Name) else owner
                forced = node.attr in ("destroy_container", "_destroy_container", "destroy") or (
                    node.attr == "remove" and owner in ENGINES
                )
                if forced:
                    yield where, function.name, "forced"
                elif node.attr in ("remove_stopped", "remove_unstarted") or (
                    node.attr == "remove_container" and owner in ENGINES
                ):
                    yield where, function.name, "unforced"


@cache
def all_sites() -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for path in ROOT.rglob("*.py"):
        where = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        if where.startswith(("docker/", "jobs/", "api/")) and any(word in text for word in WORDS):
            found |= set(sites(text, where))
    return found


def test_each_removal_by_force_has_its_reason() -> None:
    assert {(file, name) for file, name, what in all_sites() if what == "forced"} == set(FORCED)


def test_each_removal_without_force_is_known() -> None:
    assert {(file, name) for file, name, what in all_sites() if what == "unforced"} == set(UNFORCED)


def test_the_engine_is_asked_to_remove_containers_in_one_file_alone() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        assert "prune_containers" not in text, path
        if "client.remove_container(" in text:
            assert path.relative_to(ROOT).as_posix() == "docker/engine.py"
            assert text.count("client.remove_container(") == text.count("v=True, force=") == 2
