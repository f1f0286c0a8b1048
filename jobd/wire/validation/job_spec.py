"""Validation of a job spec: every limit of the contract. Each refusal names its field and the remedy.

Pure. Decoding checks types and unknown fields; `problems` checks values and their combinations.

Source: man/job.5; docs/wire-values.md; Docker Engine API, ContainerCreate.
"""

import math
import re
from collections.abc import Iterator

from jobd.wire.event import SOURCES
from jobd.wire.files.filenames import unescape
from jobd.wire.job import (
    ALL_CAPABILITIES,
    CAPABILITIES,
    SECRETS_FOLDER,
    Callback,
    JobSpec,
    Output,
)
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.signing import keys_of
from jobd.wire.validation.artifacts import artifact_problems
from jobd.wire.validation.body import BodyDecoder
from jobd.wire.validation.container import container_problems
from jobd.wire.validation.limits import (
    MAX_CALLBACK_EVENTS,
    MAX_CPU,
    MAX_IMAGE,
    MAX_KEY,
    MAX_KEYS,
    MAX_LABELS,
    MAX_MEMORY_MB,
    MAX_META,
    MAX_META_KEY,
    MAX_META_VALUE,
    MAX_OUTPUTS,
    MAX_PIDS,
    MAX_SECRET_BYTES,
    MAX_SECRETS,
    MAX_TEXT_BYTES,
    MAX_TIMEOUT_S,
    MIN_MEMORY_MB,
)
from jobd.wire.validation.names import (
    id_problem,
    path_problem,
    url_problem,
    utf8_length,
    workspace_problem,
)
from jobd.wire.validation.normal import normal_form
from jobd.wire.validation.queue import queue_problems, retry_problems

_USER = re.compile(r"^([0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]*)(:([0-9]{1,10}|[A-Za-z_][A-Za-z0-9_.-]*))?\Z")
_IMAGE = re.compile(
    r"^(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
_PLATFORM = re.compile(r"^[a-z0-9]+(/[a-z0-9_]+){0,2}\Z")
_RUNTIME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}\Z")
_SECRET = re.compile(r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,63}\Z")


_decoder = BodyDecoder(JobSpec)


def decode_spec(body: bytes) -> JobSpec:
    """Returns the valid spec in a JSON body, in its normal form.

    Raises:
        InvalidSpec: the body is no JSON, or has a duplicate name, a wrong type, an unknown or missing field, or an invalid value.
    """
    return checked(normal_form(_decoder.decode(body)))


def convert_spec(tree: object) -> JobSpec:
    """Returns the valid spec in a tree of builtins, as from YAML or flags, in its normal form. Raises as `decode_spec` does."""
    return checked(decoded_tree(tree))


def decoded_tree(tree: object) -> JobSpec:
    """Returns the spec in a tree of builtins, in its normal form, without validation of its values.

    Raises:
        InvalidSpec: names the first wrong type, unknown or missing field.
    """
    return normal_form(_decoder.convert(tree))


def checked(spec: JobSpec) -> JobSpec:
    """Returns `spec` if it is valid.

    Raises:
        InvalidSpec: with all problems at once.
    """
    found = problems(spec)
    if found:
        raise InvalidSpec(found)
    return spec


def problems(spec: JobSpec) -> list[Problem]:
    """Returns all problems of a decoded spec, in the order of the contract's tables; empty for a valid spec."""
    return [
        *_job(spec),
        *artifact_problems(spec.artifacts, spec.id),
        *_outputs(spec.outputs),
        *(_callback(spec.callback) if spec.callback else ()),
    ]


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
        over = spec.cpu > MAX_CPU
        yield Problem("cpu", f"must be at most {MAX_CPU} cores" if over else "must be more than 0 cores")
    elif 0 < spec.cpu < 0.01:
        yield Problem("cpu", "must be at least 0.01 cores, the engine's smallest share")
    if spec.memory and not MIN_MEMORY_MB <= spec.memory <= MAX_MEMORY_MB:
        over = spec.memory > MAX_MEMORY_MB
        yield Problem(
            "memory",
            f"must be at most {MAX_MEMORY_MB} MB" if over else f"must be at least {MIN_MEMORY_MB} MB",
        )
    yield from _environment(spec.environment)
    if not 0 <= spec.timeout_seconds <= MAX_TIMEOUT_S:
        over = spec.timeout_seconds > 0
        yield Problem(
            "timeoutSeconds",
            f"must be at most {MAX_TIMEOUT_S} seconds" if over else "must be at least 1 second",
        )
    if why := workspace_problem(spec.workspace):
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
    yield from _secrets(spec)
    yield from retry_problems(spec)
    yield from queue_problems(spec)
    yield from container_problems(spec)


def _outputs(outputs: list[Output]) -> Iterator[Problem]:
    if len(outputs) > MAX_OUTPUTS:
        yield Problem("outputs", f"must have at most {MAX_OUTPUTS} entries")
        return
    seen: set[str] = set()
    for index, output in enumerate(outputs):
        at = f"outputs[{index}].path"
        if why := path_problem(output.path):
            yield Problem(at, why)
            continue
        try:
            unescape(output.path).decode()
        except UnicodeDecodeError:
            yield Problem(
                at,
                "contains bytes that are no UTF-8, which the engine loses; name the folder that contains the file",
            )
        if output.path in seen:
            yield Problem(at, f"{output.path!r} is listed twice")
        seen.add(output.path)


def _secrets(spec: JobSpec) -> Iterator[Problem]:
    """Yields problems that quote no value of a secret."""
    if len(spec.secrets) > MAX_SECRETS:
        yield Problem("secrets", f"must have at most {MAX_SECRETS} entries")
    for name, value in spec.secrets.items():
        if not _SECRET.match(name):
            yield Problem(
                f"secrets.{name[:64]}", "a name must be 1 to 64 letters, digits, '_', '.' or '-', as a file's"
            )
        if utf8_length(value) > MAX_SECRET_BYTES:
            yield Problem(f"secrets.{name[:64]}", f"must be at most {MAX_SECRET_BYTES} bytes")
        if not _is_utf8(value):
            yield Problem(f"secrets.{name[:64]}", "must be text")
    if spec.secrets and (spec.workspace + "/").startswith(SECRETS_FOLDER + "/"):
        yield Problem("workspace", f"must not be {SECRETS_FOLDER} or below it where there are secrets")


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


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


def _arguments(spec: JobSpec) -> Iterator[Problem]:
    if isinstance(spec.command, str):
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
            yield Problem(field, "a variable's name must not be empty or contain '='")
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
            yield Problem(at, "must not contain a NUL character")


def _text(field: str, value: str) -> Iterator[Problem]:
    if "\0" in value:
        yield Problem(field, "must not contain a NUL character")
    if utf8_length(value) > MAX_TEXT_BYTES:
        yield Problem(
            field,
            f"must be at most {MAX_TEXT_BYTES} bytes; write longer text to a file with a write artifact",
        )


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
        yield Problem("callback.key", f"must have at most {MAX_KEYS} keys")
        return
    if any(not key or len(key) > MAX_KEY or "\0" in key for key in keys):
        yield Problem(
            "callback.key",
            f"must have 1 to {MAX_KEY} characters (each key, where there are several) and no NUL",
        )
