"""The order from environment variables, for a sidecar without jobd.

Owns the variables' names, defaults and checks; all problems are reported together. The environment is an argument. jobd has already
checked an order on stdin.

Source: docs/configuration.md, "The sidecar by hand".
"""

import uuid
from collections.abc import Mapping
from math import isfinite
from typing import TypeVar

import msgspec

from jobd.wire.artifact import Artifact
from jobd.wire.duration import parse_duration
from jobd.wire.job import DEFAULT_TIMEOUT_S, DEFAULT_WORKSPACE, Callback, JobSpec
from jobd.wire.problem import problem_of
from jobd.wire.report import DirectCallback, SidecarOrder
from jobd.wire.validation.job_spec import problems
from jobd.wire.validation.names import url_problem

SWITCH = "ARTIFACTS_JSON"
"""Where this variable is set, the order comes from the environment."""
MOST_RETRIES = 100
_VARIABLES = {
    "id": "JOB_ID",
    "meta": "JOB_META",
    "workspace": "SHARED_VOLUME_PATH",
    "timeoutSeconds": "TIMEOUT_SECONDS",
    "artifacts": SWITCH,
    "callback.url": "CALLBACK_URL",
    "callback.events": "CALLBACK_EVENTS",
    "callback.key": "CALLBACK_KEY",
}
T = TypeVar("T")

_artifacts = msgspec.json.Decoder(list[Artifact])
_meta = msgspec.json.Decoder(dict[str, str])


class InvalidEnvironment(ValueError):
    """Invalid variables; `problems` has one text for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def from_env(environ: Mapping[str, str]) -> SidecarOrder:
    """Returns the order. With `CALLBACK_PROXY_URL` reports go there and not to `CALLBACK_URL`.

    Raises:
        InvalidEnvironment: some variables are invalid.
    """
    reading = _Reading(environ)
    job_id = reading.text("JOB_ID", "")
    artifacts = reading.json(SWITCH, _artifacts, [])
    meta = reading.json("JOB_META", _meta, {})
    workspace = reading.text("SHARED_VOLUME_PATH", DEFAULT_WORKSPACE)
    timeout_s = reading.integer("TIMEOUT_SECONDS", DEFAULT_TIMEOUT_S)
    callback_timeout_s = reading.duration("CALLBACK_TIMEOUT", "30s")
    upload_timeout_s = reading.duration("UPLOAD_TIMEOUT", "5m")
    upload_retries = reading.integer("UPLOAD_RETRIES", 3)
    callback = _callback(reading)
    proxy_url, token = _proxy(reading)
    if upload_retries > MOST_RETRIES:
        reading.problem("UPLOAD_RETRIES", f"must be at most {MOST_RETRIES}")
    reading.check_spec(
        JobSpec(
            id=job_id,
            image="none",
            meta=meta,
            workspace=workspace,
            artifacts=artifacts,
            timeout_seconds=timeout_s,
            callback=callback,
        )
    )
    reading.finish()
    direct = (
        DirectCallback(url=callback.url, events=callback.events, key=callback.key)
        if callback is not None and proxy_url is None
        else None
    )
    return SidecarOrder(
        job_id=job_id,
        job_uid=uuid.uuid4().hex,
        artifacts=artifacts,
        meta=meta,
        workspace=workspace,
        timeout_s=timeout_s or DEFAULT_TIMEOUT_S,
        callback=direct,
        callback_timeout_s=callback_timeout_s,
        upload_timeout_s=upload_timeout_s,
        upload_retries=upload_retries,
        proxy_url=proxy_url,
        token=token,
    )


def _callback(reading: "_Reading") -> Callback | None:
    url = reading.text("CALLBACK_URL", "")
    events = [event.strip() for event in reading.text("CALLBACK_EVENTS", "").split(",") if event.strip()]
    key = reading.text("CALLBACK_KEY", "") or None
    if not url:
        for name, value in (("CALLBACK_EVENTS", events), ("CALLBACK_KEY", key)):
            if value:
                reading.problem(name, "needs CALLBACK_URL")
        return None
    return Callback(url=url, events=events, key=key)


def _proxy(reading: "_Reading") -> tuple[str | None, str | None]:
    proxy_url = reading.text("CALLBACK_PROXY_URL", "") or None
    token = reading.text("JOB_TOKEN", "") or None
    if proxy_url is not None:
        if why := url_problem(proxy_url):
            reading.problem("CALLBACK_PROXY_URL", why)
        if token is None:
            reading.problem("JOB_TOKEN", "is required with CALLBACK_PROXY_URL")
        elif not (token.isascii() and token.isprintable() and " " not in token):
            reading.problem("JOB_TOKEN", "must contain only printable ASCII characters")
    elif token is not None:
        reading.problem("JOB_TOKEN", "needs CALLBACK_PROXY_URL")
    return proxy_url, token


class _Reading:
    """Reads variables and collects their problems. An empty variable counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def problem(self, name: str, why: str) -> None:
        self._problems.append(f"{name}: {why}")

    def finish(self) -> None:
        if self._problems:
            raise InvalidEnvironment(self._problems)

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name) or default

    def integer(self, name: str, default: int) -> int:
        text = self.text(name, str(default)).strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            self.problem(name, f"{text[:64]!r} is not a whole number of 0 or more")
            return default
        return int(text)

    def duration(self, name: str, default: str) -> float:
        try:
            seconds = parse_duration(self.text(name, default))
        except ValueError as error:
            self.problem(name, str(error))
            return parse_duration(default)
        if not (isfinite(seconds) and seconds > 0):
            self.problem(name, "must be more than 0")
        return seconds

    def json(self, name: str, decoder: "msgspec.json.Decoder[T]", default: T) -> T:
        text = self._environ.get(name)
        if not text:
            return default
        try:
            return decoder.decode(text.encode(errors="surrogateescape"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = problem_of(error) if isinstance(error, msgspec.DecodeError) else None
            where = f"{problem.field}: " if problem and problem.field else ""
            self.problem(
                name,
                where + (problem.message.replace("the body", "the value") if problem else "is not JSON text"),
            )
            return default

    def check_spec(self, spec: JobSpec) -> None:
        """Applies the contract's checks and reports each problem under the field's variable."""
        reported = {text.partition(":")[0] for text in self._problems}
        for problem in problems(spec):
            field = next(
                (f for f in _VARIABLES if problem.field == f or problem.field.startswith((f + ".", f + "["))),
                "",
            )
            name = _VARIABLES.get(field, "")
            if name and name not in reported:
                rest = "" if problem.field == field else f"{problem.field}: "
                self.problem(name, rest + problem.message)
