"""A tier of its own: `make test-prometheus`. Other runs skip these tests, since alerts need their time."""

import os

import pytest

from scripts.monitoring.prometheus import PrometheusFailed, program


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Skips without `make test-prometheus`; there a missing Prometheus fails and says how to get one."""
    if os.environ.get("PROMETHEUS_TESTS") != "required":
        pytest.skip("make test-prometheus runs these tests")
    try:
        program()
        program("promtool")
    except PrometheusFailed as error:
        pytest.fail(str(error), pytrace=False)
