"""The limits on one job's request."""

from typing import Any

import pytest

from jobd.errors import InvalidRequest
from jobd.jobs.admission.resource_limits import Caps
from jobd.wire.job import JobSpec


def spec(**fields: Any) -> JobSpec:
    return JobSpec(id="a", image="busybox", **fields)


def test_the_defaults_are_the_contracts_limits() -> None:
    Caps().check(spec())
    Caps().check(spec(cpu=64.0, memory=65536, timeout_seconds=86400))
    for over in ({"cpu": 64.01}, {"memory": 65537}, {"timeout_seconds": 86401}):
        with pytest.raises(InvalidRequest) as caught:
            Caps().check(spec(**over))
        assert caught.value.code == "invalid-spec"


@pytest.mark.parametrize(
    ("caps", "fields", "field", "words"),
    [
        (Caps(cpus=0.5), {}, "cpu", "asks for 1 cores; this daemon gives a job at most 0.5 cores (MAX_CPUS,"),
        (Caps(memory_mb=100), {}, "memory", "asks for 512 MB; this daemon gives a job at most 100 MB (MAX_MEMORY,"),
        (Caps(timeout_s=60), {}, "timeoutSeconds", "asks for 30m; this daemon gives a job at most 1m (MAX_TIMEOUT,"),
        (Caps(timeout_s=60), {"timeout_seconds": 61}, "timeoutSeconds", "asks for 1m1s"),
    ],
)  # fmt: skip
def test_an_error_names_the_limit_and_its_setting(
    caps: Caps, fields: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        caps.check(spec(**fields))
    assert caught.value.field == field
    assert words in str(caught.value)


def test_a_request_at_the_limit_is_allowed() -> None:
    Caps(timeout_s=60, memory_mb=100, cpus=0.5).check(spec(cpu=0.5, memory=100, timeout_seconds=60))
