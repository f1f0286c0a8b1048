"""A job file with several jobs: order, circles, unknown names, matrices; every problem has its field."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.job.requests.submission import Source
from jobctl.job.spec.file_check import check_file
from jobctl.job.spec.plan import Flags
from jobctl.sets.document import has_several, read_document
from jobctl.sets.document_plan import plan_document
from jobctl.sets.planning import SetPlan, Surroundings

AROUND = Surroundings({}, "abc123")
JOB = {"image": "busybox"}


def plan(tree: dict[str, Any], **flags: Any) -> SetPlan:
    return plan_document(Flags(**flags), Source("f.yaml", ""), tree, AROUND)


def problems(tree: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in check_file(tree).problems]


def test_jobs_come_after_those_that_they_wait_for() -> None:
    tree = {
        "jobs": {
            "report": {**JOB, "after": ["train:any", "split"]},
            "train": {
                **JOB,
                "after": "split",
                "matrix": {"n": "1..2"},
                "command": ["{n}", "{index}", "{set}"],
            },
            "split": {**JOB, "command": ["${HOME}", "{n}"]},
        }
    }
    planned = plan(tree, set="s", env=["A=1"])
    assert [job.id for job in planned.jobs] == ["s-split", "s-train-1", "s-train-2", "s-report"]
    split, train, _, report = (job.plan.spec for job in planned.jobs)
    assert split["command"] == ["${HOME}", "{n}"], "a job without a matrix has no placeholders"
    assert (train["command"], train["after"]) == (["1", "1", "s"], [{"job": "s-split", "on": "completed"}])
    assert report["after"] == [
        {"job": "s-train-1", "on": "any"},
        {"job": "s-train-2", "on": "any"},
        {"job": "s-split", "on": "completed"},
    ]
    assert all(job.plan.spec["environment"] == {"A": "1"} for job in planned.jobs)
    assert {job.plan.spec["set"] for job in planned.jobs} == {"s"}


def test_a_daemon_checks_the_jobs_without_the_files_of_jobs_that_do_not_exist_yet() -> None:
    checked = check_file({"jobs": {"a": JOB, "b": {**JOB, "artifacts": taking("a", "earlier-1")}}})
    assert checked.problems == []
    assert checked.jobs[1].tree["artifacts"] == [
        {"id": "f0", "type": "write", "in": "", "out": "x0"},
        {"id": "f1", "type": "job", "job": "earlier-1", "in": "x", "out": "x1"},
    ]


def taking(*names: str) -> list[dict[str, Any]]:
    return [
        {"id": f"f{n}", "type": "job", "job": name, "in": "x", "out": f"x{n}"} for n, name in enumerate(names)
    ]


def test_an_artifact_names_a_job_of_the_file_or_the_id_of_an_earlier_one() -> None:
    shared = taking("a", "elsewhere")
    tree = {
        "jobs": {
            "c": {**JOB, "artifacts": shared, "matrix": {"n": [1, 2]}, "command": ["{n}"]},
            "b": {**JOB, "artifacts": shared},
            "a": dict(JOB),
        }
    }
    assert problems(tree) == []
    for name in ("s", "t"):
        planned = plan(tree, set=name)
        assert [job.id for job in planned.jobs] == [f"{name}-a", f"{name}-c-1", f"{name}-c-2", f"{name}-b"]
        for job in planned.jobs[1:]:
            assert [each["job"] for each in job.plan.spec["artifacts"]] == [f"{name}-a", "elsewhere"]
            assert "after" not in job.plan.spec


@pytest.mark.parametrize(
    ("jobs", "field", "words"),
    [
        ({"a": {**JOB, "artifacts": taking("a")}}, "jobs.a.artifacts[0].job", "its own files"),
        (
            {"a": {**JOB, "artifacts": taking("b")}, "b": {**JOB, "after": ["a"]}},
            "jobs.a.artifacts",
            "wait for each other: a -> b -> a",
        ),
        (
            {
                "a": {**JOB, "artifacts": taking("x", "b")},
                "b": {**JOB, "matrix": {"n": "1..2"}, "command": "{n}"},
            },
            "jobs.a.artifacts[1].job",
            "'b' has a matrix",
        ),
    ],
)
def test_files_of_a_job_of_the_file_that_cannot_be_taken(
    jobs: dict[str, Any], field: str, words: str
) -> None:
    found = problems({"jobs": jobs})
    assert [name for name, _ in found] == [field]
    assert words in found[0][1]
    with pytest.raises(Misuse):
        plan({"jobs": jobs})


def test_a_file_of_one_job_may_have_a_matrix_and_its_own_set() -> None:
    tree = {
        **JOB,
        "set": "mine",
        "matrix": {"lr": [0.1, 1e-5], "fast": [True]},
        "command": "{lr} {fast}",
        "cpu": "{lr}",
    }
    planned = plan(tree)
    assert [(job.id, job.plan.spec["command"]) for job in planned.jobs] == [
        ("mine-1", "0.1 true"),
        ("mine-2", "1e-05 true"),
    ]
    assert planned.jobs[0].plan.spec["cpu"] == 0.1
    assert [job.id for job in plan(tree, set="other").jobs] == ["other-1", "other-2"]
    assert plan({"jobs": {"a": JOB}}).id == "busybox-abc123"


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"jobs": {}}, [("jobs", "must be a mapping of names to jobs")]),
        ({"jobs": {"a": JOB}, "image": "x"}, [("image", "is a field of one job")]),
        ({"jobs": {"a": JOB}, "x-common": 1}, []),
        ({"jobs": {"a": JOB}, "set": "a b"}, [("set", "the set's id must start")]),
        ({"jobs": {"a": JOB}, "set": 3}, [("set", "must be text")]),
        (
            {"jobs": {"a": {**JOB, "matrix": {"n": "1..3"}, "command": "{n}"}, "a-3": JOB}},
            [("jobs.a-3", "a and a-3 would both have the id SET-a-3")],
        ),
        ({"jobs": {"a b": JOB}}, [("jobs.a b", "a job's name")]),
        ({"jobs": {"a": 3}}, [("jobs.a", "must be a mapping of fields")]),
        ({"jobs": {"a": {**JOB, "id": "x"}}}, [("jobs.a.id", "is not a field of a job of several")]),
        ({"jobs": {"a": {**JOB, "after": ["b"]}}}, [("jobs.a.after[0]", "no job 'b' in this file; its jobs are a")]),
        ({"jobs": {"a": {**JOB, "after": ["a"]}}}, [("jobs.a.after[0]", "cannot wait for itself")]),
        ({"jobs": {"a": {**JOB, "after": ["b", "b"]}, "b": JOB}}, [("jobs.a.after[1]", "'b' is listed twice")]),
        ({"jobs": {"a": {**JOB, "after": ["b:never"]}, "b": JOB}}, [("jobs.a.after[0]", "NAME:any")]),
        (
            {"jobs": {"a": {**JOB, "after": ["c"]}, "b": {**JOB, "after": ["a"]}, "c": {**JOB, "after": ["b"]}}},
            [("jobs.a.after", "the jobs wait for each other: a -> c -> b -> a")],
        ),
        ({"jobs": {"a": {**JOB, "matrix": {"n": []}}}}, [("jobs.a.matrix.n", "must be a list of values")]),
        ({"jobs": {"a": {**JOB, "matrix": {"n": [1]}}}}, [("jobs.a.matrix", "is not used")]),
        (
            {"jobs": {"a": {**JOB, "matrix": {"n": [1]}, "command": "{n}{m}"}}},
            [("jobs.a.matrix", "{m} has no value; there are {n}, {set}, {index}")],
        ),
        ({**JOB, "matrix": {"n": [[1]]}, "command": "{n}"}, [("matrix.n[0]", "must be a text or a number")]),
        (
            {"jobs": {"a": {**JOB, "memory": "x", "matrix": {"n": [1, 2]}, "command": "{n}"}, "b": {"cpu": 1}}},
            [("jobs.a.memory", "is not an amount of memory"), ("jobs.b.image", "")],
        ),
        (
            {"jobs": {"a": {**JOB, "matrix": {"n": "1..65"}, "command": "{n}"}, "b": {**JOB, "after": "a"}}},
            [("jobs.b.after", "waits for 65 jobs; a job can wait for at most 64")],
        ),
    ],
)  # fmt: skip
def test_each_problem_is_found_with_its_field_and_nothing_is_planned(
    tree: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    said = problems(tree)
    assert [field for field, _ in said] == [field for field, _ in found]
    for (_, message), (_, words) in zip(said, found, strict=True):
        assert words in message
    if found:
        with pytest.raises(Misuse):
            plan(tree)
    else:
        assert plan(tree).jobs


@pytest.mark.parametrize(
    "flags", [{"image": "x"}, {"shell": "x"}, {"name": "x"}, {"after": ["x"]}, {"entrypoint": "x"}]
)
def test_flags_of_one_job_are_refused_beside_several(flags: dict[str, Any]) -> None:
    with pytest.raises(Misuse, match="is about one job"):
        plan({"jobs": {"a": JOB}}, **flags)
    with pytest.raises(Misuse, match="is about one job"):
        plan({**JOB, "matrix": {"n": [1]}, "command": "{n}"}, **flags)


def test_an_error_has_its_line() -> None:
    text = "jobs:\n  a:\n    image: busybox\n    memory: x\n"
    source = Source("f.yaml", text)
    assert source.has_several
    with pytest.raises(Misuse, match=r"f.yaml:4:5: jobs.a.memory: 'x' is not an amount"):
        plan_document(Flags(), source, source.written, AROUND)


NAMES = st.sampled_from([f"j{n}" for n in range(8)])
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, max_size=3, unique=True), min_size=1)


@given(GRAPHS)
def test_any_graph_is_ordered_or_its_circle_is_named(graph: dict[str, list[str]]) -> None:
    known = {
        name: [other for other in others if other in graph and other != name]
        for name, others in graph.items()
    }
    document = read_document({"jobs": {name: {**JOB, "after": others} for name, others in known.items()}})
    done: set[str] = set()
    while ready := [name for name in known if name not in done and done.issuperset(known[name])]:
        done.update(ready)
    if len(done) == len(known):
        assert document.problems == ()
        places = {entry.name: place for place, entry in enumerate(document.entries)}
        assert sorted(places) == sorted(known)
        assert all(places[other] < places[name] for name, others in known.items() for other in others)
    else:
        (problem,) = document.problems
        circle = problem.message.partition(": ")[2].split(" -> ")
        assert len(circle) > 2
        assert circle[0] == circle[-1]
        assert all(after in known[name] for name, after in itertools.pairwise(circle))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "jobs", "after", "matrix", "image", "n", "on", "job"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(JSON, JSON)
def test_no_tree_crashes_the_check_or_the_plan(jobs: Any, matrix: Any) -> None:
    for tree in (
        {"jobs": jobs},
        {"jobs": {"a": jobs, "b": {**JOB, "after": matrix}}},
        {**JOB, "matrix": matrix},
    ):
        assert has_several(tree)
        found = problems(tree)
        try:
            planned = plan(tree)
        except Misuse:
            continue
        assert planned.jobs
        if found:
            assert all("matrix" not in field for field, _ in found)
