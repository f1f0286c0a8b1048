"""The network sandbox: a small container that holds a network namespace, which one job's containers join. Pure.

Owns the create body, the sandbox's program and the texts that jobd and the program exchange. The program is a shell script on the
sidecar's image. It reads requests, one a line, from standard input, which ends with jobd: a sandbox without a job then ends by itself,
and the engine removes the container.

Source: Docker Engine API, ContainerCreate (`NetworkMode` of `container:<id>`).
"""

from collections.abc import Mapping

from jobd.docker.mapping import labels
from jobd.docker.mapping.container_options import MIB, Body, network
from jobd.docker.mapping.settings import DockerSettings
from jobd.wire.job import JobSpec

LEASE, RELEASE, REPORT = b"lease\n", b"release\n", b"report\n"
END_OF_REPORT = b"\n.\n"
MEMORY_BYTES = 16 * MIB
PIDS = 16
NOBODY = "65534:65534"

_SHARED_FILES = "/etc/hosts /etc/resolv.conf /etc/hostname"
"""The engine mounts these files of the sandbox, writable, into each container that joins the sandbox's network, and changes their change
time by that: content, mode, owner and access list tell whether a job has changed a file.
"""
_SOCKETS = " ".join(
    f"/proc/net/{name}{six}" for name in ("tcp", "udp", "udplite", "raw") for six in ("", "6")
)
PROGRAM = f"""\
leased=
while read -r request; do
  case "$request" in
    lease) leased=1 ;;
    release) leased= ;;
    report)
      {{
        ls -ln {_SHARED_FILES}
        sha256sum {_SHARED_FILES}
        cat /proc/net/snmp /proc/net/snmp6 {_SOCKETS}
      }} 2>/dev/null
      echo . ;;
  esac
done
[ -z "$leased" ] || exec sleep infinity
"""
"""A leased sandbox outlives jobd: its job's containers would lose their network."""


def body(settings: DockerSettings) -> Body:
    """Returns the create body of a sandbox, which can do nothing but wait and read its own namespace's counters."""
    return {
        "Image": settings.sidecar_image,
        "Entrypoint": ["/bin/sh", "-c", PROGRAM],
        "Cmd": [],
        "User": NOBODY,
        "Env": [],
        "WorkingDir": "/",
        "Labels": sandbox_labels(settings.instance),
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            **network(settings),
            "SecurityOpt": ["no-new-privileges"],
            "CapDrop": ["ALL"],
            "ReadonlyRootfs": True,
            "PidsLimit": PIDS,
            "Memory": MEMORY_BYTES,
            "MemorySwap": MEMORY_BYTES,
            "LogConfig": {"Type": "none", "Config": {}},
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": True,
        },
    }


def sandbox_labels(instance: str) -> dict[str, str]:
    """Returns the labels of a sandbox: those of this jobd's objects, and none of a job."""
    return {**labels.instance_labels(instance), labels.JOB_TYPE: labels.SANDBOX}


def is_sandbox(found: Mapping[str, str] | None, instance: str) -> bool:
    """True if `found` are the labels of a sandbox of this jobd."""
    return labels.is_owned(found, instance) and (found or {}).get(labels.JOB_TYPE) == labels.SANDBOX


def may_join(spec: JobSpec) -> bool:
    """True if the job's containers may join a sandbox.

    A container with added capabilities could change the namespace, a runtime of its own may have its own network stack, and the engine
    sets up no network, host name or hosts file for a container that joins another one's.
    """
    return not spec.cap_add and spec.runtime is None and not spec.has_own_network
