"""Remedies with Docker's own commands, by problem: `GET /v1/version` returns them, `jobctl` shows them.

`jobctl` fills in `{image}` and `{id}`.
"""

from collections.abc import Mapping, Sequence

REMEDIES: Mapping[str, Sequence[str]] = {
    "engine-unreachable": ("start the engine, for instance: sudo systemctl start docker",),
    "image-not-found": (
        "check the name and tag: docker pull {image}",
        "a private registry needs: docker login",
    ),
    "input-failed": ("check the URLs from inside a container; there this machine is host.docker.internal",),
    "killed": (
        "docker kill ended it, or the kernel when the machine's memory was full (dmesg | grep -i oom)",
    ),
    "unreadable": ("docker logs job-{id}-worker",),
}
