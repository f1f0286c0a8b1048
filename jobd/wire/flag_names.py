"""The names of jobctl's flags for fields of a job spec. A module of its own, since jobctl's start needs nothing else of the wire."""

FLAG_NAMES = {
    "name": "id",
    "env": "environment",
    "cpus": "cpu",
    "timeout": "timeoutSeconds",
    "workdir": "workspace",
    "label": "labels",
    "secret": "secrets",
    "sh": "command",
    "pids-limit": "pids",
    "read-only": "readOnly",
    "interactive": "stdin",
    "cap-drop": "capDrop",
    "cap-add": "capAdd",
    "retry-on": "retryOn",
    "stop-signal": "stopSignal",
    "stop-timeout": "stopTimeoutSeconds",
    "volume": "mounts",
    "mount": "mounts",
    "shm-size": "shmSize",
    "publish": "ports",
    "add-host": "extraHosts",
    "ulimit": "ulimits",
    "device": "devices",
}
"""Flag of `jobctl run` -> field of the spec, where their names differ."""
