"""What helps, in the words of Docker's own tools, by what is wrong: `GET /v1/version` gives these, `jobctl` shows them.

`{image}` and `{id}` are filled in by who shows them.
"""

from collections.abc import Mapping, Sequence

REMEDIES: Mapping[str, Sequence[str]] = {
    "engine-unreachable": ("start the engine, for instance: sudo systemctl start docker",),
    "sidecar-image-missing": (
        "make it: make images, or: docker pull {image}; jobs without artifacts need none",
    ),
    "image-not-found": (
        "check the name and tag: docker pull {image}",
        "a private registry needs: docker login",
    ),
    "input-failed": ("check the URLs from inside a container; this machine is host.docker.internal there",),
    "killed": (
        "something else on this machine did it: docker kill, or the kernel with all memory in use (dmesg | grep -i oom)",
    ),
    "unreadable": ("docker logs job-{id}-worker",),
}
