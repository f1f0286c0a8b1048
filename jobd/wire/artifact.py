"""The eight artifact kinds of a job spec: the transfers into and out of the workspace.

Owns their fields. `validation/artifacts.py` checks their values; the sidecar moves the bytes. A new kind needs a struct here, a
name in `Artifact`, a row in `KINDS` and a module in `sidecar/artifacts/`.

Source: man/job.5, "ARTIFACTS".
"""

from typing import Literal

import msgspec

JOB = "job"
"""The value of `depends` that means the worker: an artifact that depends on it runs after the job."""

When = Literal["success", "failure", "always"]


class ArtifactBase(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
    omit_defaults=True,
):
    """The fields of all kinds: `id` is unique in the job; `depends` names another artifact or the job."""

    id: str
    depends: str | None = None


class OutputBase(ArtifactBase, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields of kinds that may run after the job: `when` selects the worker's outcome; with `optional` a missing source is no failure."""

    when: When = "success"
    optional: bool = False


class Download(ArtifactBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="download"):
    """GET of the http(s) URL `in` into the file `out`; checked against `sha256` (hex) and `maxBytes` where given."""

    source: str = msgspec.field(name="in")
    out: str
    sha256: str | None = None
    max_bytes: int | None = msgspec.field(name="maxBytes", default=None)


class Write(ArtifactBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="write"):
    """The text `in`, as UTF-8, into the file `out` with the permissions `mode` (octal text, e.g. "0644")."""

    source: str = msgspec.field(name="in")
    out: str
    mode: str | None = None


class Unarchive(ArtifactBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unarchive"):
    """The archive `in` (tar.gz, tar or zip) into the directory `out`; with `subdir` only this folder of the archive."""

    source: str = msgspec.field(name="in")
    out: str
    subdir: str | None = None


class Upload(OutputBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="upload"):
    """PUT of the file `in` to the http(s) URL `out`."""

    source: str = msgspec.field(name="in")
    out: str


class Read(OutputBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="read"):
    """The content of the file `in` into the artifact's event: as JSON if the content parses, else as text."""

    source: str = msgspec.field(name="in")


class Archive(OutputBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="archive"):
    """The file or directory `in` into the archive `out`."""

    source: str = msgspec.field(name="in")
    out: str
    format: Literal["tar.gz"] = "tar.gz"


class List(ArtifactBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="list"):
    """The names below the directory `in`, or the name of the file `in`, into the artifact's event; `excludes` are globs (`files/globs.py`)."""

    source: str = msgspec.field(name="in")
    recursive: bool = True
    excludes: list[str] = []


class JobFiles(ArtifactBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="job"):
    """The file or directory `in` of the workspace of the earlier job `job` into the file or directory `out`."""

    job: str
    source: str = msgspec.field(name="in")
    out: str


Artifact = Download | Write | Unarchive | Upload | Read | Archive | List | JobFiles

KINDS: dict[str, type[Artifact]] = {
    "download": Download,
    "write": Write,
    "unarchive": Unarchive,
    "upload": Upload,
    "read": Read,
    "archive": Archive,
    "list": List,
    "job": JobFiles,
}


def kind_of(artifact: Artifact) -> str:
    """Returns the artifact's `type` on the wire."""
    return str(artifact.__struct_config__.tag)


def after_job(artifacts: list[Artifact]) -> frozenset[str]:
    """Returns the ids of the artifacts that depend on the job, directly or through other artifacts.

    Unknown ids and cycles, which validation refuses, do not lead to the job.
    """
    depends = {a.id: a.depends for a in artifacts}
    after: set[str] = set()
    for start in depends:
        chain: list[str] = []
        at: str | None = start
        while at is not None and at != JOB and at not in after and at not in chain:
            chain.append(at)
            at = depends.get(at)
        if at == JOB or at in after:
            after.update(chain)
    return frozenset(after)
