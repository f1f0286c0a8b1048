"""What `pause --running` and the pause of single jobs ask of the daemon."""

import json
from typing import Any

import pytest

FREEZE = '{"running": true}'


@pytest.mark.parametrize(
    ("command", "path", "body"),
    [
        (("pause",), "/v1/queue/pause", ""),
        (("pause", "--running"), "/v1/queue/pause", FREEZE),
        (("resume",), "/v1/queue/resume", ""),
        (("group", "pause", "gpu"), "/v1/groups/gpu/pause", ""),
        (("group", "pause", "gpu", "--running"), "/v1/groups/gpu/pause", FREEZE),
        (("group", "resume", "gpu"), "/v1/groups/gpu/resume", ""),
        (("pause", "web-1"), "/v1/jobs/web-1/pause", ""),
        (("pause", "web-1", "--running"), "/v1/jobs/web-1/pause", ""),
        (("resume", "web-1"), "/v1/jobs/web-1/resume", ""),
    ],
)
def test_only_the_flag_pauses_running_jobs_of_the_queue_or_of_a_group(
    daemon: Any, jobctl: Any, command: tuple[str, ...], path: str, body: str
) -> None:
    daemon.make("web-1")
    done = jobctl(*command)
    assert done.returncode == 0, done.stderr
    assert daemon.pauses == [(path, body)]


def test_paused_jobs_are_printed_and_a_missing_one_is_reported(daemon: Any, jobctl: Any) -> None:
    for name in ("a-1", "b-1"):
        daemon.make(name)
    done = jobctl("pause", "--json", "b", "none", "a-1")
    assert (done.returncode, json.loads(done.stdout)) == (4, {"paused": ["b-1", "a-1"]})
    assert jobctl("resume", "a", "b").stdout == b"a-1\nb-1\n"
