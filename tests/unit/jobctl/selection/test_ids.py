"""What a person types for a job: a beginning will do to look at one, and never to end or remove one."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Conflict, Misuse, NotFound
from jobctl.selection.ids import LAST, find, find_each, find_whole, select_jobs_or_sets, select_whole_or_sets

ids = st.text("ab-", min_size=1, max_size=4)


class Listed:
    """Answers from a list of jobs, newest first."""

    def __init__(self, names: list[str]) -> None:
        self.jobs = [{"id": name, "uid": f"u{n}", "status": "running"} for n, name in enumerate(names)]

    def get(self, path: str, query: Any = None) -> bytes:
        name = unquote(path.removeprefix("/v1/jobs").removeprefix("/"))
        if name:
            found = next((job for job in self.jobs if job["id"] == name), None)
            if found is None:
                raise NotFound(f"no job {name!r}")
            return json.dumps(found).encode()
        fits = [job for job in self.jobs if job["id"].startswith(query.get("prefix", ""))]
        return json.dumps({"jobs": fits[: int(query["limit"])]}).encode()


@given(st.lists(ids, max_size=6), st.lists(ids, min_size=1, max_size=4))
def test_commands_that_destroy_need_whole_ids(names: list[str], typed: list[str]) -> None:
    client: Any = Listed(names)
    begins = [text for text in typed if text not in names and any(name.startswith(text) for name in names)]
    if begins:
        with pytest.raises(NotFound, match="no job was changed"):
            find_whole(client, typed)
        return
    found, errors = find_whole(client, typed)
    assert [job["id"] for job in found] == [text for text in dict.fromkeys(typed) if text in names]
    assert len(errors) == len({text for text in typed if text not in names})


@given(st.lists(ids, min_size=1, max_size=6), ids)
def test_a_unique_prefix_names_a_job(names: list[str], text: str) -> None:
    client: Any = Listed(names)
    fits = {name for name in names if name.startswith(text)}
    if text in names:
        assert find(client, text)["id"] == text
    elif len(fits) == 1:
        assert find(client, text)["id"] == fits.pop()
    else:
        with pytest.raises(Conflict if fits else NotFound):
            find(client, text)


def test_a_reused_id_names_the_newest_job() -> None:
    client: Any = Listed(["nightly", "other", "nightly"])
    assert find(client, "night")["uid"] == "u0"


def test_the_newest_job_and_missing_jobs() -> None:
    client: Any = Listed(["b", "a"])
    assert find_whole(client, [LAST])[0][0]["id"] == "b"
    found, errors = find_each(client, ["a", "none", "b"])
    assert ([job["id"] for job in found], [str(error) for error in errors]) == (["a", "b"], ["no job 'none'"])
    with pytest.raises(Misuse, match="empty"):
        find_each(client, [""])
    with pytest.raises(Misuse, match="no job given"):
        select_jobs_or_sets(client, [], [], None)
    with pytest.raises(Misuse, match="either ids or --label"):
        select_whole_or_sets(client, ["a"], ["x=y"], None)
    for choose in (select_jobs_or_sets, select_whole_or_sets):
        with pytest.raises(Misuse, match="either ids, --label or --set"):
            choose(client, ["a"], None, "s")
        with pytest.raises(Misuse, match="--set needs"):
            choose(client, None, None, "")
