"""One submission: flags and a job file in, an accepted job out, sent again under the same key where the answer got lost.

Owns the request. What the flags mean is in `plan.py`, what the daemon thinks of the spec comes back as an error.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from jobctl.connection.client import Client, read_all
from jobctl.connection.config import defaults
from jobctl.errors import ConnectionLost, JobctlError, Misuse, Unreachable
from jobctl.job import job_file
from jobctl.job.job_fields import Fields, spec_fields
from jobctl.job.plan import Flags, Plan, plan

RESEND_FOR_S = 30.0
LONGEST_ANSWER_BYTES = 4 << 20
UPLOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Source:
    """A job file as it was read; an absent one has no fields."""

    name: str = ""
    text: str = ""

    @property
    def fields(self) -> Fields:
        """Its fields in the API's form, and what is wrong with the way that they are written. Raises as `jobfile.parse` does."""
        return spec_fields(job_file.parse(self.text, self.name)) if self.name else Fields({})

    @property
    def tree(self) -> job_file.Tree:
        """Its fields in the API's form.

        Raises:
            Misuse: it is no job file, or a field has an amount that is none.
        """
        fields = self.fields
        if fields.problems:
            problem = fields.problems[0]
            raise Misuse(problem.message, field=problem.field)
        return fields.tree

    @contextmanager
    def located(self) -> Iterator[None]:
        """Adds the file, the line and the column to an error that names a field of it."""
        try:
            yield
        except JobctlError as error:
            # What a flag or a default says wrongly stands in no line of the file.
            if self.name and error.field and not error.message.startswith((f"{self.name}:", "-", "JOBCTL_")):
                self._locate(error, error.field)
            raise

    def _locate(self, error: JobctlError, field: str) -> None:
        try:
            written = self.fields.in_file(field)
        except JobctlError:
            written = field
        position = job_file.Positions(self.text).of(written)
        if position is None:
            return
        said = error.message.removeprefix(f"{field}: ")
        error.message = f"{self.name}:{position}: {written}: {said}"
        if error.hint is None and self.name != "stdin" and self._has_several_faults():
            error.hint = f"all that is wrong: jobctl validate -f {self.name}"

    def _has_several_faults(self) -> bool:
        from jobctl.job.spec_check import spec_problems

        try:
            fields = self.fields
        except JobctlError:
            return False
        # What is not in the file may come from flags.
        tree = {"id": "id", "image": "image", **fields.tree}
        return len(fields.problems) + len(spec_problems(tree)) > 1


def source_of(file: str | None) -> Source:
    """Returns the job file that `-f` names, read. Raises `LocalFile`."""
    if file is None:
        return Source()
    return Source("stdin" if file == "-" else file, job_file.read(file))


def prepare(flags: Flags, source: Source) -> Plan:
    """Returns the plan for the flags over the file.

    Raises:
        Misuse: either asks for something that cannot be.
    """
    with source.located():
        return plan(flags, source.tree, os.environ, os.urandom(3).hex(), defaults(os.environ))


def encoded(spec: job_file.Tree) -> bytes:
    """Returns the spec as the JSON that is sent.

    Raises:
        Misuse: it holds a number or a character that JSON cannot say.
    """
    try:
        return json.dumps(spec, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError as error:
        raise Misuse(f"the job cannot be said in JSON: {error}") from None


def submit(client: Client, prepared: Plan, source: Source) -> dict[str, Any]:
    """Returns the daemon's answer to the submission: at least `id` and `status`.

    An answer that gets lost is asked for again, under an idempotency key: the job is there once. The first try goes
    without it, so that an id which is in use is refused.

    Raises:
        JobctlError: not accepted; where a file's field is wrong, with its line.
    """
    spec = encoded(prepared.spec)
    entries = None
    if prepared.uploads:
        from jobctl.output.meter import metered
        from jobctl.transfers import files

        entries = files.members(prepared.uploads)
        _check_before_upload(spec, source)
    key, give_up, pause = os.urandom(16).hex(), time.monotonic() + RESEND_FOR_S, 0.1
    headers: dict[str, str] = {}
    while True:
        body: Any = spec
        try:
            with source.located(), ExitStack() as stack:
                if entries is not None:
                    headers["Content-Type"], parts = files.multipart(spec, entries)
                    body = stack.enter_context(
                        closing(metered(parts, "sending files", files.size_bytes(entries)))
                    )
                timeout_s = UPLOAD_TIMEOUT_S if entries is not None else 60.0
                with client.open("POST", "/v1/jobs", None, body, headers, timeout_s) as response:
                    answer: dict[str, Any] = json.loads(read_all(response, LONGEST_ANSWER_BYTES))
                    return answer
        except (ConnectionLost, Unreachable) as error:
            if client.target is None or time.monotonic() > give_up:
                raise
            if isinstance(error, Unreachable) and "Idempotency-Key" not in headers:
                raise
            headers["Idempotency-Key"] = key
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def _check_before_upload(spec: bytes, source: Source) -> None:
    """Files are sent only for a spec that the contract allows: nothing is uploaded in vain."""
    from jobd.wire.problem import InvalidSpec
    from jobd.wire.validation.job_spec import decode_spec

    try:
        decode_spec(spec)
    except InvalidSpec as error:
        first = error.problems[0]
        with source.located():
            raise Misuse(first.message, field=first.field or None, code="invalid-spec") from None
