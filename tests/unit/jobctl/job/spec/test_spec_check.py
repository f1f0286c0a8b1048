"""All that is wrong with a spec is named, and nothing else."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.job.spec.spec_check import spec_problems
from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.job_spec import convert_spec

FINE: dict[str, Any] = {
    "id": "a",
    "image": "busybox",
    "environment": {"A": "b"},
    "artifacts": [
        {"id": "in", "type": "write", "in": "x", "out": "y"},
        {"id": "out", "type": "read", "in": "y", "depends": "job"},
    ],
    "callback": {"url": "http://x/", "events": ["orchestrator.job.exit"]},
    "retries": 1,
    "retryOn": [1, "timeout"],
}


def fields(**changes: Any) -> list[str]:
    return [problem.field for problem in spec_problems({**copy.deepcopy(FINE), **changes})]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"memory": None, "callback": None}, []),
        ({"x": 1, "y": 2, "cpu": -1}, ["x", "y", "cpu"]),
        ({"id": None, "image": None}, ["id", "image"]),
        ({"id": 1, "image": 2, "cpu": "3"}, ["id", "image", "cpu"]),
        ({"environment": {"A": 1, "B": True, "c.d": [], "E": None}}, ["environment.A", "environment.B", "environment.c.d"]),
        ({"environment": [], "labels": "x"}, ["environment", "labels"]),
        ({"artifacts": ["x", {}, {"id": "a"}]}, ["artifacts[0]", "artifacts[1].type", "artifacts[2].type", "artifacts[1].id"]),
        ({"artifacts": [{"id": "a", "type": "nope"}, {"id": "b", "type": "read", "in": "/x", "depends": "a"}]}, ["artifacts[0].type", "artifacts[1].in"]),
        ({"artifacts": 7}, ["artifacts"]),
        ({"callback": {"url": 1, "events": [1, "x"], "k": 1}}, ["callback.url", "callback.events[0]", "callback.k", "callback.events[1]"]),
        ({"retryOn": [True, 999], "retries": 99}, ["retryOn[0]", "retries", "retryOn[1]"]),
        ({"command": [1, 2]}, ["command[0]", "command[1]"]),
    ],
)  # fmt: skip
def test_all_problems_are_named(changes: dict[str, Any], found: list[str]) -> None:
    assert sorted(fields(**changes)) == sorted(found)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "type", "in", "out", "depends", "url", "x", "a.b"]), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
trees = st.dictionaries(
    st.sampled_from([*FINE, "cpu", "memory", "unknown", "command", "labels", "secrets", "a[0]", ""]), values
)


@settings(max_examples=30)
@given(trees)
def test_there_is_a_problem_exactly_where_the_contract_has_one(changes: dict[str, Any]) -> None:
    tree = {**copy.deepcopy(FINE), **changes}
    before = copy.deepcopy(tree)
    found = spec_problems(tree)
    assert tree == before
    first = first_problem(tree)
    assert bool(found) == (first is not None)
    assert first is None or first in {top(problem.field) for problem in found}


def first_problem(tree: Any) -> str | None:
    try:
        convert_spec(tree)
    except InvalidSpec as error:
        return top(error.problems[0].field)
    return None


def top(field: str) -> str:
    return field.partition(".")[0].partition("[")[0]
