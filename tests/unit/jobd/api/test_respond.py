"""The table of errors and statuses is complete, and no response reveals internal details."""

import json

import pytest
from aiohttp import web

from jobd import errors
from jobd.api.respond import STATUSES, error_response
from jobd.jobs.port.errors import EngineUnavailable, FilesNotKept, NoSuchFile, StartFailed
from jobd.store import errors as store_errors
from jobd.wire.problem import InvalidSpec, Problem

ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.JobdError) and kind is not errors.JobdError
]
AT_START_ALONE = {errors.ConfigError}


def test_every_error_class_has_its_own_row() -> None:
    rows = {kind for kind, _ in STATUSES}
    assert {kind for kind in ERRORS if kind not in rows} == AT_START_ALONE


def test_no_row_is_hidden_by_an_earlier_row() -> None:
    for at, (kind, status) in enumerate(STATUSES):
        before = [(other, s) for other, s in STATUSES[:at] if issubclass(kind, other)]
        assert before == [], (kind, status)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidRequest("x"), 400, "invalid-request"),
        (errors.Unauthorized("x"), 401, "unauthorized"),
        (errors.Forbidden("x"), 403, "forbidden"),
        (errors.NotFound("x"), 404, "not-found"),
        (errors.Conflict("x", code="exists"), 409, "exists"),
        (errors.TooLarge("x"), 413, "too-large"),
        (errors.WrongMediaType("x"), 415, "unsupported-media-type"),
        (errors.QueueFull("x"), 429, "queue-full"),
        (errors.Unavailable("x"), 503, "unavailable"),
        (errors.DiskFull("x"), 507, "disk-full"),
        (store_errors.StoreFull("x"), 507, "disk-full"),
        (store_errors.StoreClosed("x"), 503, "store-closed"),
        (store_errors.NoSuchJob("x"), 404, "not-found"),
        (EngineUnavailable("x"), 503, "engine-unavailable"),
        (NoSuchFile("x"), 404, "file-not-found"),
        (FilesNotKept("x"), 404, "files-not-kept"),
        (StartFailed("x"), 502, "start-failed"),
    ],
)
def test_an_error_becomes_its_status_with_its_code(error: Exception, status: int, code: str) -> None:
    response = error_response(error)
    body = json.loads(bytes(response.body or b""))  # type: ignore[arg-type]
    assert (response.status, body["code"]) == (status, code)
    assert body["error"].startswith("x")
    assert response.content_type == "application/json"
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert ("Retry-After" in response.headers) == (status in (429, 503))


def body_of(error: Exception) -> tuple[int, dict[str, str]]:
    response = error_response(error)
    assert isinstance(response.body, bytes)
    body: dict[str, str] = json.loads(response.body)
    return response.status, body


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), KeyError("secret"), store_errors.StoreFailed("secret")]
)
def test_a_bug_is_not_explained_to_the_client(error: Exception) -> None:
    status, body = body_of(error)
    assert (status, body["code"]) == (500, "internal")
    assert "secret" not in str(body)


def test_an_invalid_spec_shows_the_first_problem_and_how_many_more() -> None:
    one = [Problem("cpu", "must be more")]
    assert body_of(InvalidSpec(one)) == (
        400,
        {"error": "cpu: must be more", "code": "invalid-spec", "field": "cpu"},
    )
    _, body = body_of(InvalidSpec([*one, Problem("id", "no"), Problem("image", "no")]))
    assert body["error"] == "cpu: must be more (and 2 more)"
    _, body = body_of(InvalidSpec([Problem("", "the body is not JSON")]))
    assert "field" not in body


def test_errors_of_the_router_are_json_too() -> None:
    status, body = body_of(web.HTTPNotFound())
    assert (status, body["code"]) == (404, "not-found")
    response = error_response(web.HTTPMethodNotAllowed("PUT", ["GET", "POST"]))
    assert (response.status, response.headers["Allow"]) == (405, "GET,POST")
    assert body_of(web.HTTPRequestEntityTooLarge(1, 2))[0] == 413
    assert body_of(web.HTTPNotImplemented())[1]["code"] == "http-error"


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidRequest("no \udcff", field="\udcff"),
        InvalidSpec([Problem("meta.\udcff", "no \udc80")]),
        errors.NotFound("no job '\ud800'"),
    ],
)
def test_an_error_that_quotes_a_surrogate_is_still_sent(error: Exception) -> None:
    response = error_response(error)
    assert response.status in (400, 404)
    assert isinstance(response.body, bytes)
    assert "?" in json.loads(response.body)["error"]
