"""The list of jobs goes to its end, and no more than a page of it is held."""

import json
from typing import Any

import pytest

from jobctl.errors import Misuse, NotFound
from jobctl.selection.listing import PAGE, each, filters, labelled, pages


class Paged:
    """Answers `GET /v1/jobs` from a list, and counts what is asked for."""

    def __init__(self, jobs: list[dict[str, Any]]) -> None:
        self.jobs = jobs
        self.asked: list[dict[str, Any]] = []

    def get(self, path: str, query: Any = None) -> bytes:
        self.asked.append(dict(query))
        start = int(query.get("cursor") or 0)
        end = start + int(query["limit"])
        more = {"next": str(end)} if end < len(self.jobs) else {}
        return json.dumps({"jobs": self.jobs[start:end], **more}).encode()


def jobs(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"job-{n}", "uid": f"u{n}", "status": "running", "image": "x", **more} for n in range(count)
    ]


def test_a_page_is_used_before_the_next_one_is_requested() -> None:
    client: Any = Paged(jobs(3 * PAGE + 1))
    seen = 0
    for number, (page, more) in enumerate(pages(client, {}), 1):
        assert len(client.asked) == number
        assert len(page) <= PAGE
        seen += len(page)
        assert more == (seen < len(client.jobs))
    assert seen == len(client.jobs)


@pytest.mark.parametrize(
    ("limit", "count", "more"), [(5, 9, True), (9, 9, False), (0, 450, False), (201, 450, True)]
)
def test_a_limit_ends_the_list_and_reports_whether_there_are_more_jobs(
    limit: int, count: int, more: bool
) -> None:
    client: Any = Paged(jobs(count))
    found = list(pages(client, {}, limit))
    assert sum(len(page) for page, _ in found) == (limit or count)
    assert found[-1][1] == more


def test_labels_select_the_newest_job_of_each_id() -> None:
    client: Any = Paged([*jobs(2), {"id": "job-0", "uid": "older", "status": "failed"}])
    assert [job["uid"] for job in labelled(client, ["a=b"])] == ["u1", "u0"]
    assert client.asked[0]["label"] == ["a=b"]
    assert all("image" not in job for job in labelled(client, ["a=b"]))
    nobody: Any = Paged([])
    with pytest.raises(NotFound, match="a=b"):
        labelled(nobody, ["a=b"])
    with pytest.raises(Misuse, match="KEY=VALUE"):
        labelled(nobody, ["a"])
    assert list(each(nobody, {})) == []


def test_without_all_unreadable_jobs_are_listed_with_active_ones() -> None:
    assert filters(False, [], [], False, None)["status"] == "accepted,running,unreadable"
    assert filters(False, ["running"], [], False, None)["status"] == "running"
    assert "status" not in filters(True, [], [], False, None)


@pytest.mark.parametrize("given", [[""], [","], ["running", ""], ["running,"]])
def test_an_empty_status_is_refused_and_is_not_the_same_as_no_flag(given: list[str]) -> None:
    with pytest.raises(Misuse, match="--status needs a status"):
        filters(True, given, [], False, None)
