"""The endpoints of jobs that need no engine: list, show, cancel, delete; unknown paths and methods; the OpenAPI document."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest

from jobd.api.openapi import document as made_document
from jobd.api.routes import ROUTES
from jobd.health.about import VERSION
from jobd.wire.job_file_schema import job_file_schema
from tests.support.daemon import Daemon
from tests.support.wire import exchange, head, over_unix

CALLS = [(route.method, route.path) for route in ROUTES]


def ids(daemon: Daemon, query: str) -> list[str]:
    answer = daemon.call("GET", f"/v1/jobs?{query}")
    assert answer.status == 200, answer.body
    return [job["id"] for job in answer.json["jobs"]]


@pytest.fixture(scope="module")
def crowd(lonely: Daemon) -> list[str]:
    """Seven jobs, oldest first; the odd ones are cancelled."""
    names = [f"crowd-{number}" for number in range(7)]
    for number, name in enumerate(names):
        labels = {"parity": "odd" if number % 2 else "even", "third": str(number % 3)}
        lonely.submit(id=name, image="busybox", labels=labels)
        if number % 2:
            assert lonely.call("POST", f"/v1/jobs/{name}/cancel").status == 202
            assert lonely.ended(name)["reason"] == "cancelled"
    return names


def test_the_list_is_newest_first_and_applies_every_filter(lonely: Daemon, crowd: list[str]) -> None:
    newest = list(reversed(crowd))
    assert ids(lonely, "prefix=crowd-") == newest
    assert ids(lonely, "prefix=crowd-3") == ["crowd-3"]
    assert ids(lonely, "prefix=crowd-&status=cancelled") == [n for n in newest if int(n[-1]) % 2]
    assert ids(lonely, "prefix=crowd-&status=cancelled,accepted") == newest
    assert ids(lonely, "prefix=crowd-&label=parity%3Deven") == [n for n in newest if int(n[-1]) % 2 == 0]
    assert ids(lonely, "prefix=crowd-&label=parity%3Deven&label=third%3D0") == ["crowd-6", "crowd-0"]
    assert ids(lonely, "label=parity%3Dneither") == []
    assert ids(lonely, "prefix=crowd_") == []


def test_since_selects_by_the_time_of_submission(lonely: Daemon, crowd: list[str]) -> None:
    created = lonely.call("GET", "/v1/jobs/crowd-4").json["createdAt"]
    assert ids(lonely, f"prefix=crowd-&since={quote(created)}") == ["crowd-6", "crowd-5", "crowd-4"]
    assert ids(lonely, f"since={quote('2999-01-01T00:00:00+02:00')}") == []
    assert datetime.fromisoformat(created).tzinfo == UTC


def test_pages_are_complete_without_duplicates(lonely: Daemon, crowd: list[str]) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = lonely.call("GET", f"/v1/jobs?prefix=crowd-&limit=3{cursor}").json
        assert len(page["jobs"]) <= 3
        found += [job["id"] for job in page["jobs"]]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"
    assert found == list(reversed(crowd))


def test_the_owner_is_the_user_of_the_unix_socket(lonely: Daemon, job_id: str) -> None:
    spec = json.dumps({"id": job_id, "image": "busybox"}).encode()
    assert over_unix(lonely.socket, "POST", "/v1/jobs", spec).status == 202
    owner = lonely.call("GET", f"/v1/jobs/{job_id}").json["owner"]
    assert job_id in ids(lonely, f"owner={quote(owner)}&prefix={job_id}")
    assert over_unix(lonely.socket, "GET", "/v1/jobs?owner=me").json["jobs"][0]["id"] == job_id
    assert ids(lonely, "owner=me") == []  # over TCP there is no user
    assert ids(lonely, "owner=nobody-here") == []
    assert over_unix(lonely.socket, "POST", f"/v1/jobs/{job_id}/cancel").status == 202
    assert lonely.ended(job_id)["cancelledBy"] == owner


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("status=completed,", "status"),
        ("label=nothing", "label"),
        ("label=%3Dx", "label"),
        ("since=yesterday", "since"),
        ("since=2030-01-01T00:00:00", "since"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=x", "cursor"),
        ("prefix=%00", "prefix"),
        ("colour=blue", "colour"),
    ],
)
def test_a_wrong_or_unknown_parameter_is_named(lonely: Daemon, query: str, field: str) -> None:
    answer = lonely.call("GET", f"/v1/jobs?{query}")
    assert (answer.status, answer.json["code"], answer.json["field"]) == (400, "invalid-request", field)


def test_the_list_is_present_when_it_is_empty(lonely: Daemon) -> None:
    assert lonely.call("GET", "/v1/jobs?prefix=no-such").json == {"jobs": []}


def test_a_cancel_needs_no_body_and_is_recorded_once(lonely: Daemon, job_id: str) -> None:
    lonely.submit(id=job_id, image="busybox")
    for body, field in (
        ({"graceSeconds": -1}, "graceSeconds"),
        ({"graceSeconds": 3601}, "graceSeconds"),
        ({"by": ""}, "by"),
        ({"who": "me"}, "who"),
    ):
        answer = lonely.call("POST", f"/v1/jobs/{job_id}/cancel", body)
        assert (answer.status, answer.json["field"]) == (400, field)
    assert lonely.call("GET", f"/v1/jobs/{job_id}").json["status"] == "accepted"
    answer = lonely.call("POST", f"/v1/jobs/{job_id}/cancel", {"by": "a test", "graceSeconds": 1})
    assert (answer.status, answer.json["id"]) == (202, job_id)
    view = lonely.ended(job_id)
    assert (view["status"], view["reason"], view["cancelledBy"]) == ("cancelled", "cancelled", "a test")
    again = lonely.call("POST", f"/v1/jobs/{job_id}/cancel")
    assert (again.status, again.json["code"]) == (409, "ended")


def test_a_deleted_job_is_gone_at_once_but_its_id_is_free_only_after_the_cleanup(
    lonely: Daemon, job_id: str
) -> None:
    spec = {"id": job_id, "image": "busybox"}
    lonely.submit(**spec)
    answer = lonely.call("DELETE", f"/v1/jobs/{job_id}")
    assert (answer.status, answer.body) == (204, b"")
    for method, path in (
        ("GET", f"/v1/jobs/{job_id}"),
        ("DELETE", f"/v1/jobs/{job_id}"),
        ("POST", f"/v1/jobs/{job_id}/cancel"),
        ("GET", f"/v1/jobs/{job_id}/logs"),
        ("GET", f"/v1/jobs/{job_id}/files"),
        ("GET", f"/v1/jobs/{job_id}/deliveries"),
        ("GET", f"/v1/events?job={job_id}"),
    ):
        answer = lonely.call(method, path)
        assert (answer.status, answer.json["code"]) == (404, "not-found"), (method, path)
    assert ids(lonely, f"prefix={job_id}") == []
    # Without the engine the cleanup cannot have ended.
    again = lonely.call("POST", "/v1/jobs", spec, {"Idempotency-Key": "x"})
    assert (again.status, again.json["code"]) == (409, "deleting")


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/jobs", "/v1/jobs/", "/v1/jobs/a/b", "/metrics", "/%00"])
def test_an_unknown_path_gets_a_json_error(lonely: Daemon, path: str) -> None:
    answer = lonely.call("GET", path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["code"] == "not-found"


@pytest.mark.parametrize("path", sorted({path for _, path in CALLS}))
def test_a_wrong_method_is_refused_with_the_allowed_ones(lonely: Daemon, path: str) -> None:
    allowed = {method for method, at in CALLS if at == path}
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - allowed:
        answer = lonely.call(method, path.replace("{id}", "1").replace("{name}", "1"))
        assert (answer.status, answer.json["code"]) == (405, "method-not-allowed")
        assert set(answer.headers["Allow"].split(",")) == allowed


def test_bytes_that_are_no_http_end_only_their_connection(lonely: Daemon) -> None:
    for data in (b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", head("GET", "/livez", Content_Length="-1")):
        assert exchange(lonely, data).status == 400
    assert lonely.call("GET", "/livez").status == 200


def test_a_truncated_body_submits_no_job(lonely: Daemon, job_id: str) -> None:
    body = json.dumps({"id": job_id, "image": "busybox"}).encode()
    start = head(
        "POST",
        "/v1/jobs",
        Content_Type="application/json",
        Content_Length=str(len(body) + 1),
        Connection="close",
    )
    with pytest.raises(OSError, match=r".*"):  # no response: the client has already disconnected
        exchange(lonely, start + body, ends=True)
    assert lonely.call("GET", f"/v1/jobs/{job_id}").status == 404


def test_liveness_and_version_report_the_state(lonely: Daemon) -> None:
    assert lonely.call("GET", "/livez").json == {"status": "healthy", "checks": {"store": "healthy"}}
    version = lonely.call("GET", "/v1/version").json
    assert version["version"] == VERSION
    assert version["instance"] == (lonely.folder / "state" / "instance").read_text().strip()
    assert version["stateDir"] == str(lonely.folder / "state")
    assert version["sidecarImage"] == "job-sidecar:latest"
    assert version["maxConcurrentJobs"] >= 1
    assert "engine" not in version  # away


def test_disk_usage_is_reported_as_far_as_it_is_known(lonely: Daemon) -> None:
    disk = lonely.call("GET", "/v1/disk").json
    assert disk["stateDir"] == str(lonely.folder / "state")
    assert disk["databaseBytes"] >= (lonely.folder / "state" / "jobd.db").stat().st_size > 0
    assert disk["freeBytes"] > 0
    assert disk["uploads"] == {"count": 0, "bytes": 0}
    assert "containers" not in disk  # the engine is away
    assert "volumes" not in disk


def test_a_request_sees_each_change_that_was_answered_before(lonely: Daemon, job_id: str) -> None:
    """The response about an ended job is kept: no answered change may be hidden by it."""
    path = f"/v1/jobs/{job_id}"
    lonely.submit(id=job_id, image="busybox")
    assert lonely.call("GET", path).json["status"] == "accepted"
    assert lonely.call("POST", f"{path}/cancel").status == 202
    ended = lonely.ended(job_id)
    answers = [lonely.call("GET", path) for _ in range(3)]
    assert [answer.json for answer in answers] == [ended] * 3
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}
    assert lonely.call("DELETE", path).status == 204
    assert lonely.call("GET", path).status == 404


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


def test_the_document_is_complete_and_consistent(lonely: Daemon) -> None:
    answer = lonely.call("GET", "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json
    assert document == json.loads(json.dumps(made_document(ROUTES, VERSION)))
    assert document["openapi"].startswith("3.1.")
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == set(CALLS)
    schemas = document["components"]["schemas"]
    for reference in references(document):
        name = reference.removeprefix("#/components/schemas/")
        assert name in schemas, reference
    for schema in schemas.values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    operations = [op for item in document["paths"].values() for op in item.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    for (_, path), operation in zip(CALLS, operations, strict=True):
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        assert operation["summary"]
        for status in ("400", "401", "403"):
            assert operation["responses"][status]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Error"
            }


def test_the_schema_of_job_files_is_served(lonely: Daemon) -> None:
    answer = lonely.call("GET", "/v1/schemas/job-file.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/schema+json")
    assert answer.body == job_file_schema()
    jsonschema_rs.meta.validate(answer.json)


def test_responses_match_the_document(lonely: Daemon, job_id: str) -> None:
    document = lonely.call("GET", "/openapi.json").json
    lonely.submit(id=job_id, image="busybox", callback={"url": "http://127.0.0.1:1/"})
    for path, at in (
        ("/v1/jobs", "/v1/jobs"),
        ("/v1/jobs/{id}", f"/v1/jobs/{job_id}"),
        ("/v1/jobs/{id}/deliveries", f"/v1/jobs/{job_id}/deliveries"),
        ("/v1/version", "/v1/version"),
        ("/v1/disk", "/v1/disk"),
        ("/livez", "/livez"),
    ):
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        jsonschema_rs.validate(whole, lonely.call("GET", at).json)
