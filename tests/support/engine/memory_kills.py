"""Whether an engine told of the kernel's kill of a container for its memory limit.

On a machine without a free processor the kernel may remove the container's cgroup before the engine reads the notice. Such an engine
never tells of the kill, and nothing distinguishes the kill from another one. So a test repeats what ends so, until the engine tells.
"""

import time

import docker

TRIES = 6


def told_of_memory_kill(client: docker.DockerClient, job_id: str, since: float) -> bool:
    """Returns whether there is an `oom` event of the job's worker since this wall-clock time."""
    filters = {"event": ["oom"], "label": [f"job.id={job_id}"]}
    return bool(
        list(client.events(since=int(since), until=int(time.time()) + 1, filters=filters, decode=True))
    )
