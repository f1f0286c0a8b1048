"""Runs the jobs of a set: submits them, then follows them to their end, or with -d prints the set's id."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

from jobctl.connection.config import defaults
from jobctl.errors import EndedBySignal, Misuse
from jobctl.job.spec.plan import Flags, Plan
from jobctl.output import output
from jobctl.output.live.live_terminal import raise_on_signals
from jobctl.sets import following
from jobctl.sets.planning import (
    PlannedJob,
    SetPlan,
    Surroundings,
    check_destinations,
    plan_sweep,
    with_fields,
)
from jobctl.sets.submission import check_specs, submit_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobctl.connection.client import Client
    from jobctl.connection.session import Session
    from jobctl.job.outcome import Ended
    from jobctl.job.requests.submission import Source
    from jobctl.sets.values import Axis

SHOW_EVERY_S = 0.2
_LAST = re.compile(r"(?<![^,])@last(?![^,:])")


def run_sweep(
    session: Session,
    flags: Flags,
    source: Source,
    axes: Sequence[Axis],
    *,
    most: int | None,
    detach: bool,
    dry_run: bool,
) -> Ended | None:
    """Submits a sweep, at most `most` of its jobs at once. Returns the end of the first job that did not complete."""
    if source.has_several:
        raise Misuse(f"{source.name} has several jobs", hint=f"without --each: jobctl run -f {source.name}")
    if most is not None and flags.group is not None:
        raise Misuse(
            "--max and --group contradict each other: --max makes a group of the sweep's own",
            hint=f"limit the whole group instead: jobctl group set {flags.group} --max {most}",
        )
    if most is not None and most < 1:
        raise Misuse("--max must be at least 1")
    client = session.client()
    with source.located():
        planned = plan_sweep(_without_last(client, flags), source.written, axes, _surroundings())
    if most is not None:
        if any(job.plan.spec.get("group") for job in planned.jobs):
            raise Misuse("--max contradicts the group of the job file", field="group")
        jobs = tuple(_with_spec(job, group=planned.id) for job in planned.jobs)
        planned = SetPlan(planned.id, jobs)
    return _run(session, client, planned, source, most=most, detach=detach, dry_run=dry_run)


def run_document(session: Session, flags: Flags, source: Source, *, detach: bool) -> Ended | None:
    """Submits the jobs of a file with several jobs. Returns the end of the first job that did not complete."""
    from jobctl.sets.document_plan import plan_document

    client = session.client()
    planned = plan_document(_without_last(client, flags), source, source.written, _surroundings())
    return _run(session, client, planned, source, most=None, detach=detach, dry_run=False)


def _run(
    session: Session,
    client: Client,
    planned: SetPlan,
    source: Source,
    *,
    most: int | None,
    detach: bool,
    dry_run: bool,
) -> Ended | None:
    if session.format not in ("", "json", "yaml", "name"):
        raise Misuse(f"a set cannot be printed with -o {session.format}")
    planned = _with_outputs(planned)
    check_specs(planned, source)
    if dry_run:
        _print_jobs(planned, session.format)
        return None
    if any(job.plan.fetches for job in planned.jobs):
        from jobctl.transfers.local_outputs import check_folder

        check_folder()
    with raise_on_signals():
        try:
            if most is not None:
                body = f'{{"limit": {most}, "temporary": true}}'.encode()
                client.call("PUT", f"/v1/groups/{planned.id}", body=body)
            _submit(client, planned, source)
            if detach:
                _print_id(planned, session.format)
                return None
            followed = following.follow(client, planned.id)
        except KeyboardInterrupt:
            raise EndedBySignal(2, _interrupted(planned)) from None
        except EndedBySignal as left:
            raise EndedBySignal(left.number, _interrupted(planned)) from None
    if session.format == "json":
        output.json_line(followed.view)
    elif session.format == "yaml":
        output.tree(followed.view, "yaml")
    elif session.format == "name":
        output.text(f"{planned.id}\n")
    following.fetch_outputs(client, planned.id)
    return followed.first


def _submit(client: Client, planned: SetPlan, source: Source) -> None:
    from jobctl.output import drawing

    total = len(planned.jobs)
    with drawing.screen(on_stderr=True) as screen:
        shown_at = time.monotonic()

        def show(accepted: int) -> None:
            nonlocal shown_at
            now = time.monotonic()
            if now - shown_at <= (SHOW_EVERY_S if screen is not None else following.PLAIN_EVERY_S):
                return
            shown_at, text = now, f"{planned.id}  {accepted} of {total} jobs submitted"
            if screen is not None:
                screen.show(f"{output.bar(accepted, total)} {text}")
            else:
                output.note(text)

        submitted = submit_set(client, planned, source, show)
    known = f", {submitted.known} of them before" if submitted.known else ""
    output.note(f"{planned.id}: {total} job{'s' * (total != 1)} submitted{known}")


def _interrupted(planned: SetPlan) -> str:
    return (
        f"the jobs of {planned.id} that are submitted keep running; to wait for them: jobctl wait {planned.id};"
        f" to end them: jobctl cancel {planned.id}"
    )


def _print_id(planned: SetPlan, format: str) -> None:
    if format in ("json", "yaml"):
        output.tree({"set": planned.id, "jobs": [job.id for job in planned.jobs]}, format)
    else:
        output.text(f"{planned.id}\n")


def _print_jobs(planned: SetPlan, format: str) -> None:
    if format in ("json", "yaml"):
        output.tree({"set": planned.id, "jobs": [_shown(job.plan.spec) for job in planned.jobs]}, format)
        return
    for job in planned.jobs:
        command = job.plan.spec.get("command")
        words = " ".join(map(_quoted, command)) if isinstance(command, list) else str(command or "")
        output.text(f"{job.id}  {job.plan.spec.get('image')}  {words}".rstrip() + "\n")


def _shown(spec: dict[str, Any]) -> dict[str, Any]:
    """Returns a spec without secrets."""
    shown = {name: value for name, value in spec.items() if name != "secrets"}
    if isinstance(callback := shown.get("callback"), dict) and "key" in callback:
        shown["callback"] = {**callback, "key": "***"}
    return shown


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _with_outputs(planned: SetPlan) -> SetPlan:
    """Returns the plan with its local outputs in the specs; jobd keeps them, as those of a detached job."""
    check_destinations(planned.jobs)
    if not any(job.plan.fetches for job in planned.jobs):
        return planned
    from jobctl.transfers.local_outputs import declare_outputs

    return SetPlan(
        planned.id,
        tuple(
            PlannedJob(
                Plan(
                    declare_outputs(job.plan.spec, job.plan.fetches, keep=True),
                    job.plan.uploads,
                    job.plan.fetches,
                ),
                job.values,
            )
            for job in planned.jobs
        ),
    )


def _with_spec(job: PlannedJob, **fields: object) -> PlannedJob:
    plan = job.plan
    return PlannedJob(Plan({**plan.spec, **fields}, plan.uploads, plan.fetches), job.values)


def _without_last(client: Client, flags: Flags) -> Flags:
    """Returns the flags with the id of the user's newest job in place of `@last` in --after."""
    if not any(_LAST.search(text) for text in flags.after):
        return flags
    from jobctl.selection.ids import LAST, resolve

    last_id = resolve(client, LAST)
    return with_fields(flags, after=[_LAST.sub(last_id, text) for text in flags.after])


def _surroundings() -> Surroundings:
    return Surroundings(os.environ, os.urandom(3).hex(), defaults(os.environ))
