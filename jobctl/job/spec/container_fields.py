"""Reads the values of docker's flags for a container: mounts, ports, limits, devices, signals. Pure but for the working directory,
from which a relative path counts.

Every function raises ValueError with what the value must be. `container_flags.py` names the flag, `job_fields.py` the field of a file.

Source: docker docs, "docker run", "Options".
"""

import os
import re
import signal
from typing import Any

from jobctl.units import memory_mb, seconds_of

Tree = dict[str, Any]

_SIGNALS = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")
_WITHOUT_EFFECT = frozenset({"rw", "cached", "delegated", "consistent", "rprivate"})
"""Modes of -v that ask for what happens anyway, or for nothing on Linux."""
_TRUE = frozenset({"", "1", "true"})
_NO_VOLUMES = (
    "jobd has no named volumes: give a folder of this machine as /path or ./path, or take the files of an earlier job with"
    " --in PATH=job:ID/PATH"
)
_PORT = re.compile(
    r"^(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<host>\d{1,5}):(?P<container>\d{1,5})(?:/(?P<protocol>[a-z]+))?\Z"
)
_LIMIT = re.compile(r"^(?P<name>[a-z]+)=(?P<soft>-1|\d{1,19})(?::(?P<hard>-1|\d{1,19}))?\Z")


def volume(text: str) -> Tree:
    """Returns the mount of `HOST:PATH[:MODE]`."""
    host, colon, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not colon or not target or not host:
        raise ValueError(
            f"{text!r} must be HOST:PATH or HOST:PATH:ro; for a folder that ends with the job: --tmpfs PATH, or the workspace"
        )
    if not host.startswith(("/", ".")):
        raise ValueError(f"{text!r}: {_NO_VOLUMES}")
    made: Tree = {"source": host_path(host), "target": container_path(target)}
    for word in mode.split(",") if mode else ():
        if word == "ro":
            made["readOnly"] = True
        elif word in ("z", "Z"):
            raise ValueError(
                f"{text!r}: jobd changes no SELinux labels; label the folder yourself: chcon -Rt container_file_t"
            )
        elif word not in _WITHOUT_EFFECT:
            raise ValueError(f"{text!r}: the mode {word!r} cannot be had; use ro or rw")
    return made


def mount(text: str) -> tuple[str, Tree]:
    """Returns the field and the value of `type=bind,source=...,target=...`: a mount, or an entry of `tmpfs`."""
    options = dict(_option(part) for part in text.split(","))
    kind = options.pop("type", "volume")
    if kind == "volume":
        raise ValueError(f"{text!r}: {_NO_VOLUMES} (--mount type=bind)")
    if kind not in ("bind", "tmpfs"):
        raise ValueError(f"{text!r}: a mount of the type {kind!r} cannot be had; use type=bind or type=tmpfs")
    target = options.pop("target", "")
    if not target:
        raise ValueError(f"{text!r} needs target=PATH")
    return (
        ("tmpfs", _tmpfs_mount(text, target, options))
        if kind == "tmpfs"
        else ("mounts", _bind(text, target, options))
    )


def _bind(text: str, target: str, options: dict[str, str]) -> Tree:
    source = options.pop("source", "")
    if not source:
        raise ValueError(f"{text!r} needs source=PATH")
    made: Tree = {"source": host_path(source), "target": container_path(target)}
    if options.pop("readonly", "false") in _TRUE:
        made["readOnly"] = True
    options.pop("consistency", None)
    if options.pop("bind-propagation", "rprivate") != "rprivate":
        raise ValueError(
            f"{text!r}: mounts of this machine do not propagate into a job; leave bind-propagation out"
        )
    _refuse_rest(text, options)
    return made


def _tmpfs_mount(text: str, target: str, options: dict[str, str]) -> Tree:
    words = [f"{name}={value}" for name in ("size", "mode") if (value := options.pop(f"tmpfs-{name}", ""))]
    if options.pop("readonly", "false") in _TRUE:
        words.append("ro")
    _refuse_rest(text, options)
    return {container_path(target): ",".join(words)}


_ALIASES = {"src": "source", "destination": "target", "dst": "target", "ro": "readonly"}


def _option(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return _ALIASES.get(name, name), value


def _refuse_rest(text: str, options: dict[str, str]) -> None:
    for name in options:
        raise ValueError(
            f"{text!r}: {name!r} cannot be had; use type, source, target, readonly, tmpfs-size or tmpfs-mode"
        )


def host_path(text: str) -> str:
    """Returns the absolute path of a file of this machine. `..` remains: jobd resolves links first."""
    return text if text.startswith("/") else f"{os.getcwd()}/{text.removeprefix('./')}"  # noqa: PTH109 - pathlib costs a start more


def container_path(text: str) -> str:
    """Returns a path of the container without a `/` at its end."""
    return text.rstrip("/") or text


def tmpfs(text: str) -> Tree:
    """Returns the entry of `PATH[:OPTIONS]`."""
    path, _, options = text.partition(":")
    return {container_path(path): options}


def port(text: str) -> Tree:
    """Returns the port of `[ADDRESS:]HOST:CONTAINER[/udp]`."""
    found = _PORT.match(text)
    if found is None:
        if re.fullmatch(r"\d+(/[a-z]+)?", text):
            raise ValueError(f"{text!r} needs a port of this machine too: -p 8080:{text}")
        if re.search(r"\d-\d", text):
            raise ValueError(f"{text!r}: give each port alone, as in -p 8080:80 -p 8081:81")
        raise ValueError(f"{text!r} must be HOST:CONTAINER or ADDRESS:HOST:CONTAINER, such as 8080:80")
    made: Tree = {"containerPort": int(found["container"]), "hostPort": int(found["host"])}
    if found["ip"]:
        made["hostIp"] = found["ip"].strip("[]")
    if found["protocol"]:
        made["protocol"] = found["protocol"]
    return made


def ulimit(text: str) -> Tree:
    """Returns the limit of `NAME=SOFT[:HARD]`."""
    found = _LIMIT.match(text)
    if found is None:
        raise ValueError(
            f"{text!r} must be NAME=SOFT or NAME=SOFT:HARD, such as nofile=1024:4096; -1 is no limit"
        )
    soft = int(found["soft"])
    return {"name": found["name"], "soft": soft, "hard": int(found["hard"]) if found["hard"] else soft}


def device(text: str) -> Tree:
    """Returns the device of `SOURCE[:TARGET][:rwm]`."""
    source, *rest = text.split(":")
    made: Tree = {"source": source, "target": source}
    if rest and rest[0].startswith("/"):
        made["target"] = rest.pop(0)
    if rest and rest[0]:
        made["permissions"] = rest.pop(0)
    if rest or not source:
        raise ValueError(f"{text!r} must be DEVICE, DEVICE:PATH or DEVICE:PATH:rwm, such as /dev/fuse")
    return made


def extra_host(text: str) -> str:
    """Returns the entry of `NAME:ADDRESS` or `NAME=ADDRESS`."""
    name, equals, address = text.partition("=")
    return f"{name}:{address.strip('[]')}" if equals else text


def stop_signal(text: str) -> str:
    """Returns the whole name of a signal: SIGINT for INT, sigint and 2."""
    name = text.upper().removeprefix("SIG")
    if text.isdecimal() and text.isascii():
        name = next((one for one in _SIGNALS if getattr(signal, f"SIG{one}") == int(text[:4])), "")
    if name not in _SIGNALS:
        raise ValueError(f"{text!r} is not one of {', '.join(_SIGNALS)}")
    return f"SIG{name}"


def stop_seconds(text: str) -> int:
    """Returns the whole seconds of a duration; a bare number is seconds, as in docker."""
    if text == "-1":
        raise ValueError("jobd waits for no job without a limit; give the seconds, at most 3600")
    seconds = seconds_of(text)
    if seconds != int(seconds):
        raise ValueError(f"{text!r} must be whole seconds")
    return int(seconds)


def shm_mb(text: str) -> int:
    """Returns the MB of an amount with its unit."""
    return memory_mb(text)
