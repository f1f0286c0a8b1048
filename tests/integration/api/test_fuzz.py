"""The API against its own description: whatever is sent, the answer is a documented one, and never a fault of ours.

The engine is away, so that jobs only wait. `FUZZ_CASES` raises the number of cases a call.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi_checks

from jobd.api.openapi import document
from jobd.api.routes import ROUTES
from jobd.app import VERSION
from tests.support.daemon import Daemon

CASES = int(os.environ.get("FUZZ_CASES", "15"))

schema = schemathesis.openapi.from_dict(document(ROUTES, VERSION))

STRICTER = [openapi_checks.positive_data_acceptance]
"""The document has types and bounds; what values mean together (`depends`, URLs) the daemon refuses with 400 beyond it."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, no_engine: dict[str, str]) -> Iterator[Daemon]:
    """It asks for a key, so that what is open without one shows."""
    daemon = Daemon(tmp_path_factory.mktemp("fuzzed"), environ=no_engine, flags=()).start()
    yield daemon
    assert daemon.stop() == 0
    log = daemon.log.read_text()
    assert "request failed" not in log, log[-4000:]
    assert "stream cut" not in log


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
    if case.query.get("follow") in ("1", "true", ""):
        case.query["follow"] = "0"  # nothing ever ends here: the stream would go on for good
    key = {"Authorization": f"Bearer {(fuzzed.folder / 'state' / 'api-key').read_text().strip()}"}
    excluded: list[Any] = [*STRICTER, not_a_server_error] if case.path == "/readyz" else STRICTER
    response = case.call_and_validate(base_url=fuzzed.http, headers=key, excluded_checks=excluded, timeout=30)
    assert response.status_code < 500 or (case.path, response.status_code) == ("/readyz", 503)
