"""Captured bodies of clients in Go, JavaScript and Python are accepted and mean the same as the smallest body."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jobd.wire.validation.job_spec import decode_spec
from tests.support.daemon import Daemon
from tests.support.wire import multipart

BODIES = sorted((Path(__file__).parent / "bodies").glob("*.json"))
AGAIN = {"Idempotency-Key": "any"}


def sent(path: Path, job_id: str) -> bytes:
    """The captured bytes with a free id and no other change."""
    captured = path.read_bytes()
    assert captured.count(b'"captured"') == 1
    return captured.replace(b'"captured"', f'"{job_id}"'.encode())


def plain(tree: Any) -> Any:
    """The same body without null, 0 or empty values."""
    if isinstance(tree, dict):
        return {name: plain(value) for name, value in tree.items() if value not in (None, 0, "", {})}
    return [plain(item) for item in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_bodies_of_real_clients_are_accepted(lonely: Daemon, job_id: str, path: Path) -> None:
    body = sent(path, job_id)
    checked = lonely.call("POST", "/v1/jobs?dryRun=1", body)
    assert (checked.status, checked.json) == (200, {"valid": True})
    answer = lonely.call("POST", "/v1/jobs", body)
    assert answer.status == 202, answer.body
    # Sent again as multipart, it is the same spec.
    parts, headers = multipart(("spec", body))
    again = lonely.call("POST", "/v1/jobs", parts, {**headers, **AGAIN})
    assert (again.status, again.json["uid"]) == (200, answer.json["uid"])


@pytest.mark.parametrize(
    "path", [path for path in BODIES if path.stem not in ("go-empty-callback", "javascript-nested")], ids=lambda path: path.stem
)  # fmt: skip
def test_two_notations_of_one_job_are_equal(lonely: Daemon, job_id: str, path: Path) -> None:
    body = sent(path, job_id)
    uid = lonely.call("POST", "/v1/jobs", body).json["uid"]
    other = plain(json.loads(body))
    assert "null" not in json.dumps(other)
    again = lonely.call("POST", "/v1/jobs", other, AGAIN)
    assert (again.status, again.json["uid"]) == (200, uid), again.body
    view = lonely.call("GET", f"/v1/jobs/{job_id}").json
    spec = decode_spec(json.dumps(other).encode())
    assert view["limits"] == {
        "cpu": spec.cpu, "memory": spec.memory, "pids": 4096, "timeoutSeconds": spec.timeout_seconds,
    }  # fmt: skip


def test_a_load_of_jobs_from_a_go_client_is_accepted_whole(lonely: Daemon) -> None:
    path = next(path for path in BODIES if path.stem == "go-callback")
    ids = [f"load-{uuid.uuid4().hex}" for _ in range(50)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda job_id: lonely.call("POST", "/v1/jobs", sent(path, job_id)), ids))
    assert [answer.status for answer in answers] == [202] * 50


@pytest.mark.parametrize("field", ["zzz", "Image", "callback.secret", "artifacts[0].path"])
def test_an_unknown_field_is_refused_also_as_null(lonely: Daemon, job_id: str, field: str) -> None:
    spec: dict[str, Any] = {
        "id": job_id,
        "image": "busybox",
        "meta": None,
        "callback": {"url": "http://127.0.0.1:9/"},
        "artifacts": [{"id": "a", "type": "read", "in": "x"}],
    }
    place = (
        spec["callback"] if "callback" in field else spec["artifacts"][0] if "artifacts" in field else spec
    )
    place[field.rpartition(".")[2]] = None
    answer = lonely.call("POST", "/v1/jobs", spec)
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "invalid-spec", field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"image": None}, "image"),
        ({"artifacts": [None]}, "artifacts[0].type"),
        ({"artifacts": [{"id": "a", "type": "read", "in": None}]}, "artifacts[0].in"),
    ],
)
def test_null_for_a_required_field_means_missing(
    lonely: Daemon, job_id: str, change: dict[str, Any], field: str
) -> None:
    answer = lonely.call("POST", "/v1/jobs", {"id": job_id, "image": "busybox", **change})
    assert (answer.status, answer.json["field"]) == (400, field)
    assert answer.json["error"] == f"{field}: is required"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ('"image":"other"', "image"),
        ('"meta":{"k":"1","k":"2"}', "meta.k"),
        ('"meta":null,"meta":null', "meta"),
        ('"artifacts":[{"id":"a","type":"read","in":"x","in":"y"}]', "artifacts[0].in"),
        ('"callback":{"url":"http://127.0.0.1:9/","key":"k","key":"l"}', "callback.key"),
    ],
)
def test_a_duplicate_name_is_refused_with_its_path(
    lonely: Daemon, job_id: str, more: str, field: str
) -> None:
    body = f'{{"id":"{job_id}","image":"busybox",{more}}}'.encode()
    parts, headers = multipart(("spec", body))
    for answer in (lonely.call("POST", "/v1/jobs", body), lonely.call("POST", "/v1/jobs", parts, headers)):
        assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "invalid-spec", field)
        assert answer.json["error"].startswith(f"{field}: appears twice")
    assert lonely.call("GET", f"/v1/jobs/{job_id}").status == 404


def test_a_cancel_accepts_nulls_and_refuses_a_duplicate_name(lonely: Daemon, job_id: str) -> None:
    lonely.submit(id=job_id, image="busybox")
    path = f"/v1/jobs/{job_id}/cancel"
    twice = lonely.call("POST", path, b'{"by":"a","by":"b"}')
    assert (twice.status, twice.json["code"], twice.json["field"]) == (400, "invalid-request", "by")
    unknown = lonely.call("POST", path, {"signal": None, "why": None})
    assert (unknown.status, unknown.json["field"]) == (400, "why")
    nulls = {"by": None, "reason": None, "signal": None, "graceSeconds": None}
    assert lonely.call("POST", path, nulls).status == 202
    assert "cancelReason" not in lonely.ended(job_id)
