"""`--in PATH=job:ID/PATH`: what is taken for an id, a path, a local file; and what the daemon then accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.transfers.transfer_flags import Transfer, job_source, parse_transfers
from jobd.wire.files.filenames import escape
from jobd.wire.files.paths import path_flaw
from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.job_spec import convert_spec

IDS = st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9_-]{0,127}\Z")
NAMES = st.binary(min_size=1, max_size=40).filter(lambda b: b"/" not in b and b"\0" not in b).map(escape)
PATHS = st.lists(NAMES.filter(lambda name: name != ".."), min_size=1, max_size=4).map("/".join)


@given(job_id=IDS, path=PATHS)
def test_every_id_and_path_come_back_and_are_accepted(job_id: str, path: str) -> None:
    assert job_source("data", f"job:{job_id}/{path}") == (job_id, path)
    (artifact,) = parse_transfers([], [f"data=job:{job_id}/{path}"], [], [], []).artifacts
    convert_spec({"id": "new-" + job_id[:100], "image": "b", "artifacts": [artifact]})
    assert artifact == {"id": "in-1", "type": "job", "job": job_id, "in": path, "out": "data"}


@given(text=st.text(max_size=60))
def test_any_text_is_refused_with_a_hint_or_becomes_an_artifact(text: str) -> None:
    try:
        (artifact,) = parse_transfers([], [f"data=job:{text}"], [], [], []).artifacts
    except Misuse as refused:
        hint, fields = refused.hint, {"artifacts"}
    else:
        assert path_flaw(artifact["in"]) is None
        assert "/" not in artifact["job"]
        hint, fields = "", set(refused_fields(artifact))
    assert hint is not None
    assert fields <= {"artifacts", "artifacts[0].job", "artifacts[0].in"}


def refused_fields(artifact: dict[str, str]) -> list[str]:
    try:
        convert_spec({"id": "new", "image": "b", "artifacts": [artifact]})
    except InvalidSpec as error:
        return [problem.field for problem in error.problems]
    return []


@pytest.mark.parametrize("source", ["job:a", "job:a/", "job:a/."])
def test_without_a_path_the_whole_workspace_is_meant(source: str) -> None:
    assert job_source("data", source) == ("a", ".")


def test_last_is_an_id_for_jobctl() -> None:
    assert job_source("data", "job:@last/results/a b") == ("@last", "results/a b")


@pytest.mark.parametrize(
    "source", ["job:", "job:/x", "job:a//x", "job:a/../b", "job:a/x/../../y", "job:a/x\0"]
)
def test_no_id_and_no_path_inside_are_refused(source: str) -> None:
    with pytest.raises(Misuse, match="--in data=job:") as caught:
        job_source("data", source)
    assert caught.value.hint


@pytest.mark.parametrize("local", ["./job:a/x", "jobs", "job", "Job:a"])
def test_other_sources_are_local_files(local: str) -> None:
    assert parse_transfers([], [f"data={local}"], [], [], []).uploads == (Transfer("data", local),)
