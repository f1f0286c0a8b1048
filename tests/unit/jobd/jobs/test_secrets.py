"""jobd removes secrets from a spec at once, stores them in a private file, and shows them nowhere."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jobd.errors import DiskFull
from jobd.jobs.secrets import SecretFiles, without_values
from jobd.wire.job import JobSpec
from jobd.wire.report import SidecarOrder, decode_order, encode_order

VALUES = {"token": "s3cret", "empty": "", "text": "ünïcode\n\0"}


@pytest.fixture
def files(tmp_path: Path) -> SecretFiles:
    return SecretFiles(tmp_path)


def test_values_are_stored_read_and_removed(files: SecretFiles, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.keep("u1", VALUES)
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files.read("u1") == VALUES
    files.remove("u1")
    files.remove("u1")
    assert files.read("u1") is None
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_counts_as_missing(files: SecretFiles, tmp_path: Path) -> None:
    files.keep("u1", VALUES)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-3])
    assert files.read("u1") is None


def test_values_are_never_overwritten(files: SecretFiles) -> None:
    files.keep("u1", VALUES)
    with pytest.raises(FileExistsError):
        files.keep("u1", {})


def test_a_full_disk_is_reported_and_leaves_no_file(
    files: SecretFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        files.keep("u1", VALUES)
    assert list(tmp_path.iterdir()) == []


def test_files_left_by_a_crash_are_removed(files: SecretFiles) -> None:
    for uid in ("u1", "u2", "u3"):
        files.keep(uid, VALUES)
    files.remove_all_but(["u2"])
    assert [files.read(uid) for uid in ("u1", "u2", "u3")] == [None, VALUES, None]


def test_a_spec_without_values_has_the_names() -> None:
    spec = JobSpec(id="a", image="i", secrets={"token": "s3cret"})
    assert without_values(spec).secrets == {"token": ""}
    assert without_values(JobSpec(id="a", image="i")) == JobSpec(id="a", image="i")


@pytest.mark.parametrize(
    "made",
    [
        JobSpec(id="a", image="i", secrets={"token": "s3cret"}),
        SidecarOrder(job_id="a", job_uid="u", artifacts=[], secrets={"token": "s3cret"}),
    ],
)
def test_no_value_is_printed_with_its_owner(made: Any) -> None:
    assert "s3cret" not in repr(made) + str(made)


def test_values_arrive_in_the_order() -> None:
    order = SidecarOrder(job_id="a", job_uid="u", artifacts=[], secrets=VALUES)
    assert decode_order(encode_order(order)).secrets == VALUES
