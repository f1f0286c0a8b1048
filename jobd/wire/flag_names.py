"""The names that jobctl's flags have for fields of a job spec. Apart, since jobctl needs them and nothing else at its start."""

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
    "cap-drop": "capDrop",
    "cap-add": "capAdd",
    "retry-on": "retryOn",
}
"""Flag of `jobctl run` -> field of the spec, where the two differ."""
