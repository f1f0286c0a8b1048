"""What `jobctl doctor` says of what jobd keeps, of the machine and of the sidecar's image."""

from typing import Any

import pytest

from jobctl.commands.daemon.doctor import about_jobs, disk_use


def said(**answer: Any) -> list[tuple[str, bool, str]]:
    return [(check.name, check.ok, check.result) for check in disk_use(answer)]


def test_each_kind_has_a_line() -> None:
    kept = {"count": 2, "bytes": 1536}
    assert said(databaseBytes=2048, stateDir="/s", uploads=kept, containers=kept, volumes={"count": 1}) == [
        ("database", True, "2.0 KiB in /s"),
        ("uploads", True, "2, 1.5 KiB"),
        ("containers", True, "2, 1.5 KiB"),
        ("volumes", True, "1"),
    ]


def test_an_unknown_disk_use_is_no_failure() -> None:
    lines = said(databaseBytes=0, stateDir="/s", uploads={"count": 0, "bytes": 0})
    assert [line[2] for line in lines[2:]] == ["unknown: the engine did not report it"] * 2


def test_an_older_daemon_without_disk_use_is_accepted() -> None:
    assert said() == []


ENGINE = {"cpus": 2, "memoryBytes": 24 << 30}


@pytest.mark.parametrize(
    ("present", "text"),
    [
        (True, "job-sidecar:1"),
        (False, "job-sidecar:1, which jobd builds or pulls for the first job that needs it"),
        (None, "job-sidecar:1 (not checked yet)"),
    ],
)
def test_a_new_installation_is_well_and_says_what_jobs_may_use(present: bool | None, text: str) -> None:
    version = {
        "engine": ENGINE, "maxConcurrentJobs": 8, "sidecarImage": "job-sidecar:1", "sidecarImagePresent": present,
    }  # fmt: skip
    assert [(check.name, check.ok, check.result) for check in about_jobs(version)] == [
        ("machine", True, "2 cores and 24.0 GiB of memory for jobs, at most 8 at once"),
        ("sidecar image", True, text),
    ]


def test_an_engine_that_has_not_answered_yet_has_no_size() -> None:
    assert list(about_jobs({"engine": {}, "maxConcurrentJobs": 8})) == []
