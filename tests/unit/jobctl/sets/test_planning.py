"""The plan of a sweep: placeholders in every text, ids that repeat, and refusals before anything is submitted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.job.spec.plan import Flags, Plan
from jobctl.sets.planning import (
    PlannedJob,
    SetPlan,
    Surroundings,
    check_destinations,
    job_id,
    plan_sweep,
    set_id,
)
from jobctl.sets.values import Axis, each
from jobctl.transfers.transfer_flags import Transfer
from jobd.wire.validation.job_spec import convert_spec

AROUND = Surroundings({}, "abc123")


def sweep(tree: dict[str, Any] | None = None, axes: tuple[str, ...] = ("x=a,b",), **flags: Any) -> SetPlan:
    return plan_sweep(Flags(**{"image": "busybox", **flags}), tree or {}, [each(one) for one in axes], AROUND)


def test_every_text_of_a_job_has_the_values() -> None:
    planned = sweep(
        axes=("x=a,b", "n=1..2"),
        image="busybox:{x}",
        command=["{x}", "--n={n}", "{{x}}", "{set}/{index}"],
        env=["X={x}"],
        labels=["x={x}-{n}"],
        meta=["m={n}"],
        inputs=["in=http://host/{x}"],
        outputs=["r/{n}=out/{x}-{n}"],
        writes=["w={x}"],
        memory="{n}g",
        set="s.1",
    )
    assert [job.id for job in planned.jobs] == ["s-1-1", "s-1-2", "s-1-3", "s-1-4"]
    spec, fetches = planned.jobs[2].plan.spec, planned.jobs[2].plan.fetches
    assert spec["image"] == "busybox:b"
    assert spec["command"] == ["b", "--n=1", "{x}", "s.1/3"]
    assert (spec["environment"], spec["labels"], spec["meta"]) == ({"X": "b"}, {"x": "b-1"}, {"m": "1"})
    assert (spec["memory"], spec["set"]) == (1024, "s.1")
    assert [artifact["in"] for artifact in spec["artifacts"]] == ["http://host/b", "b"]
    assert fetches == (Transfer("r/1", "out/b-1"),)
    assert planned.jobs[2].values == {"x": "b", "n": "1"}


def test_a_job_file_is_filled_too_and_its_numbers_are_numbers() -> None:
    tree = {
        "image": "busybox",
        "memory": "{m}",
        "cpu": "{c}",
        "command": ["{c}", {"odd": "{m}"}],
        "secrets": {"a": "{m}"},
        "callback": {"url": "http://h/{c}", "key": "{c}{z}"},
    }
    planned = sweep(tree, ("m=64,2g", "c=0.5,2"), image=None)
    specs = [job.plan.spec for job in planned.jobs]
    assert [(spec["memory"], spec["cpu"]) for spec in specs] == [(64, 0.5), (64, 2), (2048, 0.5), (2048, 2)]
    assert specs[0]["command"] == ["0.5", {"odd": "64"}]
    assert specs[0]["secrets"] == {"a": "{m}"}
    assert specs[0]["callback"] == {"url": "http://h/0.5", "key": "{c}{z}"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"command": ["{y}"]}, "placeholder {y} has no value; there are {x}, {set}, {index}"),
        ({"command": ["{index}"]}, "--each x is not used"),
        ({"command": ["{{x}}"]}, "--each x is not used"),
        ({"env": ["A={x}"], "labels": ["{y}=1"]}, "placeholder {y}"),
        ({"command": ["{x}"], "set": "a b"}, "the set's id"),
        ({"command": ["{x}"], "memory": "{x}"}, "--memory"),
    ],
)
def test_a_wrong_sweep_is_refused(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(Misuse) as refused:
        sweep(**flags)
    assert words in refused.value.message


def test_a_sweep_needs_values() -> None:
    with pytest.raises(Misuse, match="needs values"):
        sweep(axes=())


AXES = st.dictionaries(
    st.sampled_from(["lr", "seed", "file"]),
    st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4),
    min_size=1,
)


@given(AXES, st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}\Z", fullmatch=True))
def test_jobs_have_distinct_ids_that_depend_on_the_set_alone_and_each_its_values(
    values: dict[str, list[str]], name: str
) -> None:
    axes = [Axis(axis, tuple(texts), f"--each {axis}") for axis, texts in values.items()]
    flags = Flags(image="busybox", command=[f"{{{axis}}}" for axis in values], set=name)
    planned = plan_sweep(flags, {}, axes, AROUND)
    assert planned == plan_sweep(flags, {}, axes, Surroundings({}, "other1"))
    ids = [job.id for job in planned.jobs]
    assert len(set(ids)) == len(ids)
    for job in planned.jobs:
        assert job.plan.spec["command"] == [job.values[axis] for axis in values]
        if not any("\0" in text for text in job.plan.spec["command"]):
            assert convert_spec(job.plan.spec).set == name


def test_a_set_without_an_id_has_that_of_its_image() -> None:
    assert set_id(None, "registry:5000/team/tool.x:1", "abc123") == "tool-x-abc123"
    assert set_id("", None, "abc123") == "set-abc123"
    assert job_id("a.b", "train", 3) == "a-b-train-3"
    with pytest.raises(Misuse, match="must be text"):
        set_id(3, None, "")


def job(name: str, out: str) -> PlannedJob:
    return PlannedJob(Plan({"id": name}, (), (Transfer("r/x.csv", out),)), {})


def test_two_jobs_must_not_write_one_place() -> None:
    check_destinations([job("a", out="one"), job("b", out="two/"), job("c", out="two/y")])
    for first, second in (("one", "./one"), ("d/", "d/x.csv"), (".", "x.csv")):
        with pytest.raises(Misuse, match="a and b would both write"):
            check_destinations([job("a", out=first), job("b", out=second)])
    with pytest.raises(Misuse, match="stdout"):
        check_destinations([job("a", out="-")])
