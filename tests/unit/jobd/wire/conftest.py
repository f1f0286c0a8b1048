"""Specs as a client sends them, with plain valid values for absent fields."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobd.wire.job import JobSpec
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.validation.job_spec import decode_spec

Accept = Callable[..., JobSpec]
Refuse = Callable[..., list[Problem]]


def _body(fields: dict[str, Any]) -> bytes:
    body = {"id": "job-1", "image": "busybox:latest", **fields}
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


@pytest.fixture(scope="session")
def accept() -> Accept:
    """Returns the decoded spec of these fields; `...` removes a field."""

    def accepted(**fields: Any) -> JobSpec:
        return decode_spec(_body(fields))

    return accepted


@pytest.fixture(scope="session")
def refuse() -> Refuse:
    """Returns the problems of these fields; fails if the spec is valid."""

    def refused(**fields: Any) -> list[Problem]:
        with pytest.raises(InvalidSpec) as caught:
            decode_spec(_body(fields))
        assert all(problem.message for problem in caught.value.problems)
        return caught.value.problems

    return refused
