"""From keyword arguments to a submitted job: the fields of a job file in Python's spelling, and local files in and out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from jobctl.connection.config import defaults
from jobctl.errors import Misuse
from jobctl.job.requests.submission import Source, source_of, submit
from jobctl.job.spec.job_fields import spec_fields
from jobctl.job.spec.plan import Flags, Plan, Tree, plan
from jobctl.transfers.local_outputs import declare_outputs
from jobctl.transfers.transfer_flags import Names, transfers_of
from jobctl.value import Value
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.job import JobSpec

if TYPE_CHECKING:
    from jobctl.sdk.core import Core

Path = str | os.PathLike[str]
Outputs = Mapping[str, Path] | Sequence[str]
IdOf = Callable[[object], str | None]

NAMES = Names("inputs", "outputs", "writes", "reads")
FIELD_NAMES = {
    **{name.replace("-", "_"): name for name in FLAG_NAMES},
    **{field.name: field.encode_name for field in msgspec.structs.fields(JobSpec)},
}
"""A keyword argument -> the field of a job file."""


class Files(Value):
    """The files of a job: `inputs`: a path in the workspace -> a local path, a URL or `job:ID/PATH`; `outputs`: a path in the workspace ->
    a local path or a URL, or paths alone, which are kept for later; `writes`: a path -> its text; `reads`: files whose content becomes an
    event.
    """

    inputs: Mapping[str, Path] = {}
    outputs: Outputs = ()
    writes: Mapping[str, str] = {}
    reads: Sequence[str] = ()


def planned(given: Mapping[str, Any], files: Files, file: Path | None, id_of: IdOf) -> Plan:
    """Returns the plan of one job. `given`: the keyword arguments, which are over the fields of the job file `file`; `id_of`: the id of
    an object that stands for a job.

    Raises:
        Misuse: a value is wrong. LocalFile: the job file cannot be read.
    """
    source = Source() if file is None else source_of(os.fspath(file))
    if source.has_several:
        raise Misuse(
            f"{source.name} has several jobs, and submit takes one",
            hint=f"to run them all: jobctl run -f {source.name}",
        )
    with source.located():
        tree = {**source.tree, **_converted(_spelled(given, id_of))}
        if not tree.get("image"):
            raise Misuse(
                "no image given", field="image", hint='for instance: submit("busybox", ["echo", "hi"])'
            )
        made = plan(Flags(), tree, os.environ, os.urandom(4).hex(), defaults(os.environ))
    return _with_files(made, files)


def send(core: Core, made: Plan, *, exist_ok: bool) -> dict[str, Any]:
    """Returns the daemon's answer: at least `id` and `status`. A lost answer is asked for again under the same id: the job runs once."""
    core.check_open()
    return core.once(
        lambda: submit(
            core.http,
            made,
            Source(),
            keep=True,
            again=exist_ok,
            quiet=True,
            waits=True,
            resend_for_s=core.reconnect_for_s,
        )
    )


def _spelled(given: Mapping[str, Any], id_of: IdOf) -> Tree:
    """Returns the arguments as a job file has them: its names, and plain values."""

    def plain(value: object) -> Any:
        if isinstance(value, os.PathLike):
            return os.fspath(value)
        if (job_id := id_of(value)) is not None:
            return job_id
        raise TypeError(f"{value!r} is {type(value).__name__}, which a job cannot contain")

    tree: Tree = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            tree[FIELD_NAMES.get(name, name)] = msgspec.to_builtins(value, enc_hook=plain)
        except TypeError as error:
            raise Misuse(f"{name}: {error}", field=name) from None
    return tree


def _converted(written: Tree) -> Tree:
    fields = spec_fields(written)
    for problem in fields.problems:
        raise Misuse(f"{problem.field}: {problem.message}", field=problem.field)
    return fields.tree


def _with_files(made: Plan, files: Files) -> Plan:
    spec = dict(made.spec)
    places: list[tuple[str, str]] = []
    if isinstance(files.outputs, Mapping):
        places = [(path, os.fspath(place)) for path, place in files.outputs.items()]
    elif files.outputs:
        spec["outputs"] = [
            *(spec.get("outputs") or []),
            *({"path": path, "keep": True} for path in files.outputs),
        ]
    transfers = transfers_of(
        spec.get("artifacts") or [],
        [(path, os.fspath(source)) for path, source in files.inputs.items()],
        places,
        files.writes.items(),
        files.reads,
        NAMES,
    )
    if transfers.artifacts:
        spec["artifacts"] = transfers.artifacts
    spec = declare_outputs(spec, transfers.fetches, keep=True)
    return Plan(spec, transfers.uploads, transfers.fetches)
