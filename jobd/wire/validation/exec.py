"""Validation of an exec's request: the limits of a job spec for the same fields. Each refusal names its field. Pure.

Source: docs/attach.md.
"""

from jobd.wire.job import JobSpec
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.terminal import ExecRequest
from jobd.wire.validation.body import BodyDecoder
from jobd.wire.validation.job_spec import problems
from jobd.wire.validation.limits import MAX_PATH

_decoder = BodyDecoder(ExecRequest)


def decode_request(body: bytes) -> ExecRequest:
    """Returns the valid request. Raises InvalidSpec, with all problems at once."""
    request = _decoder.decode(body)
    # A job with the same fields: what it may run, an exec may run.
    job = JobSpec(
        id="exec",
        image="exec",
        command=request.command,
        environment=request.environment,
        user=request.user,
    )
    found = problems(job)
    workdir = request.workdir
    if workdir is not None and (
        not workdir.startswith("/") or "\0" in workdir or len(workdir.encode("utf-8", "replace")) > MAX_PATH
    ):
        found.append(Problem("workdir", f"must be an absolute path of at most {MAX_PATH} bytes"))
    if found:
        raise InvalidSpec(found)
    return request
