"""Where the cluster of the tests keeps its files, and which addresses it has.

`JOBD_KUBERNETES_CACHE`: binaries, kept between starts. `JOBD_KUBERNETES_DIR`: all state, removed at the stop.
"""

import os
from pathlib import Path

KUBERNETES, LIBRARIES = "v1.34.4", "v0.34.4"
"""The version of Kubernetes, and of the libraries that belong to it."""
GO = "1.24.0"

CACHE = Path(os.environ.get("JOBD_KUBERNETES_CACHE", "~/.cache/jobd-kubernetes")).expanduser().resolve()
STATE = Path(os.environ.get("JOBD_KUBERNETES_DIR", "/tmp/jobd-kubernetes")).resolve()  # noqa: S108 - fixed, so that a stop finds it
BIN, DEBIAN = CACHE / "bin", CACHE / "debian"
KEYS, LOGS, PROCESSES = STATE / "keys", STATE / "logs", STATE / "processes"
SOCKET = STATE / "containerd.sock"
MARK = STATE / ".made-by-jobd"

API_PORT, ETCD_PORT, KUBELET_PORT = 6443, 23790, 10250
BRIDGE, SUBNET, GATEWAY = "jobd-kube0", "10.244.0.0/24", "10.244.0.1"
SERVICES, SERVICE_ADDRESS = "10.245.0.0/24", "10.245.0.1"
NODE, NAMESPACE, ACCOUNT = "node-1", "jobs", "jobd"
PAUSE_IMAGE = "localhost/pause:1"

ADMIN = STATE / "admin.kubeconfig"
"""May do everything."""
JOBD = STATE / "jobd.kubeconfig"
"""Has the rights of `deploy/kubernetes/` in the namespace of the jobs, and nothing else."""
