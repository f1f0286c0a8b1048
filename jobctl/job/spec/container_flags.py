"""The fields of a spec for docker's flags of a container, over those of a job file.

Owns which flag is which field. `container_fields.py` reads single values.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jobctl.errors import Misuse
from jobctl.job.spec import container_fields as read

Tree = dict[str, Any]
T = TypeVar("T")

_TEXTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "hostname": ("hostname", str),
    "network": ("network", str),
    "stop_signal": ("stopSignal", read.stop_signal),
    "stop_timeout": ("stopTimeoutSeconds", read.stop_seconds),
    "shm_size": ("shmSize", read.shm_mb),
}
"""Flag -> field, and how its value is read."""
_LISTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "volume": ("mounts", read.volume),
    "publish": ("ports", read.port),
    "add_host": ("extraHosts", read.extra_host),
    "dns": ("dns", str),
    "ulimit": ("ulimits", read.ulimit),
    "device": ("devices", read.device),
}
"""Flag -> field that is a list, and how one of its values is read."""


def set_container_fields(spec: Tree, given: Sequence[str]) -> None:
    """Sets the fields of these flags, each NAME=VALUE. The lists and mappings of a file remain, and the flags' values come after them.

    Raises:
        Misuse: a value is invalid, or two flags contradict each other.
    """
    names = {each.partition("=")[0] for each in given}
    if {"init", "no_init"} <= names:
        raise Misuse("--init and --no-init contradict each other", field="init")
    for each in given:
        name, _, text = each.partition("=")
        if name in ("init", "no_init"):
            spec["init"] = name == "init"
        elif name in _TEXTS:
            field, of = _TEXTS[name]
            spec[field] = _read(name, text, of, field)
        elif name in _LISTS:
            field, of = _LISTS[name]
            _add(spec, field, _read(name, text, of, field))
        elif name == "tmpfs":
            _merge(spec, "tmpfs", read.tmpfs(text))
        elif name == "mount":
            field, value = _read(name, text, read.mount, "mounts")
            (_merge if field == "tmpfs" else _add)(spec, field, value)


def set_workdir(spec: Tree, workdir: str | None) -> None:
    """Sets what `-w` names: the working directory where a mount has that path, else the workspace, which is the working directory too."""
    if workdir is None:
        return
    path, mounts = read.container_path(workdir), spec.get("mounts")
    targets = (
        [str(one.get("target")) for one in mounts or () if isinstance(one, dict)]
        if isinstance(mounts, list)
        else []
    )
    in_mount = any(f"{path}/".startswith(f"{target}/") for target in targets)
    if in_mount:
        spec["workingDir"] = path
    else:
        spec["workspace"] = workdir
        spec.pop("workingDir", None)


def _read(name: str, text: str, of: Callable[[str], T], field: str) -> T:
    try:
        return of(text)
    except ValueError as error:
        raise Misuse(f"--{name.replace('_', '-')}: {error}", field=field) from None


def _add(spec: Tree, field: str, value: Any) -> None:
    present = spec.get(field) or []
    if not isinstance(present, list):
        raise Misuse(f"{field} must be a list", field=field)
    spec[field] = [*present, value]


def _merge(spec: Tree, field: str, values: Tree) -> None:
    present = spec.get(field) or {}
    if not isinstance(present, dict):
        raise Misuse(f"{field} must be a mapping", field=field)
    spec[field] = {**present, **values}
