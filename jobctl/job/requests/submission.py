"""Submits a job. Repeats the request with an idempotency key where its answer was lost.

Owns the request; `spec/plan.py` builds the spec.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import Client, read_all
from jobctl.connection.config import defaults
from jobctl.errors import ConnectionLost, JobctlError, Misuse, Refused, Unreachable
from jobctl.imports import import_aside
from jobctl.job.requests.trace_headers import trace_headers
from jobctl.job.spec.plan import Flags, Plan, Tree, plan
from jobctl.value import Value

if TYPE_CHECKING:
    from jobctl.job.spec.job_fields import Fields

RESEND_FOR_S = 30.0
LONGEST_ANSWER_BYTES = 4 << 20
UPLOAD_TIMEOUT_S = 600.0


class Source(Value):
    """The text of a job file. Without a file, `name` is empty."""

    name: str = ""
    text: str = ""

    @property
    def fields(self) -> Fields:
        """The fields of the file in the API's form, and the problems of their conversion. Raises as `job_file.parse` does."""
        from jobctl.job.spec.job_fields import spec_fields

        return spec_fields(self.written)

    @property
    def tree(self) -> Tree:
        """The fields in the API's form; none without a file.

        Raises:
            Misuse: the text is no job file, or a field has an invalid amount.
        """
        if not self.name:
            return {}
        fields = self.fields
        if fields.problems:
            problem = fields.problems[0]
            raise Misuse(problem.message, field=problem.field)
        return fields.tree

    @property
    def has_several(self) -> bool:
        """Returns whether the file has several jobs. Raises as `job_file.parse` does."""
        if not self.name or ("jobs" not in self.text and "matrix" not in self.text):
            return False
        from jobctl.sets.document import has_several

        return has_several(self.written)

    @property
    def written(self) -> Tree:
        """The fields of the file as they are written there; none without a file. Raises as `job_file.parse` does."""
        from jobctl.job.spec import job_file

        return job_file.parse(self.text, self.name) if self.name else {}

    @contextmanager
    def located(self) -> Iterator[None]:
        """Adds file, line and column to an error about a field of the file."""
        try:
            yield
        except JobctlError as error:
            # An error about a flag or a default has no line in the file.
            if self.name and error.field and not error.message.startswith((f"{self.name}:", "-", "JOBCTL_")):
                self._locate(error, error.field)
            raise

    def _locate(self, error: JobctlError, field: str) -> None:
        from jobctl.job.spec import job_file

        try:
            written = self.fields.in_file(field)
        except JobctlError:
            written = field
        position = job_file.Positions(self.text).position_of(written)
        if position is None:
            return
        text = error.message.removeprefix(f"{field}: ")
        error.message = f"{self.name}:{position}: {written}: {text}"
        if error.hint is None and self.name != "stdin" and self._has_several_problems():
            error.hint = f"to see all problems: jobctl validate -f {self.name}"

    def _has_several_problems(self) -> bool:
        from jobctl.job.spec.spec_check import spec_problems

        try:
            fields = self.fields
        except JobctlError:
            return False
        # Flags may set the fields that the file lacks.
        tree = {"id": "id", "image": "image", **fields.tree}
        return len(fields.problems) + len(spec_problems(tree)) > 1


def source_of(file: str | None) -> Source:
    """Reads the job file that `-f` names. Raises `LocalFile`."""
    if file is None:
        return Source()
    from jobctl.job.spec import job_file

    return Source("stdin" if file == "-" else file, job_file.read(file))


def prepare(flags: Flags, source: Source) -> Plan:
    """Returns the plan for the flags and the file.

    Raises:
        Misuse: the flags or the file are invalid.
    """
    with source.located():
        return plan(flags, source.tree, os.environ, os.urandom(3).hex(), defaults(os.environ))


def encoded(spec: Tree) -> bytes:
    """Returns the spec as JSON.

    Raises:
        Misuse: the spec has a number or character that JSON does not have.
    """
    try:
        return json.dumps(spec, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as error:
        raise Misuse(f"the job cannot be encoded as JSON: {error}") from None


def submit(
    client: Client,
    prepared: Plan,
    source: Source,
    *,
    keep: bool = False,
    again: bool = False,
    quiet: bool = False,
    waits: bool = False,
    resend_for_s: float = RESEND_FOR_S,
) -> dict[str, Any]:
    """Returns the daemon's answer to the submission: at least `id` and `status`.

    Where the answer is lost, the request is repeated with an idempotency key, so that jobd runs the job once. The first request has no
    key, so that jobd refuses an id that is in use. `keep`: the next request that can be repeated uses the same connection. `again`: jobd
    accepts an id that is in use, if its job is the same. `quiet`: no progress of an upload. `waits`: a daemon that has answered before may
    be away when the submission begins. `resend_for_s`: the limit of repetitions, from the first lost answer.

    Raises:
        JobctlError: jobd did not accept the job; an error about a field of the file has its line.
    """
    spec = encoded(prepared.spec)
    entries = None
    if prepared.uploads:
        from jobctl.output.live.meter import metered
        from jobctl.transfers import upload

        entries = upload.members(prepared.uploads)
        _check_before_upload(spec, source)
    key, broke_at, pause = os.urandom(16).hex(), 0.0, 0.1
    headers: dict[str, str] = {"Idempotency-Key": key} if again else {}
    headers |= trace_headers()
    while True:
        body: Any = spec
        try:
            with source.located(), ExitStack() as stack:
                if entries is not None:
                    headers["Content-Type"], parts = upload.multipart(spec, entries)
                    body = stack.enter_context(
                        closing(metered(parts, "sending files", upload.size_bytes(entries), quiet=quiet))
                    )
                timeout_s = UPLOAD_TIMEOUT_S if entries is not None else 60.0
                with client.open("POST", "/v1/jobs", None, body, headers, timeout_s, keep=keep) as response:
                    answer: dict[str, Any] = json.loads(read_all(response, LONGEST_ANSWER_BYTES))
                    return answer
        except (ConnectionLost, Unreachable, Refused) as error:
            broke_at = broke_at or time.monotonic()
            if client.target is None or time.monotonic() - broke_at > resend_for_s:
                raise
            if isinstance(error, Refused) and not (waits and error.transient):
                raise
            is_sent = "Idempotency-Key" in headers or not isinstance(error, Unreachable)
            if not (is_sent or waits):
                raise
            if is_sent:
                headers["Idempotency-Key"] = key
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def in_doubt(job_id: str) -> str:
    """Returns what a user does after an interrupted submission."""
    return f"jobctl ended while it submitted {job_id}; to see whether jobd accepted it: jobctl show {job_id}"


def _check_before_upload(spec: bytes, source: Source) -> None:
    """Checks the spec, so that no files are uploaded for a spec that the daemon would refuse."""
    import_aside("jobd.wire.validation.job_spec")
    from jobd.wire.problem import InvalidSpec
    from jobd.wire.validation.job_spec import decode_spec

    try:
        decode_spec(spec)
    except InvalidSpec as error:
        first = error.problems[0]
        with source.located():
            raise Misuse(first.message, field=first.field or None, code="invalid-spec") from None
