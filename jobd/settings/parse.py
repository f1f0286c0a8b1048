"""Parses a single setting's text. Pure, except that defaults depend on this machine: its cores, the user's home.

Every function raises ValueError with the problem. `config.py` maps settings to these functions.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from jobd.wire.duration import parse_duration
from jobd.wire.host_alias import HOST_ALIAS
from jobd.wire.validation.limits import MAX_CPU, MAX_GPUS, MAX_MEMORY_MB, MAX_TIMEOUT_S, MIN_MEMORY_MB
from jobd.wire.validation.names import url_problem

ENGINES = ("docker", "kubernetes")
"""The engines that jobd knows; `composition/engine.py` builds them."""
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_GPU = re.compile(r"^[A-Za-z0-9][A-Za-z0-9:._/=-]{0,127}\Z")
_KUBERNETES_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_LONGEST_SOCKET = 107
MAX_SANDBOXES = 256
_MEMORY = re.compile(r"^(\d{1,12}(?:\.\d{1,6})?)\s*([mgt])(?:i?b)?\Z", re.IGNORECASE | re.ASCII)
_UNIT_MB = {"m": 1, "g": 1 << 10, "t": 1 << 20}


def is_loopback(host: str) -> bool:
    """True for `localhost` and for loopback addresses."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def path(text: str) -> Path:
    """Returns a path, with `~` replaced by the user's home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text[:80]!r} begins with the home of an unknown user") from None


def state_dir(text: str) -> Path:
    """Returns the state folder; empty: the user's default state folder."""
    if text:
        return path(text).absolute()
    return Path(platformdirs.user_state_path("jobd"))


def socket(text: str, state_dir: Path, runtime: str | None) -> Path:
    """Returns the path of the Unix socket; empty: in the user's `runtime` folder, or else in the state folder."""
    if text:
        found = path(text).absolute()
    elif runtime:
        found = Path(runtime) / "jobd" / "jobd.sock"
    else:
        found = state_dir / "jobd.sock"
    if len(os.fsencode(found)) > _LONGEST_SOCKET:
        raise ValueError(f"{found} is longer than {_LONGEST_SOCKET} bytes, the limit of a Unix socket's path")
    return found


def address(text: str) -> str:
    """Returns an IP address, or `localhost`."""
    if text != "localhost":
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ValueError(f"{text[:80]!r} is not an IP address") from None
    return text


def not_empty(text: str) -> str:
    """Returns the text."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def engine(text: str) -> str:
    """Returns the name of an engine that jobd knows, in lower case."""
    if text.lower() not in ENGINES:
        raise ValueError(f"must be one of: {', '.join(ENGINES)}; not {text[:40]!r}")
    return text.lower()


def kubernetes_namespace(text: str) -> str:
    """Returns the name of a namespace; empty: the kubeconfig's."""
    if text and (not _KUBERNETES_NAME.match(text) or "." in text or len(text) > 63):
        raise ValueError(
            f"{text[:80]!r} must be the name of a namespace: lower-case letters, digits, hyphens"
        )
    return text


def kubernetes_context(text: str) -> str:
    """Returns the name of a kubeconfig's context; empty: the current one."""
    if text and (not text.strip() or not text.isprintable()):
        raise ValueError("must be the name of a context in the kubeconfig")
    return text


def kubernetes_names(text: str) -> tuple[str, ...]:
    """Returns the comma-separated names of Kubernetes objects, each once."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if not _KUBERNETES_NAME.match(name):
            raise ValueError(f"{name[:80]!r} must be the name of an object of the namespace")
    return names


def flag(text: str) -> bool:
    """Returns whether a switch is on; an empty text is off."""
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(f"must be true or false, not {text[:40]!r}")


def proxy(text: str, values: Mapping[str, str], port: int) -> str | None:
    """Returns the URL at which containers reach this daemon on `port`; None for an empty text in `values`: direct mode."""
    if "CALLBACK_PROXY_URL" not in values:
        return f"http://{HOST_ALIAS}:{port}"
    if not text:
        return None
    if why := url_problem(text):
        raise ValueError(why)
    return text.rstrip("/")


def names(text: str) -> tuple[str, ...]:
    """Returns the comma-separated names of this host, in lower case."""
    found = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for name in found:
        if not _HOST.match(name):
            raise ValueError(f"{name[:80]!r} is not a host name")
    return found


def gpus(text: str) -> tuple[str, ...]:
    """Returns the comma-separated ids of GPUs, each once."""
    ids = tuple(part.strip() for part in text.split(",") if part.strip())
    for one in ids:
        if not _GPU.match(one):
            raise ValueError(f"{one[:80]!r} must be the number or the UUID of a GPU")
    if len(ids) > MAX_GPUS or len(set(ids)) < len(ids):
        raise ValueError(f"must name each GPU once, at most {MAX_GPUS}")
    return ids


def folders(text: str) -> tuple[str, ...]:
    """Returns the comma-separated folders, which are absolute paths."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for folder in found:
        if not folder.startswith("/") or folder.strip("/") == "":
            raise ValueError(f"{folder[:80]!r} must be the absolute path of a folder, and not /")
    return found


def devices(text: str) -> tuple[str, ...]:
    """Returns the comma-separated devices, or folders of devices."""
    found = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for device in found:
        if not device.startswith("/dev/") or {"", ".", ".."} & set(device.split("/")[1:]):
            raise ValueError(f"{device[:80]!r} must be a path below /dev, such as /dev/fuse")
    return found


def extra_hosts(text: str) -> tuple[str, ...]:
    """Returns the comma-separated entries for containers' hosts files."""
    entries = tuple(part.strip() for part in text.split(",") if part.strip())
    for entry in entries:
        host, _, ip = entry.partition(":")
        if not _HOST.match(host):
            raise ValueError(f"{entry[:80]!r} must be host:ip or host:host-gateway")
        if ip != "host-gateway":
            try:
                ipaddress.ip_address(ip.strip("[]"))
            except ValueError:
                raise ValueError(f"{entry[:80]!r} must be host:ip or host:host-gateway") from None
    return entries


def concurrency(text: str) -> int:
    """Returns the number of concurrent jobs; empty: four for each core."""
    if not text:
        return 4 * (os.cpu_count() or 1)
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
        raise ValueError(f"must be a whole number from 1 to 999999, not {text[:40]!r}")
    return int(text)


def sandbox_pool(text: str) -> int | None:
    """Returns the most network sandboxes; 0 for `off`, None for `auto`."""
    if text in ("auto", "off"):
        return None if text == "auto" else 0
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > MAX_SANDBOXES:
        raise ValueError(f"must be auto, off or a whole number up to {MAX_SANDBOXES}, not {text[:40]!r}")
    return int(text)


def timeout(text: str) -> float:
    """Returns the seconds of the longest timeout."""
    seconds = parse_duration(text)
    if not 1 <= seconds <= MAX_TIMEOUT_S:
        raise ValueError(f"must be from 1s to {MAX_TIMEOUT_S // 3600}h, not {text[:40]!r}")
    return seconds


def memory(text: str) -> int:
    """Returns an amount with a unit in MiB."""
    found = _MEMORY.match(text.strip())
    if found is None:
        raise ValueError(f"must be an amount with its unit, such as 512m or 64g, not {text[:40]!r}")
    amount_mb = int(float(found[1]) * _UNIT_MB[found[2].lower()])
    if not MIN_MEMORY_MB <= amount_mb <= MAX_MEMORY_MB:
        raise ValueError(f"must be from {MIN_MEMORY_MB}m to {MAX_MEMORY_MB >> 20}t, not {text[:40]!r}")
    return amount_mb


def cpus(text: str) -> float:
    """Returns a number of cores."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not 0.01 <= float(text) <= MAX_CPU:
        raise ValueError(f"must be a number of cores from 0.01 to {MAX_CPU}, not {text[:40]!r}")
    return float(text)


def log_format(text: str) -> str:
    """Returns the log's format, in lower case."""
    if text.lower() not in ("auto", "text", "json"):
        raise ValueError("must be auto, text or json")
    return text.lower()


def log_level(text: str) -> str:
    """Returns the log level, in lower case."""
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return text.lower()
