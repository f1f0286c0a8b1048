"""`jobctl retry`: runs ended jobs anew under new ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import JobctlError, Misuse
from jobctl.job.requests.resubmission import Retry, resubmit
from jobctl.job.spec.flag_files import secrets
from jobctl.output import output
from jobctl.selection.failed import failed_jobs
from jobctl.selection.ids import LAST, find_each, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import typer

    from jobctl.connection.client import Client
    from jobctl.transfers.transfer_flags import Transfer
    from jobctl.transfers.upload import Member

FORMATS = ("json", "yaml", "name")
EXAMPLES = """
  jobctl retry trainer-3f
  jobctl wait "$(jobctl retry @last)"
  jobctl retry --failed nightly
  jobctl retry --failed -l sweep=7
  jobctl retry --outputs trainer-3f
  jobctl retry --secret token=./token --in data=./data report-1

jobd runs the same job again, with the spec that is stored, and prints its new id. It keeps neither the values of secrets nor the local
files of --in: give them again.
"""

Texts = list[str] | None
Job = dict[str, Any]


def retry(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Ids, unique prefixes of ids, or @last; with --failed also sets.",
            show_default=False,
        ),
    ] = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Of these jobs, run only the failed ones that were not retried yet."),
    ] = False,
    label: Annotated[
        Texts,
        typer.Option("-l", "--label", metavar="KEY=VALUE", help="With --failed: all jobs with this label."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="ID", help="The new job's id. [the old id and -retry-N]")
    ] = None,
    secret: Annotated[
        Texts,
        typer.Option(
            "--secret",
            metavar="NAME=FILE",
            help="The text of a secret of the job again; jobd does not keep it.",
        ),
    ] = None,
    inputs: Annotated[
        Texts,
        typer.Option("--in", metavar="PATH=SOURCE", help="A local file or folder of the job again."),
    ] = None,
    outputs: Annotated[
        Texts,
        typer.Option(
            "--out",
            metavar="PATH=DEST",
            help="The local destination of one of the job's outputs, for wait and fetch. [the one of the old job]",
        ),
    ] = None,
    only_outputs: Annotated[
        bool,
        typer.Option(
            "--outputs",
            help="Repeat only the outputs of a job that ended with output-failed, on its workspace; the command does not run again.",
        ),
    ] = False,
    after: Annotated[
        Texts,
        typer.Option(
            "--after",
            metavar="ID[:any|failed]",
            help="Start after this job (a whole id, or @last). [those that the old job still waited for]",
        ),
    ] = None,
) -> None:
    """Run ended jobs anew under new ids, and print these.

    A job that waits for another one of the same command, or takes its files, has that job's retry instead. The others start without
    waiting, if what they waited for has ended as required.
    """
    session = session_of(ctx)
    if label and not failed:
        raise Misuse("--label needs --failed", hint="jobctl retry --failed --label KEY=VALUE")
    if failed and (name is not None or outputs):
        raise Misuse("--failed may name several jobs; --name and --out are for one job")
    if len(ids or ()) > 1 and (name is not None or outputs):
        raise Misuse("--name and --out are for one job")
    if not ids and not failed:
        raise Misuse("no job given", hint="jobctl retry ID..., or jobctl retry --failed --label KEY=VALUE")
    if only_outputs and (secret or inputs or after):
        raise Misuse("--outputs repeats the outputs alone: --secret, --in and --after are for the command")
    fetches = _fetches(outputs or [])
    given_secrets, entries = secrets(secret or []), _entries(inputs or [])
    given_after = _dependencies(after) if after else None
    client = session.client()
    given_after = _resolved(client, given_after)
    new_ids: dict[str, str] = {}
    if failed:
        selected = failed_jobs(client, ids, label)
        jobs, failures, new_ids = selected.jobs, selected.errors, dict(selected.newer)
        if not jobs and not failures:
            output.note("no job to retry: none has failed, or each failed one was retried already")
    else:
        jobs, failures = find_each(client, ids or ())
    done: list[Job] = []
    retries: list[str] = []
    jobs = sorted(
        jobs, key=lambda each: str(each.get("uid") or "")
    )  # a dependency is older than its dependents
    with output.noting_interrupt("retried as", retries):
        for job in jobs:
            try:
                _check_outputs(job, fetches)
                dependencies = given_after
                if dependencies is None and not only_outputs:
                    dependencies = renamed_after(job, new_ids)
                sources = {} if only_outputs else renamed_sources(job, new_ids)
                again = Retry(name, given_secrets, dependencies, entries, only_outputs, sources)
                answer = resubmit(client, str(job["id"]), again)
                new_ids[str(job["id"])] = str(answer["id"])
                retries.append(str(answer["id"]))
                done.append({key: answer[key] for key in ("id", "uid", "status") if key in answer})
                done[-1]["retriedFrom"] = job["id"]
                _remember(job, answer, fetches)
            except JobctlError as error:
                failures.append(error)
    if session.format in ("json", "yaml"):
        output.tree({"jobs": done}, session.format)
    else:
        output.text("".join(f"{each['id']}\n" for each in done))
    output.fail(failures, as_json=session.format == "json")


def renamed_after(job: Job, newer: Mapping[str, str]) -> list[Job] | None:
    """Returns the dependencies of the retry of `job`, with the ids of their retries in `newer`; None where none was retried: then jobd
    decides. Pure.
    """
    dependencies = [each for each in job.get("after") or [] if isinstance(each, dict)]
    if not any(each.get("job") in newer for each in dependencies):
        return None
    never_started = job["status"] == "cancelled" and not job.get("startedAt")
    return [
        {**each, "job": _newest(str(each.get("job")), newer)}
        for each in dependencies
        if never_started or each.get("job") in newer
    ]


def renamed_sources(job: Job, newer: Mapping[str, str]) -> dict[str, str]:
    """Returns the retries in `newer` of the jobs whose files the retry of `job` takes, by the ids of these jobs. Pure."""
    taken = [each.get("job") for each in job.get("artifacts") or [] if isinstance(each, dict)]
    return {str(each): _newest(str(each), newer) for each in taken if each in newer}


def _newest(job_id: str, newer: Mapping[str, str]) -> str:
    for _ in range(len(newer)):  # a job may have been retried several times
        if job_id not in newer:
            break
        job_id = newer[job_id]
    return job_id


def _dependencies(texts: Sequence[str]) -> list[Job]:
    from jobctl.flag_words import words
    from jobctl.job.spec.job_fields import dependency

    return [dependency(word) for word in dict.fromkeys(words("--after", texts, "a job's id", "after"))]


def _resolved(client: Client, after: list[Job] | None) -> list[Job] | None:
    """Returns the dependencies with the id of the user's newest job in place of `@last`."""
    if not any(each["job"] == LAST for each in after or ()):
        return after
    last_id = resolve(client, LAST)
    return [{**each, "job": last_id} if each["job"] == LAST else each for each in after or ()]


def _entries(inputs: list[str]) -> Sequence[Member]:
    if not inputs:
        return ()
    from jobctl.transfers import upload
    from jobctl.transfers.transfer_flags import parse_transfers

    transfers = parse_transfers([], inputs, [], [], [])
    if transfers.artifacts:
        raise Misuse("--in of a retry sends local files; the job's spec has its URLs already")
    return upload.members(transfers.uploads)


def _fetches(outputs: list[str]) -> tuple[Transfer, ...]:
    if not outputs:
        return ()
    from jobctl.transfers import destination
    from jobctl.transfers.transfer_flags import parse_transfers

    transfers = parse_transfers([], [], outputs, [], [])
    if transfers.artifacts:
        raise Misuse("--out of a retry names a local destination; the job's spec has its URLs already")
    if destination.Stream(destination.STDOUT) in destination.resolve_all(transfers.fetches):
        raise Misuse(
            "an output of a retry cannot go to stdout: jobctl does not wait for it",
            hint="name a file; jobctl fetch or jobctl wait writes it after the job's end",
        )
    return transfers.fetches


def _check_outputs(job: Job, fetches: Sequence[Transfer]) -> None:
    """Raises Misuse: the job does not declare one of these outputs."""
    if not fetches:
        return
    from jobctl.transfers.local_outputs import spec_path

    declared = [str(each.get("path")) for each in job.get("outputs") or [] if isinstance(each, dict)]
    for transfer in fetches:
        if spec_path(transfer.path) not in declared:
            known = f"its outputs: {', '.join(declared)}" if declared else "it has none"
            raise Misuse(f"{job['id']} was submitted without the output {transfer.path!r}; {known}")


def _remember(job: Job, answer: Job, fetches: tuple[Transfer, ...]) -> None:
    """Stores where `wait`, `logs -f` and `fetch` put the outputs: the given destinations, else those of the old job."""
    if not job.get("outputs"):
        return
    from jobctl.transfers.local_outputs import recall, remember

    given = {transfer.path for transfer in fetches}
    before = tuple(each for each in recall(str(job.get("uid") or ""))[0] if each.path not in given)
    remember(str(answer.get("uid") or ""), (*before, *fetches))
