"""What makes a job spec acceptable: every limit of the contract, each refusal naming its field and the remedy.

Pure. Types and unknown fields are checked by decoding; values and what they mean together by `problems`.

Source: tables "Job spec" and "Artifacts" of the wire contract; the engine's own limits.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from jobd.wire.artifact import JOB, Artifact, Download, List, Read, Unarchive, Upload, Write
from jobd.wire.event import SOURCES
from jobd.wire.job import ALL_CAPABILITIES, CAPABILITIES, RETRY_REASONS, Callback, JobSpec
from jobd.wire.signing import keys_of, standard_webhooks_key

MAX_BODY_BYTES = 1 << 20
MAX_TEXT_BYTES = 128 * 1024 - 1
"""One argument or variable: the kernel refuses a longer one and the engine does not say so."""
ID_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$"
MAX_ID = 128
MAX_META, MAX_META_KEY, MAX_META_VALUE = 32, 64, 256
MAX_LABELS = 32
MAX_CPU = 64
MIN_MEMORY_MB, MAX_MEMORY_MB = 6, 65536
MAX_TIMEOUT_S = 86400
MAX_ARTIFACTS = 64
MAX_CALLBACK_EVENTS = 16
MAX_KEYS, MAX_KEY = 4, 4096
MAX_PIDS = 4_194_304
MAX_RETRIES, MAX_RETRY_ON = 10, 32
MAX_URL = 8192
MAX_PATH = 4096
MAX_IMAGE = 512

_ID = re.compile(ID_PATTERN.replace("$", r"\Z"))
_USER = re.compile(r"^([0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]*)(:([0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]*))?\Z")
_IMAGE = re.compile(
    r"^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
_PLATFORM = re.compile(r"^[a-z0-9]+(/[a-z0-9_]+){0,2}\Z")
_RUNTIME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}\Z")
_MODE = re.compile(r"^0?[0-7]{3}\Z")
_SHA256 = re.compile(r"^[0-9a-fA-F]{64}\Z")
_FORBIDDEN_WORKSPACES = ("/proc", "/sys", "/dev")
_PATH_IN_MESSAGE = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"^Object contains unknown field `(?P<field>.*)`$", re.DOTALL)
_MISSING_FIELD = re.compile(r"^Object missing required field `(?P<field>.*)`$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the field, as a path such as `artifacts[0].out`, and what to do about it."""

    field: str
    message: str


class InvalidSpec(ValueError):
    """A spec that is refused. `problems` holds at least one; the first is what an API error shows."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in problems))
        self.problems = problems


_decoder = msgspec.json.Decoder(JobSpec)


def decode_spec(body: bytes) -> JobSpec:
    """Returns the valid spec in a JSON body.

    Raises:
        InvalidSpec: it is no JSON, has a wrong type, an unknown or missing field, or a value that is out of bounds.
    """
    try:
        spec = _decoder.decode(body)
    except UnicodeDecodeError:
        raise InvalidSpec([Problem("", "the body is not UTF-8 text")]) from None
    except RecursionError:
        raise InvalidSpec([Problem("", "the body is nested too deeply")]) from None
    except msgspec.DecodeError as error:
        raise InvalidSpec([problem_of(error)]) from None
    return checked(spec)


def convert_spec(tree: object) -> JobSpec:
    """Returns the valid spec in a tree of builtins, as YAML or flags give it. Raises as `decode_spec` does."""
    try:
        spec = msgspec.convert(tree, JobSpec)
    except msgspec.ValidationError as error:
        raise InvalidSpec([problem_of(error)]) from None
    return checked(spec)


def checked(spec: JobSpec) -> JobSpec:
    """Returns `spec` where nothing is wrong with it.

    Raises:
        InvalidSpec: with all problems at once.
    """
    found = problems(spec)
    if found:
        raise InvalidSpec(found)
    return spec


def problem_of(error: msgspec.DecodeError) -> Problem:
    """Returns the field path and the text of a decoding error: `$.artifacts[0]`, unknown `x` -> `artifacts[0].x`."""
    match = _PATH_IN_MESSAGE.match(str(error))
    text, path = (match["text"], match["path"] or "$") if match else (str(error), "$")
    field = path.removeprefix("$").removeprefix(".")
    within = f"{field}." if field else ""
    if unknown := _UNKNOWN_FIELD.match(text):
        return Problem(within + (unknown["field"] or '""'), "unknown field; remove it or correct its name")
    if missing := _MISSING_FIELD.match(text):
        return Problem(within + missing["field"], "is required")
    if text.startswith("Invalid value") and field.endswith("type"):
        text = "unknown artifact type; use one of download, write, unarchive, upload, read, archive, list"
    if text.startswith(("JSON is malformed", "Input data was truncated")):
        return Problem("", f"the body is not JSON: {text.removeprefix('JSON is malformed: ')}")
    return Problem(field.replace("[...]", ""), text[:1].lower() + text[1:])


def problems(spec: JobSpec) -> list[Problem]:
    """Returns everything that is wrong with a decoded spec, in the order of the contract's tables; empty: valid."""
    return [*_job(spec), *_artifacts(spec.artifacts), *(_callback(spec.callback) if spec.callback else ())]


def id_problem(text: str) -> str | None:
    """Returns why `text` cannot be a job's or an artifact's id, or None where it can."""
    if not text:
        return "must not be empty"
    if len(text) > MAX_ID:
        return f"must be at most {MAX_ID} characters"
    if not _ID.match(text):
        return "must start with a letter or digit and hold only letters, digits, '-' and '_'"
    return None


def _job(spec: JobSpec) -> Iterator[Problem]:
    if why := id_problem(spec.id):
        yield Problem("id", why)
    yield from _map("meta", spec.meta, MAX_META, MAX_META_KEY, MAX_META_VALUE)
    if not spec.image or len(spec.image) > MAX_IMAGE or not _IMAGE.match(spec.image):
        yield Problem(
            "image", "must be an image reference such as busybox:latest or registry:5000/team/tool@sha256:..."
        )
    yield from _arguments(spec)
    if not math.isfinite(spec.cpu) or spec.cpu < 0 or spec.cpu > MAX_CPU:
        yield Problem("cpu", f"must be more than 0 and at most {MAX_CPU} cores")
    elif 0 < spec.cpu < 0.01:
        yield Problem("cpu", "must be at least 0.01 cores, the engine's smallest share")
    if spec.memory and not MIN_MEMORY_MB <= spec.memory <= MAX_MEMORY_MB:
        yield Problem("memory", f"must be from {MIN_MEMORY_MB} to {MAX_MEMORY_MB} MB")
    yield from _environment(spec.environment)
    if not 0 <= spec.timeout_seconds <= MAX_TIMEOUT_S:
        yield Problem("timeoutSeconds", f"must be from 1 to {MAX_TIMEOUT_S} seconds")
    if why := _workspace(spec.workspace):
        yield Problem("workspace", why)
    yield from _map("labels", spec.labels, MAX_LABELS, MAX_META_KEY, MAX_META_VALUE)
    if not 0 <= spec.pids <= MAX_PIDS:
        yield Problem("pids", f"must be from 1 to {MAX_PIDS}")
    if spec.user is not None and not _USER.match(spec.user):
        yield Problem("user", "must be uid[:gid] or a name, for instance 1000:1000")
    if spec.platform is not None and not _PLATFORM.match(spec.platform):
        yield Problem("platform", "must be os[/architecture[/variant]], for instance linux/amd64")
    if spec.runtime is not None and not _RUNTIME.match(spec.runtime):
        yield Problem("runtime", "must be the name of a runtime that the engine knows, for instance runc")
    yield from _capabilities("capDrop", spec.cap_drop, CAPABILITIES | {ALL_CAPABILITIES})
    yield from _capabilities("capAdd", spec.cap_add, CAPABILITIES)
    yield from _retries(spec)


def _capabilities(field: str, names: list[str], known: frozenset[str]) -> Iterator[Problem]:
    if len(names) > len(known):
        yield Problem(field, f"must have at most {len(known)} entries")
        return
    for index, name in enumerate(names):
        if name not in known:
            also = f", or {ALL_CAPABILITIES}" if ALL_CAPABILITIES in known else ""
            yield Problem(
                f"{field}[{index}]",
                f"must be a capability such as NET_ADMIN, without CAP_, in capitals{also}",
            )


def _retries(spec: JobSpec) -> Iterator[Problem]:
    if not 0 <= spec.retries <= MAX_RETRIES:
        yield Problem("retries", f"must be from 0 to {MAX_RETRIES}")
    if len(spec.retry_on) > MAX_RETRY_ON:
        yield Problem("retryOn", f"must have at most {MAX_RETRY_ON} entries")
    for index, cause in enumerate(spec.retry_on):
        if isinstance(cause, int) and not 1 <= cause <= 255:
            yield Problem(f"retryOn[{index}]", "an exit code must be from 1 to 255")
        if isinstance(cause, str) and cause not in RETRY_REASONS:
            yield Problem(
                f"retryOn[{index}]", f"must be an exit code or one of {', '.join(sorted(RETRY_REASONS))}"
            )


def _arguments(spec: JobSpec) -> Iterator[Problem]:
    if isinstance(spec.command, str):
        if not spec.command:
            yield Problem("command", "must not be empty; leave it out to run the image's own command")
        yield from _text("command", spec.command)
    for name, values in (("command", spec.command), ("entrypoint", spec.entrypoint)):
        if isinstance(values, list):
            if not values:
                yield Problem(name, f"must not be an empty list; leave it out to run the image's own {name}")
            for index, value in enumerate(values):
                yield from _text(f"{name}[{index}]", value)
    if isinstance(spec.command, str) and spec.entrypoint is not None:
        yield Problem(
            "entrypoint", "cannot be combined with a command given as text, which replaces the entrypoint"
        )


def _environment(environment: dict[str, str]) -> Iterator[Problem]:
    for name, value in environment.items():
        field = f"environment.{name[:64]}"
        if not name or "=" in name:
            yield Problem(field, "a variable's name must not be empty or hold '='")
        yield from _text(field, f"{name}={value}")


def _map(
    field: str, values: dict[str, str], entries: int, key_length: int, value_length: int
) -> Iterator[Problem]:
    if len(values) > entries:
        yield Problem(field, f"must have at most {entries} entries")
    for key, value in values.items():
        at = f"{field}.{key[:key_length]}"
        if not key or len(key) > key_length:
            yield Problem(at, f"a key must have 1 to {key_length} characters")
        if len(value) > value_length:
            yield Problem(at, f"must be at most {value_length} characters")
        if "\0" in key or "\0" in value:
            yield Problem(at, "must not hold a NUL character")


def _text(field: str, value: str) -> Iterator[Problem]:
    if "\0" in value:
        yield Problem(field, "must not hold a NUL character")
    if _utf8_length(value) > MAX_TEXT_BYTES:
        yield Problem(
            field,
            f"must be at most {MAX_TEXT_BYTES} bytes; write longer text to a file with a write artifact",
        )


def _utf8_length(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def _workspace(path: str) -> str | None:
    parts = path.split("/")
    if not path.startswith("/") or "\0" in path or len(path) > MAX_PATH or ":" in path:
        return "must be an absolute path without ':'"
    if "." in parts or ".." in parts or "" in parts[1:]:
        return "must be a plain absolute path without '.', '..', '//' or a '/' at its end; '/' itself is not allowed"
    if any(path == bad or path.startswith(bad + "/") for bad in _FORBIDDEN_WORKSPACES):
        return "must not be below /proc, /sys or /dev"
    return None


def path_problem(path: str) -> str | None:
    """Returns why `path` cannot name something inside the workspace, or None where it can. `.` is the workspace."""
    if not path:
        return "must not be empty"
    if path.startswith("/"):
        return "must be relative to the workspace"
    if "\0" in path:
        return "must not hold a NUL character"
    if len(path) > MAX_PATH or any(_utf8_length(part) > 255 for part in path.split("/")):
        return f"must be at most {MAX_PATH} characters, each name at most 255 bytes"
    if ".." in path.split("/"):
        return "must stay inside the workspace: '..' is not allowed"
    return None


def url_problem(url: str) -> str | None:
    """Returns why `url` is no http(s) URL that can be used, or None where it is."""
    if len(url) > MAX_URL:
        return f"must be at most {MAX_URL} characters"
    if any(char <= " " or char == "\x7f" for char in url):
        return "must not hold spaces or control characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be an http:// or https:// URL with a valid host and port"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "must be an http:// or https:// URL with a valid host and port"
    return None


def _artifacts(artifacts: list[Artifact]) -> Iterator[Problem]:
    if len(artifacts) > MAX_ARTIFACTS:
        yield Problem("artifacts", f"must have at most {MAX_ARTIFACTS} entries")
        return
    seen: set[str] = set()
    for index, artifact in enumerate(artifacts):
        at = f"artifacts[{index}]"
        if why := id_problem(artifact.id):
            yield Problem(f"{at}.id", why)
        elif artifact.id == JOB:
            yield Problem(f"{at}.id", "'job' stands for the job itself; choose another id")
        elif artifact.id in seen:
            yield Problem(f"{at}.id", f"{artifact.id!r} is used twice; ids must be unique")
        seen.add(artifact.id)
        yield from _paths(at, artifact)
        yield from _options(at, artifact)
    yield from _dependencies(artifacts)


def _paths(at: str, artifact: Artifact) -> Iterator[Problem]:
    if isinstance(artifact, Download):
        why = url_problem(artifact.source)
    else:
        why = None if isinstance(artifact, Write) else path_problem(artifact.source)
    if why:
        yield Problem(f"{at}.in", why)
    if isinstance(artifact, Read | List):
        return
    if isinstance(artifact, Upload):
        why = url_problem(artifact.out)
    else:
        why = path_problem(artifact.out)
        if (
            not why
            and not isinstance(artifact, Unarchive)
            and artifact.out.rstrip("/").rpartition("/")[2] in ("", ".")
        ):
            why = "must name a file"
        elif not why and not isinstance(artifact, Unarchive) and artifact.out.endswith("/"):
            why = "must name a file, without a '/' at its end"
    if why:
        yield Problem(f"{at}.out", why)


def _options(at: str, artifact: Artifact) -> Iterator[Problem]:
    if isinstance(artifact, Download):
        if artifact.sha256 is not None and not _SHA256.match(artifact.sha256):
            yield Problem(f"{at}.sha256", "must be 64 hexadecimal digits")
        if artifact.max_bytes is not None and artifact.max_bytes <= 0:
            yield Problem(f"{at}.maxBytes", "must be more than 0")
    if isinstance(artifact, Write) and artifact.mode is not None and not _MODE.match(artifact.mode):
        yield Problem(f"{at}.mode", 'must be octal permissions such as "0644"')
    if (
        isinstance(artifact, Unarchive)
        and artifact.subdir is not None
        and (why := path_problem(artifact.subdir))
    ):
        yield Problem(f"{at}.subdir", why.replace("the workspace", "the archive"))
    if isinstance(artifact, List):
        for index, glob in enumerate(artifact.excludes):
            if not glob or len(glob) > 255 or "\0" in glob:
                yield Problem(f"{at}.excludes[{index}]", "must be a glob of 1 to 255 characters")


def _dependencies(artifacts: list[Artifact]) -> Iterator[Problem]:
    depends = {a.id: a.depends for a in artifacts}
    sound: set[str] = set()
    for index, artifact in enumerate(artifacts):
        at = f"artifacts[{index}].depends"
        if artifact.depends is None or artifact.depends == JOB:
            continue
        if artifact.depends not in depends:
            yield Problem(at, f"{artifact.depends!r} is neither an artifact's id nor 'job'")
            continue
        chain: list[str] = []
        step: str | None = artifact.id
        while step in depends and step not in chain and step not in sound:
            chain.append(step)
            step = depends[step]
        if step in chain:
            yield Problem(at, "depends on itself: " + " -> ".join([*chain, str(step)]))
        else:
            sound.update(chain)


def _callback(callback: Callback) -> Iterator[Problem]:
    if why := url_problem(callback.url):
        yield Problem("callback.url", why)
    if len(callback.events) > MAX_CALLBACK_EVENTS:
        yield Problem("callback.events", f"must have at most {MAX_CALLBACK_EVENTS} entries")
    for index, event_type in enumerate(callback.events):
        if event_type not in SOURCES:
            yield Problem(f"callback.events[{index}]", f"unknown event type; use one of {', '.join(SOURCES)}")
    if callback.key is not None:
        yield from _keys(callback.key)


def _keys(text: str) -> Iterator[Problem]:
    keys = keys_of(text)
    if len(keys) > MAX_KEYS:
        yield Problem("callback.key", f"must hold at most {MAX_KEYS} keys")
        return
    if any(not key or len(key) > MAX_KEY or "\0" in key for key in keys):
        yield Problem(
            "callback.key",
            f"must have 1 to {MAX_KEY} characters (each key, where there are several) and no NUL",
        )
        return
    try:
        for key in keys:
            standard_webhooks_key(key)
    except ValueError as error:
        yield Problem("callback.key", str(error))
