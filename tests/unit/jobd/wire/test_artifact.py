"""The artifacts that run after the job, and the completeness of the table of kinds."""

from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.artifact import JOB, KINDS, Artifact, Read, after_job, kind_of


def test_the_table_of_kinds_names_each_kind_of_the_union_by_its_type() -> None:
    assert set(KINDS.values()) == set(get_args(Artifact))
    assert {name: cls.__struct_config__.tag for name, cls in KINDS.items()} == {name: name for name in KINDS}
    assert kind_of(Read(id="a", source="x")) == "read"


def test_what_depends_on_the_job_directly_or_through_others_runs_after_it() -> None:
    artifacts: list[Artifact] = [
        Read(id="late", source="x", depends="later"),
        Read(id="later", source="x", depends=JOB),
        Read(id="first", source="x"),
        Read(id="second", source="x", depends="first"),
    ]
    assert after_job(artifacts) == {"late", "later"}
    assert after_job([]) == frozenset()


NAMES = ("a", "b", "c", "d", "e", "f")


def reaches_the_job(name: str, depends: dict[str, str | None]) -> bool:
    """A slow reference: follows as many steps as there are artifacts."""
    at: str | None = name
    for _ in range(len(depends) + 1):
        if at == JOB:
            return True
        at = depends.get(at) if at is not None else None
    return False


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.none() | st.sampled_from([*NAMES, JOB, "unknown"])))
def test_after_job_equals_a_walk_from_each_artifact_even_with_cycles(depends: dict[str, str | None]) -> None:
    artifacts: list[Artifact] = [Read(id=name, source="x", depends=on) for name, on in depends.items()]
    assert after_job(artifacts) == {name for name in depends if reaches_the_job(name, depends)}
