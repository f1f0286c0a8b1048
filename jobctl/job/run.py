"""Runs a planned job: detached, or attached until its end and the copy of its outputs."""

from __future__ import annotations

import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from jobctl.connection.session import Session
from jobctl.errors import EndedBySignal, JobctlError, Misuse, NotFound
from jobctl.job.outcome import Outcome
from jobctl.job.requests.submission import Source, in_doubt, submit
from jobctl.job.spec.plan import Plan
from jobctl.output import output

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from jobctl.connection.client import Client


def run_detached(session: Session, plan: Plan, source: Source) -> None:
    """Submits the job, stores the destinations of its outputs, and prints its id."""
    plan = _with_outputs(plan, keep=True)
    if _an_output_is_stdout(plan, as_json=False):
        raise Misuse(
            "an output of a detached job cannot go to stdout: jobctl does not wait for it",
            hint="name a file; jobctl fetch or jobctl wait writes it after the job's end",
        )
    if plan.fetches:
        from jobctl.transfers.local_outputs import check_folder

        check_folder()
    client, job_id = session.client(), str(plan.spec["id"])
    try:
        answer = submitted(submit(client, plan, source))
    except KeyboardInterrupt:
        if not client.has_unanswered_request:
            raise
        raise EndedBySignal(signal.SIGINT, in_doubt(job_id)) from None
    if plan.fetches:
        from jobctl.transfers.local_outputs import remember

        remember(str(answer.get("uid") or ""), plan.fetches)
    if session.format in ("json", "yaml"):
        output.tree(answer, session.format)
    else:
        output.text(f"{answer['id']}\n")


def submitted(answer: dict[str, Any]) -> dict[str, Any]:
    """Returns the printed fields of the answer to a submission: id, uid and status."""
    return {key: answer[key] for key in ("id", "uid", "status") if key in answer}


def run_attached(
    session: Session, plan: Plan, source: Source, *, raw: bool, detach_keys: str | None = None
) -> Outcome | None:
    """Submits the job, prints its log until its end, and fetches its outputs. Returns None where the person has left the job's terminal."""
    from jobctl.job import attach

    plan = _with_outputs(plan, keep=False)
    as_json = session.format == "json"
    only_stderr = _an_output_is_stdout(plan, as_json=as_json)
    if session.format not in ("", "json"):
        raise Misuse(
            f"an attached run cannot print -o {session.format}",
            hint="use -o json, or run -d to print only the id",
        )
    if plan.is_interactive:
        from jobctl.interactive.run import checked

        plan = checked(plan, as_json=as_json, detach_keys=detach_keys)
    client = session.client()
    job_id = str(plan.spec["id"])
    with attach.RunSignals(client, job_id) as signals:
        try:
            answer = submitted(submit(client, plan, source, keep=True))
        except KeyboardInterrupt:
            if client.has_unanswered_request:
                _cancel_in_doubt(client, job_id)
            raise
        signals.accepted = True
        if as_json:
            try:
                output.json_line(answer)
            except BrokenPipeError:
                raise EndedBySignal(signal.SIGPIPE, signals.resume_hint()) from None
        if plan.is_interactive:
            from jobctl.interactive.run import follow

            left = follow(client, plan, signals, raw=raw, only_stderr=only_stderr, detach_keys=detach_keys)
            if left is None:
                return None
            ended = left
        else:
            with _attempt_notes(client, job_id, plan):
                ended = attach.follow_to_end(
                    client, job_id, signals, as_json=as_json, raw=raw, only_stderr=only_stderr
                )
        sys.stdout.flush()
        if signals.presses:
            return attach.after_interrupt(signals, ended)
        has_artifacts = bool(plan.spec.get("artifacts"))
        ended = attach.finish(client, job_id, ended, plan.fetches, has_artifacts=has_artifacts)
        return attach.after_interrupt(signals, ended)


def _cancel_in_doubt(client: Client, job_id: str) -> None:
    """Cancels a job that jobd may have accepted, and says what became of it."""
    from jobctl.job.requests.cancellation import request_cancel

    try:
        request_cancel(client, job_id, by="Ctrl-C in jobctl run", timeout_s=5.0)
        output.note(f"cancelling {job_id}", after_key=True)
    except NotFound:
        output.note(f"{job_id} was not submitted", after_key=True)
    except JobctlError:
        output.note(in_doubt(job_id), after_key=True)
    except KeyboardInterrupt:
        output.note(in_doubt(job_id), after_key=True)
        raise


def _attempt_notes(client: Client, job_id: str, plan: Plan) -> AbstractContextManager[object]:
    if not plan.spec.get("retries"):
        return nullcontext()
    from jobctl.job.attempts import AttemptNotes

    return AttemptNotes(client, job_id)


def _with_outputs(plan: Plan, *, keep: bool) -> Plan:
    """Returns the plan with its local outputs in the spec."""
    if not plan.fetches:
        return plan
    from jobctl.transfers.local_outputs import declare_outputs

    return Plan(declare_outputs(plan.spec, plan.fetches, keep=keep), plan.uploads, plan.fetches)


def _an_output_is_stdout(plan: Plan, *, as_json: bool) -> bool:
    """Checks the destinations of all outputs before the job runs. Returns True where one of them is stdout."""
    if not plan.fetches:
        return False
    from jobctl.transfers import destination

    places = destination.resolve_all(plan.fetches)
    is_stdout = destination.Stream(destination.STDOUT) in places
    if is_stdout and as_json:
        raise Misuse(
            "an output cannot go to stdout together with --json, which prints to stdout",
            hint="name a file: --out PATH=FILE",
        )
    return is_stdout
