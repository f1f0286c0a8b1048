"""What jobs have on a container engine and not on Kubernetes: `GET /v1/version` and `jobctl doctor` tell it.

The tables in docs/kubernetes.md say the same; a test compares the two. `mapping/unsupported.py` refuses what a job asks for.
"""

from collections.abc import Mapping

LIMITS: Mapping[str, str] = {
    "user by name": "the cluster looks up no names in images: give numbers",
    "stopSignal but SIGTERM": "the kubelet sends SIGTERM",
    "pids": "one limit for a node's Pods, set by its operator; the default of pids is not enforced",
    "gpus: all": "a Pod asks for a number (nvidia.com/gpu)",
    "mounts, devices, ulimits, ports, network": "no part of a Pod that jobd gives",
    "hostname, extraHosts, tmpfs, environment": "names, addresses and options that Kubernetes does not take",
    "stdin, tty, attach": "jobd attaches no client to a Pod",
    "stdout and stderr": "one stream: the cluster's log has no mark; all lines count as stdout, and a line of one follows an unfinished line of the other",
    "output before its line ends": "comes when the line ends",
    "memory and CPU used": "unknown",
    "pausing a running job": "refused: nothing freezes a container",
    "init of a job with a sidecar": "not there: process 1 ignores signals without a handler, until SIGKILL",
    "outputs after a worker that ignores SIGTERM": "lost: SIGKILL ends the Pod with its sidecar",
    "files after the end": "there while the sidecar runs",
    "a log that the kubelet rotates before jobd reads it": "a mark stands for the lost lines",
    "times": "whole seconds",
    "EXTRA_HOSTS": "refused when jobd starts",
    "SANDBOX_POOL": "without effect: a Pod has its own network",
    "jobctl exec -u": "refused: a command runs as the worker's user",
    "a node that is lost": (
        "the attempt is lost, without an exit code, once the cluster says so (a minute or more)"
    ),
    "a retry of outputs alone": "fails: the workspace is gone",
}
