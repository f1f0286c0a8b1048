"""The values that typer or `plain_parser.py` gives to `run` as `Flags`; reads the files that flags name."""

from collections.abc import Mapping
from typing import Any

from jobctl.job.spec.flag_files import callback_key, secrets, text_of
from jobctl.job.spec.plan import Flags

_SEQUENCES = {
    "command": "command",
    "env": "env",
    "label": "labels",
    "meta": "meta",
    "inputs": "inputs",
    "outputs": "outputs",
    "write": "writes",
    "read": "reads",
    "callback_events": "callback_events",
    "retry_on": "retry_on",
    "after": "after",
    "cap_drop": "cap_drop",
    "cap_add": "cap_add",
}
_SINGLE = {
    **{
        name: name
        for name in ("image", "shell", "name", "workdir", "memory", "cpus", "pids_limit", "user", "pull")
    },
    **{name: name for name in ("platform", "runtime", "entrypoint", "timeout", "callback", "retries")},
    **{name: name for name in ("priority", "group", "gpus")},
    "set_": "set",
}
_CONTAINER = (
    *(
        "init",
        "no_init",
        "stop_signal",
        "stop_timeout",
        "volume",
        "mount",
        "tmpfs",
        "shm_size",
        "hostname",
        "network",
    ),
    *("publish", "add_host", "dns", "ulimit", "device"),
)
"""Docker's flags for the container."""


def flags_of(given: Mapping[str, Any]) -> Flags:
    """Returns the flags for the parameters of `run`; a missing one has its default. Raises Misuse, LocalFile."""
    fields: dict[str, Any] = {field: given.get(name) or () for name, field in _SEQUENCES.items()}
    fields |= {field: given.get(name) for name, field in _SINGLE.items()}
    return Flags(
        **fields,
        env_files=[(path, text_of(path, "--env-file")) for path in given.get("env_file") or ()],
        callback_key=callback_key(given.get("callback_key_file")),
        callback_batch=bool(given.get("callback_batch")),
        read_only=bool(given.get("read_only")),
        interactive=bool(given.get("interactive")),
        tty=bool(given.get("tty")),
        container=[f"{name}={text}" for name in _CONTAINER for text in _texts(given.get(name))],
        secrets=secrets(given.get("secret") or []),
    )


def _texts(value: Any) -> list[str]:
    """Returns the texts of a flag; those of a switch that is on: one empty text."""
    if value is None or isinstance(value, bool):
        return [""] if value else []
    return [value] if isinstance(value, str) else list(value)
