"""What `jobctl doctor` says of what jobd keeps."""

from typing import Any

from jobctl.commands.daemon.doctor import disk_use


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
