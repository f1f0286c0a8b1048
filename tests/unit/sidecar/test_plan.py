"""The plan: order, circles, what a failure or a skip does to what depends on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.wire.artifact import JOB, Artifact, List, Read, Upload, When, Write, after_job
from sidecar.errors import Refusal
from sidecar.interrupts import WorkerEnd
from sidecar.plan import Outcome, failed, make_plan, outcome_without_run

WHENS: list[When] = ["success", "failure", "always"]
IDS = [f"a{n}" for n in range(8)]


def write(id: str, depends: str | None = None) -> Write:
    return Write(id=id, source="", out="x", depends=depends)


@st.composite
def forests(draw: st.DrawFn) -> list[Artifact]:
    """Artifacts without circles, in any order: each depends on nothing, the job, or one that was made before it."""
    made: list[Artifact] = []
    for id in IDS[: draw(st.integers(0, 8))]:
        depends = draw(st.sampled_from([None, JOB, *(a.id for a in made)]))
        if draw(st.booleans()):
            made.append(write(id, depends))
        else:
            when = draw(st.sampled_from(WHENS))
            made.append(Read(id=id, source="x", depends=depends, when=when, optional=draw(st.booleans())))
    return draw(st.permutations(made))


@given(forests())
def test_every_artifact_comes_once_and_after_its_dependency(artifacts: list[Artifact]) -> None:
    plan = make_plan(artifacts)
    order = [a.id for a in (*plan.inputs, *plan.outputs)]
    assert sorted(order) == sorted(a.id for a in artifacts)
    for artifact in artifacts:
        if artifact.depends not in (None, JOB):
            assert order.index(artifact.depends) < order.index(artifact.id)
    assert {a.id for a in plan.outputs} == after_job(artifacts)


@given(st.lists(st.sampled_from(IDS[:5]), min_size=5, max_size=5))
def test_only_a_circle_of_dependencies_is_refused(depends: list[str]) -> None:
    artifacts: list[Artifact] = [write(id, on) for id, on in zip(IDS, depends, strict=False)]
    # Everything depends on something and nothing on the job: there is always a circle.
    with pytest.raises(Refusal, match="depends on itself"):
        make_plan(artifacts)


def test_independent_artifacts_keep_the_order_of_the_spec() -> None:
    plan = make_plan([write("c"), write("a"), write("b", "c")])
    assert [a.id for a in plan.inputs] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        ([write("a"), write("a")], "'a' is given twice"),
        ([write("a", "b")], "'b', which does not exist"),
        ([write("job")], "cannot be called 'job'"),
        ([write("a", "a")], "a -> a"),
    ],
)
def test_refusals_name_the_field(artifacts: list[Artifact], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        make_plan(artifacts)


@given(forests(), st.sampled_from(["success", "failure"]), st.data())
def test_outcomes_follow_from_what_came_before(
    artifacts: list[Artifact], end: WorkerEnd, data: st.DataObject
) -> None:
    """Whatever moves well or badly: dependents of a failure fail, dependents of a skip or a forgiven failure are skipped."""
    outputs = make_plan(artifacts).outputs
    outcomes: dict[str, Outcome] = {}
    for artifact in outputs:
        decided = outcome_without_run(artifact, outcomes, worker_end=end)
        cause = outcomes.get(artifact.depends or "")
        if cause is not None and cause.status == "failed" and not cause.forgiven:
            assert decided is not None
            assert decided.status == "failed"
            assert repr(artifact.depends) in decided.why
        elif cause is not None and cause.status != "success":
            assert decided is not None
            assert decided.status == "skipped"
        elif isinstance(artifact, Read):
            assert (decided is None) == (artifact.when in ("always", end))
        else:
            assert (decided is None) == (end == "success")
        moved = failed(artifact, "broken") if data.draw(st.booleans()) else Outcome("success")
        outcomes[artifact.id] = decided or moved
    for artifact in outputs:
        outcome = outcomes[artifact.id]
        assert outcome.forgiven == (
            outcome.status == "failed" and isinstance(artifact, Read) and artifact.optional
        )


def test_a_chain_of_failures_names_its_first_cause_once() -> None:
    a, b, c = write("a"), write("b", "a"), write("c", "b")
    outcomes = {"a": Outcome("failed", "no space left")}
    outcomes["b"] = outcome_without_run(b, outcomes) or Outcome("success")
    third = outcome_without_run(c, outcomes)
    assert third is not None
    assert third.why == "depends on 'b', which failed: no space left"
    assert outcome_without_run(a, {}) is None


def test_after_a_failed_input_the_independent_ones_are_skipped() -> None:
    outcomes = {"a": Outcome("failed", "gone")}
    independent = outcome_without_run(write("b"), outcomes, failed_input="a")
    dependent = outcome_without_run(write("c", "a"), outcomes, failed_input="a")
    assert independent is not None
    assert (independent.status, dependent and dependent.status) == ("skipped", "failed")


def test_a_skipped_artifact_has_a_reason() -> None:
    upload = Upload(id="u", source="x", out="http://x/", depends=JOB, when="failure")
    skipped = outcome_without_run(upload, {}, worker_end="success")
    assert skipped == Outcome("skipped", "runs on failure only, and the job succeeded")
    listing = outcome_without_run(List(id="l", source=".", depends=JOB), {}, worker_end="failure")
    assert listing == Outcome("skipped", "runs on success only, and the job failed")
