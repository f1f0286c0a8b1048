"""The flags of `docker run` that `jobctl run` does not have, each with what to use instead. Pure data.

Source: docker docs, "docker run", "Options".
"""

_LIMITS = "use --cpus and -m"
_LOG = "jobd keeps each log itself; read it with jobctl logs"
_HEALTH = "jobd runs no health checks: a job ends, and its exit code says how"
_ADDRESSES = "the engine chooses the addresses; reach a job by a port of this machine: -p HOST:PORT"
_NAMESPACES = "a job has namespaces of its own"

REFUSED = {
    "--privileged": "a job is confined: use --cap-add NAME and --device DEVICE, where the daemon allows them",
    "--pid": f"{_NAMESPACES}; run what must see other processes outside of a job",
    "--ipc": f"{_NAMESPACES}; for more shared memory use --shm-size",
    "--uts": f"{_NAMESPACES}; use --hostname NAME",
    "--userns": f"{_NAMESPACES}; use --user me",
    "--cgroupns": _NAMESPACES,
    "--cgroup-parent": f"jobd sets the limits of each job itself; {_LIMITS}",
    "--restart": "a job runs once; use --retries N for further attempts after a failure",
    "--volumes-from": "a job does not share another one's folders; use --in PATH=job:ID/PATH",
    "--volume-driver": "jobd has no named volumes; use -v HOST:PATH",
    "--link": "use --network NAME, in which containers find each other by name",
    "--network-alias": "a job has no further names in a network",
    "--net-alias": "a job has no further names in a network",
    "--net": "its name is --network",
    "--ip": _ADDRESSES,
    "--ip6": _ADDRESSES,
    "--link-local-ip": _ADDRESSES,
    "--mac-address": _ADDRESSES,
    "--publish-all": "name each port: -p HOST:PORT",
    "-P": "name each port: -p HOST:PORT",
    "--expose": "containers of one network reach all ports; for this machine use -p HOST:PORT",
    "--domainname": "give the whole name: --hostname NAME.DOMAIN",
    "--dns-search": "give whole names; --dns ADDRESS sets the name server",
    "--dns-option": "give whole names; --dns ADDRESS sets the name server",
    "--dns-opt": "give whole names; --dns ADDRESS sets the name server",
    "--group-add": "a job has one group: --user UID:GID",
    "--security-opt": "jobd always sets no-new-privileges and the engine's default profiles",
    "--sysctl": "a job does not change settings of the kernel",
    "--device-cgroup-rule": "name the devices: --device DEVICE",
    "--oom-kill-disable": "a job that needs more memory than its limit ends; raise the limit with -m",
    "--oom-score-adj": "a job that needs more memory than its limit ends; raise the limit with -m",
    "--memory-swap": "a job has no swap beyond its memory; raise the limit with -m",
    "--memory-swappiness": "a job has no swap beyond its memory; raise the limit with -m",
    "--memory-reservation": "use -m, which is limit and reservation",
    "--kernel-memory": "use -m, which counts the kernel's memory too",
    "--cpu-shares": _LIMITS,
    "-c": _LIMITS,
    "--cpu-period": _LIMITS,
    "--cpu-quota": _LIMITS,
    "--cpu-rt-period": _LIMITS,
    "--cpu-rt-runtime": _LIMITS,
    "--cpuset-cpus": f"{_LIMITS}; jobs are not bound to cores",
    "--cpuset-mems": f"{_LIMITS}; jobs are not bound to memory nodes",
    "--blkio-weight": "jobs share the disk evenly",
    "--blkio-weight-device": "jobs share the disk evenly",
    "--device-read-bps": "jobs share the disk evenly",
    "--device-read-iops": "jobs share the disk evenly",
    "--device-write-bps": "jobs share the disk evenly",
    "--device-write-iops": "jobs share the disk evenly",
    "--storage-opt": "a job writes to its workspace; the disk has no quota for each job",
    "--log-driver": _LOG,
    "--log-opt": _LOG,
    "--health-cmd": _HEALTH,
    "--health-interval": _HEALTH,
    "--health-retries": _HEALTH,
    "--health-start-period": _HEALTH,
    "--health-timeout": _HEALTH,
    "--no-healthcheck": f"leave it out; {_HEALTH}",
    "--cidfile": "jobctl run -d prints the job's id: id=$(jobctl run -d ...), or choose one with --name ID",
    "--label-file": "use -l KEY=VALUE, or labels in a job file (-f)",
    "--annotation": "use -l KEY=VALUE",
    "--isolation": "there is one kind of isolation on Linux; --runtime NAME chooses another runtime",
    "--disable-content-trust": "name the image by its digest: IMAGE@sha256:...",
    "--sig-proxy": "Ctrl-C cancels the job; jobctl cancel --signal NAME sends another signal",
    "--quiet": "the job's output is on stdout, all else on stderr: 2>/dev/null",
    "-q": "the job's output is on stdout, all else on stderr: 2>/dev/null",
}
"""Flag -> why jobctl does not have it, and what to use instead: the rest of one sentence."""


def refusal(option: str) -> str | None:
    """Returns the sentence about a flag of docker that jobctl does not have; None: docker has no such flag, or another one is meant."""
    why = REFUSED.get(option)
    return None if why is None else f"{option} cannot be had: {why}"
