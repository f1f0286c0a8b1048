"""Validation of ids, paths in the workspace, workspaces and URLs. Pure: each rule returns the reason of a refusal, or None."""

import re
from urllib.parse import urlsplit

from jobd.wire.files.filenames import readable, unescape
from jobd.wire.files.paths import path_flaw
from jobd.wire.validation.limits import GROUP_PATTERN, ID_PATTERN, MAX_GROUP, MAX_ID, MAX_PATH, MAX_URL

_ID = re.compile(ID_PATTERN.replace("$", r"\Z"))
_GROUP = re.compile(GROUP_PATTERN.replace("$", r"\Z"))
_FORBIDDEN_WORKSPACES = ("/proc", "/sys", "/dev")


def id_problem(text: str) -> str | None:
    """Returns why `text` is not a valid id of a job or an artifact, None where it is."""
    if not text:
        return "must not be empty"
    if len(text) > MAX_ID:
        return f"must be at most {MAX_ID} characters"
    if not _ID.match(text):
        return "must start with a letter or digit and contain only letters, digits, '-' and '_'"
    return None


def group_problem(text: str) -> str | None:
    """Returns why `text` is not a valid name of a group, None where it is."""
    if len(text) > MAX_GROUP:
        return f"must be at most {MAX_GROUP} characters"
    if not _GROUP.match(text):
        return "must start with a letter or digit and contain only letters, digits, '-', '_' and '.'"
    return None


def engine_names(job_id: str) -> tuple[str, ...]:
    """Returns the names of a job's containers and volumes on the engine."""
    return tuple(f"job-{job_id}-{part}" for part in ("worker", "sidecar", "workspace", "secrets"))


def path_problem(path: str) -> str | None:
    """Returns why `path` is not a valid path inside the workspace, None where it is. `.` is the workspace.

    `filenames.escape` defines the text of a name that is no UTF-8; the limit of a name's length counts its bytes.
    """
    if not path:
        return "must not be empty"
    if readable(path) != path:
        return r"must be text; write a byte that is no UTF-8 as \xHH"
    flaw = path_flaw(path)
    if flaw == "absolute":
        return "must be relative to the workspace"
    if flaw == "nul":
        return "must not contain a NUL character"
    if len(path) > MAX_PATH or any(len(unescape(part)) > 255 for part in path.split("/")):
        return f"must be at most {MAX_PATH} characters, each name at most 255 bytes"
    if flaw == "parent":
        return "must stay inside the workspace: '..' is not allowed"
    return None


def url_problem(url: str) -> str | None:
    """Returns why `url` is not a valid http(s) URL, None where it is."""
    if len(url) > MAX_URL:
        return f"must be at most {MAX_URL} characters"
    if any(char <= " " or char == "\x7f" for char in url):
        return "must not contain spaces or control characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be an http:// or https:// URL with a valid host and port"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "must be an http:// or https:// URL with a valid host and port"
    return None


def workspace_problem(path: str) -> str | None:
    """Returns why `path` is not a valid mount point of the workspace, None where it is."""
    parts = path.split("/")  # an absolute path: jobd.wire.files.paths is about relative ones
    if not path.startswith("/") or "\0" in path or len(path) > MAX_PATH or ":" in path:
        return "must be an absolute path without ':'"
    if "." in parts or ".." in parts or "" in parts[1:]:
        return "must be a plain absolute path without '.', '..', '//' or a '/' at its end; '/' itself is not allowed"
    if any(path == bad or path.startswith(bad + "/") for bad in _FORBIDDEN_WORKSPACES):
        return "must not be below /proc, /sys or /dev"
    return None


def utf8_length(value: str) -> int:
    """Returns the length of the text in UTF-8."""
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
