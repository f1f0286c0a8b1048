"""A soak of half a minute: `make soak` runs the same for half an hour."""

from pathlib import Path

import docker
import pytest

from tests.soak.plan import make_plan
from tests.soak.report import table
from tests.soak.run import Soak

SEED, ACTIVE_S, QUIET_S = 1069, 30.0, 60.0


@pytest.mark.fault(
    row="Soak",
    injection="half a minute of all kinds of jobs beside random faults",
    invariant="each of the twelve promises, by an observer from outside",
)
@pytest.mark.alone
def test_a_short_soak(docker_client: docker.DockerClient, worker_image: str, tmp_path: Path) -> None:
    soak = Soak(QUIET_S, print)
    plan, results = soak.run(
        lambda can_fill: make_plan(SEED, ACTIVE_S, can_fill_disk=can_fill), tmp_path / "jobd.log"
    )
    assert results.failed == 0, table(plan, soak.records, results)
    assert len(soak.records.windows) > 3
    assert sum(job.end is not None for job in soak.records.jobs.values()) > 3
