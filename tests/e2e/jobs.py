"""Helpers for tests of whole jobs: types of events, the containers and volumes of a job, and waiting."""

from typing import Any

import docker

from tests.support.daemon import Daemon, until

START, LOG, EXIT = "orchestrator.job.start", "orchestrator.job.log", "orchestrator.job.exit"
RETRY = "orchestrator.job.retry"
ARTIFACT, COMPLETE = "orchestrator.job.artifact", "orchestrator.job.complete"


def resources(client: docker.DockerClient, job_id: str) -> tuple[list[Any], list[Any]]:
    """Returns what the engine lists of a job: containers and volumes, as the API gives them (no look at each, which
    one that is being removed would fail).
    """
    wanted = {"label": f"job.id={job_id}"}
    containers = client.api.containers(all=True, filters=wanted)
    return containers, client.api.volumes(filters=wanted)["Volumes"] or []


def gone(client: docker.DockerClient, job_id: str) -> None:
    until(lambda: resources(client, job_id) == ([], []), f"nothing of {job_id} is left")


def again(daemon: Daemon, spec: dict[str, Any], taken: str = "deleting") -> None:
    """Submits until the id is free; until then the answer has this code."""

    def submit() -> bool:
        answer = daemon.call("POST", "/v1/jobs", spec)
        assert answer.status == 202 or (answer.status, answer.json["code"]) == (409, taken)
        return answer.status == 202

    until(submit, f"the id {spec['id']} is free again")


def wait_running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", f"{job_id} runs")
