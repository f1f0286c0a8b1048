"""The invariants of a job after any fault: its events, and no leftovers on the engine or on disk."""

from typing import Any

import docker

from tests.support.daemon import DEADLINE_S, Daemon, Receiver, until

START, LOG, EXIT = "orchestrator.job.start", "orchestrator.job.log", "orchestrator.job.exit"
ARTIFACT, COMPLETE = "orchestrator.job.artifact", "orchestrator.job.complete"


def delivered(receiver: Receiver, path: str, deadline_s: float = DEADLINE_S) -> list[dict[str, Any]]:
    """Waits for the `complete` event, then returns each event once, in the order of `jobsequence`; repeated events
    must be equal, and first arrivals must be in order.
    """

    def look() -> Any:
        return any(event["type"] == COMPLETE for event in receiver.events(path))

    until(look, f"the complete event at {path}", deadline_s)
    by_id: dict[str, dict[str, Any]] = {}
    for event in receiver.events(path):
        assert by_id.setdefault(event["id"], event) == event, "one id, two events"
    numbers = [event["jobsequence"] for event in by_id.values()]
    assert numbers == list(range(1, len(numbers) + 1)), f"order and gaps: {numbers}"
    return list(by_id.values())


def check_events(events: list[dict[str, Any]], *, exit_code: int, status: str, started: bool = True) -> None:
    """Start, exit and complete once each, the exit with the true code, `complete` as the last."""
    types = [event["type"] for event in events]
    assert types.count(START) == int(started), types
    assert (types.count(EXIT), types.count(COMPLETE)) == (1, 1), types
    assert types[-1] == COMPLETE
    assert events[types.index(EXIT)]["data"]["exitCode"] == exit_code
    assert (events[-1]["data"]["exitCode"], events[-1]["data"]["status"]) == (exit_code, status)
    if started:
        assert types.index(START) < types.index(EXIT)


def left_of(client: docker.DockerClient, daemon: Daemon, job_id: str) -> list[str]:
    """Returns a job's leftovers: containers, volumes, and files in the spool of a daemon with this one job."""
    wanted = {"label": f"job.id={job_id}"}
    names = [c["Names"][0] for c in client.api.containers(all=True, filters=wanted)]
    names += [v["Name"] for v in client.api.volumes(filters=wanted)["Volumes"] or []]
    return names + [path.name for path in (daemon.folder / "state" / "spool").iterdir()]


def delete(client: docker.DockerClient, daemon: Daemon, job_id: str) -> None:
    """Deletes the job, if not removed yet, and waits until no leftovers remain."""
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status in (204, 404)
    until(lambda: not left_of(client, daemon, job_id), f"no leftovers of {job_id}")
