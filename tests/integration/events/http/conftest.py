"""A sender, one with a short time limit, and an event with its key."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from jobd.clock import SystemClock
from jobd.events.http.egress import EgressPolicy, EgressRule
from jobd.events.http.sender import Sender
from jobd.wire.event import ARTIFACT, encode

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = encode(
    event_id="e-1",
    type=ARTIFACT,
    job_id="job-1",
    job_uid="u-1",
    timestamp=datetime(2030, 1, 1, tzinfo=UTC),
    sequence=3,
    data={"jobId": "job-1", "content": {"big": 2**80, "text": "ü\U0001f600"}},
)


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(EgressPolicy(EgressRule()), SystemClock(), timeout_s=5) as made:
        yield made


@pytest.fixture
async def hasty() -> AsyncIterator[Sender]:
    async with Sender(EgressPolicy(EgressRule()), SystemClock(), timeout_s=0.2) as made:
        yield made
