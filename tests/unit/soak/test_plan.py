"""The plan of a soak depends only on its seed; each kind makes a valid job, except the invalid ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.job_spec import convert_spec
from tests.soak.kinds import Addresses, make
from tests.soak.plan import FAULTS, KINDS, RECEIVERS, PlannedJob, make_plan

AT = Addresses(
    1234, "/folder", {name: f"http://127.0.0.1:{n}/" for n, name in enumerate(RECEIVERS, 1)}, (8080,)
)


def planned(kind: str, value: int) -> PlannedJob:
    return PlannedJob(0.0, 1, kind, value, "good", False, 0, "", None)


@given(seed=st.integers(0, 1 << 32))
def test_a_seed_gives_one_plan_and_a_longer_one_begins_the_same(seed: int) -> None:
    short, long = make_plan(seed, 20), make_plan(seed, 40)
    assert short == make_plan(seed, 20)
    assert long.jobs[: len(short.jobs)] == short.jobs
    assert long.faults[: len(short.faults)] == short.faults
    assert all(job.at_s < 20 for job in short.jobs)


def test_another_seed_gives_another_plan() -> None:
    assert make_plan(1, 60).jobs != make_plan(2, 60).jobs
    assert make_plan(1, 60).faults != make_plan(2, 60).faults


@settings(max_examples=30)
@given(seed=st.integers(0, 1 << 32))
def test_every_fault_occurs_before_any_is_repeated(seed: int) -> None:
    kinds = [fault.kind for fault in make_plan(seed, 200).faults]
    assert len(set(kinds[: len(FAULTS)])) == min(len(kinds), len(FAULTS))


def test_without_its_own_disk_the_plan_does_not_fill_the_disk() -> None:
    kinds = {fault.kind for fault in make_plan(1, 600, can_fill_disk=False).faults}
    assert kinds == set(FAULTS) - {"disk-full"}


def test_half_an_hour_has_every_kind_and_receiver() -> None:
    jobs = make_plan(1, 1800).jobs
    assert {job.kind for job in jobs} == set(KINDS)
    assert {job.receiver for job in jobs} == set(RECEIVERS)
    assert {job.action.doing for job in jobs if job.action} == {"cancel", "delete", "both"}


@given(kind=st.sampled_from(sorted(KINDS)), value=st.integers(0, (1 << 16) - 1))
def test_each_kind_makes_a_valid_job_or_an_expected_refusal(kind: str, value: int) -> None:
    made = make(planned(kind, value), "soak-1", AT)
    if made.valid:
        assert convert_spec(made.spec).id == "soak-1"
    else:
        with pytest.raises(InvalidSpec) as caught:
            convert_spec(made.spec)
        assert caught.value.problems[0].field
