"""Short random walks of the state machine through any order of facts; the fault tests run longer walks."""

from pathlib import Path
from typing import get_args

from hypothesis import settings

from jobd.jobs.state import facts
from tests.support.models import job_engine_rules, job_facts, job_inputs, job_life, job_pauses, job_turns


class ShortLife(job_life.Life):
    """A separate class, because settings belong to a class."""


TestLife = ShortLife.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


class ShortRepetition(job_life.Life):
    """A job that repeats the outputs of an earlier one."""

    repeats = True


TestRepetition = ShortRepetition.TestCase
TestRepetition.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


def test_every_fact_is_drawn() -> None:
    text = "".join(
        Path(str(module.__file__)).read_text()
        for module in (job_engine_rules, job_facts, job_inputs, job_life, job_pauses, job_turns)
    )
    assert [fact.__name__ for fact in get_args(facts.Fact) if f"facts.{fact.__name__}(" not in text] == []
