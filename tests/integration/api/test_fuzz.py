"""The API against its own OpenAPI document: every response is documented, and none is an internal error.

Single requests, and walks along the document's links, which use the ids of responses in further requests. There is no
engine, so jobs only wait. `FUZZ_CASES` sets the number of cases for each operation, `FUZZ_STEPS` the number of steps on walks.

All checks of Schemathesis are on, with two exceptions: `/readyz` must respond 503 here; and the document cannot express conditions
between values (`depends`, URLs, a cursor), so the operations of `MEANT` may respond 400 to values of the right types.
"""

import contextlib
import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis.checks import CHECKS, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput
from schemathesis.specs.openapi import checks as openapi_checks

from jobd.api.openapi import document
from jobd.api.routes import ROUTES
from jobd.health.about import VERSION
from tests.support.daemon import Daemon

CASES = int(os.environ.get("FUZZ_CASES", "15"))
STEPS = int(os.environ.get("FUZZ_STEPS", "300"))
MOST_STEPS = 10 * STEPS
"""The limit until each of `FOLLOWED` was drawn."""
WALKS_A_ROUND = 10
STEPS_A_WALK = 12
CALLED: Counter[str] = Counter()
"""The number of cases; shown at the end with `-s`."""

schema = schemathesis.openapi.from_dict(document(ROUTES, VERSION))

MEANT = {
    ("POST", "/v1/jobs"),  # dependencies of artifacts, URLs, paths, image names
    ("GET", "/v1/jobs"),  # a cursor must come from a page
    ("GET", "/v1/stats"),  # a time must be after 1970
    ("GET", "/v1/events"),  # a number must come from the feed
    ("GET", "/v1/jobs/{id}/logs"),  # a number must be in the log
    ("POST", "/v1/jobs/{id}/cancel"),  # 3.0 is an integer in JSON Schema, but not for jobd
    ("POST", "/v1/sets/{id}/cancel"),
    ("POST", "/v1/jobs/{id}/retry"),  # the secrets of a job must be known, its new id valid
    ("POST", "/v1/jobs/{id}/priority"),  # the same
    ("PUT", "/v1/groups/{name}"),  # the same
    ("GET", "/v1/jobs/{id}/files"),  # a path must be in the workspace
    ("GET", "/v1/jobs/{id}/attach"),  # a request must be a WebSocket's
    ("GET", "/v1/jobs/{id}/exec"),  # the same
    ("POST", "/internal/events"),  # a report must name one of the job's artifacts
}
"""Operations whose values have conditions beyond types and bounds."""

PLAIN = ("cpu", "memory", "pids", "timeoutSeconds", "priority")
"""The fields of a generated spec on a walk, where most specs must be accepted: other fields would make most of them invalid."""


FRAMING = ("transfer-encoding", "content-length", "connection", "upgrade", "expect")
"""Headers of the HTTP message itself. The HTTP parser answers wrong ones in plain text, before there is a request to any operation."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, no_engine: dict[str, str]) -> Iterator[Daemon]:
    """The daemon requires a key, which shows the endpoints without one."""
    daemon = Daemon(tmp_path_factory.mktemp("fuzzed"), environ=no_engine, flags=()).start()
    yield daemon
    sys.stderr.write(f"\ncases: {CALLED['single']} single calls, {CALLED['steps']} steps of walks\n")
    assert daemon.stop() == 0
    log = daemon.log.read_text()
    assert "request failed" not in log, log[-4000:]
    assert "stream aborted" not in log


FOLLOWED = {
    ("GET /v1/jobs/{id}", 200),
    ("GET /v1/jobs/{id}/logs", 200),
    ("GET /v1/jobs/{id}/deliveries", 200),
    ("POST /v1/jobs/{id}/cancel", 202),
    ("POST /v1/jobs/{id}/deliveries/replay", 202),
    ("DELETE /v1/jobs/{id}", 204),
}
"""Links of the document that walks follow."""


def key_of(daemon: Daemon) -> dict[str, str]:
    return {"Authorization": f"Bearer {(daemon.folder / 'state' / 'api-key').read_text().strip()}"}


def as_sent(case: schemathesis.Case[Any]) -> None:
    """No job ends here: a followed stream would never end."""
    if case.query.get("follow") in ("1", "true", ""):
        case.query["follow"] = "0"
    assume(all(name.lower() not in FRAMING for name in case.headers or {}))
    # The client sends nothing for such a value, so jobd cannot refuse it.
    assume(all(value not in ([], {}, None) for value in case.query.values()))


def excluded(case: schemathesis.Case[Any]) -> list[Any]:
    if case.path == "/readyz":
        return [not_a_server_error]
    return [openapi_checks.positive_data_acceptance] if (case.method, case.path) in MEANT else []


def no_fault(case: schemathesis.Case[Any], status: int) -> bool:
    return status < 500 or (case.path, status) == ("/readyz", 503)


def test_no_check_is_off() -> None:
    """The checks that a new version of Schemathesis adds are on as well."""
    on = {
        name
        for name in CHECKS.get_all_names()
        if schema.config.checks_config_for().get_by_name(name=name).enabled
    }
    assert on == set(CHECKS.get_all_names())
    assert on >= {"use_after_free", "ensure_resource_availability", "ignored_auth", "unsupported_method"}


@schema.parametrize()
@settings(
    max_examples=CASES,
    derandomize=CASES <= 100,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_every_answer_is_a_documented_one(case: schemathesis.Case[Any], fuzzed: Daemon) -> None:
    as_sent(case)
    response = case.call_and_validate(
        base_url=fuzzed.http, headers=key_of(fuzzed), excluded_checks=excluded(case), timeout=30
    )
    assert no_fault(case, response.status_code)
    CALLED["single"] += 1


def test_walks_along_the_links_get_documented_answers(fuzzed: Daemon) -> None:
    followed: Counter[tuple[str, int]] = Counter()
    faults: list[BaseException] = []

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: schemathesis.Case[Any]) -> None:
            as_sent(case)
            valid = case.meta is not None and case.meta.generation.mode.is_positive
            if valid and (case.method, case.path) == ("POST", "/v1/jobs") and isinstance(case.body, dict):
                given = {name: case.body[name] for name in PLAIN if name in case.body}
                image, id = "busybox:latest", f"walk-{uuid.uuid4().hex}"
                case.body = {**given, "id": id, "image": image, "callback": {"url": "http://127.0.0.1:9/"}}
                case.media_type = "application/json"

        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"base_url": fuzzed.http, "headers": key_of(fuzzed), "timeout": 30}

        def validate_response(self, response: Any, case: schemathesis.Case[Any], **sent: Any) -> None:
            case.validate_response(
                response, excluded_checks=excluded(case), transport_kwargs=sent, recorder=self.recorder
            )
            assert no_fault(case, response.status_code)

        def step(self, input: StepInput) -> StepOutput:
            try:
                output: StepOutput = super().step(input)
            except (FailureGroup, AssertionError, OSError) as error:
                faults.append(error)
                raise
            CALLED["steps"] += 1
            if input.transition is not None and not input.transition.is_inferred and input.is_applied:
                followed[input.case.operation.label, output.response.status_code] += 1
            return output

        def teardown(self) -> None:
            for job in fuzzed.call("GET", "/v1/jobs?limit=1000", headers=key_of(fuzzed)).json["jobs"]:
                fuzzed.call("DELETE", f"/v1/jobs/{job['id']}", headers=key_of(fuzzed))
            super().teardown()

    walking = settings(
        max_examples=WALKS_A_ROUND,
        deadline=None,
        database=None,
        stateful_step_count=STEPS_A_WALK,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    for round in range(STEPS):
        # A job may end, disappear or have deliveries earlier or later, so that one choice gives different responses: for
        # Hypothesis that ends this round. A fault is a fault, even if it does not repeat.
        with contextlib.suppress(FlakyStrategyDefinition):
            seed(round)(Walk).run(settings=walking)
        assert not faults
        # A deleted job is not found: `use_after_free` had something to check.
        enough = set(followed) >= FOLLOWED and any(status == 404 for _, status in followed)
        if CALLED["steps"] >= STEPS and (enough or CALLED["steps"] >= MOST_STEPS):
            break
    assert enough, followed
