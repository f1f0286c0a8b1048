"""What `jobctl doctor` says of what jobd keeps."""

from typing import Any

from jobctl.commands.doctor import disk_use


def said(**answer: Any) -> list[tuple[str, bool, str]]:
    return [(check.name, check.ok, check.found) for check in disk_use(answer)]


def test_each_kind_has_a_line() -> None:
    kept = {"count": 2, "bytes": 1536}
    assert said(databaseBytes=2048, stateDir="/s", uploads=kept, containers=kept, volumes={"count": 1}) == [
        ("database", True, "2.0 KiB in /s"),
        ("uploads", True, "2 of jobd's, 1.5 KiB"),
        ("containers", True, "2 of jobd's, 1.5 KiB"),
        ("volumes", True, "1 of jobd's"),
    ]


def test_an_engine_that_does_not_say_is_no_failure() -> None:
    lines = said(databaseBytes=0, stateDir="/s", uploads={"count": 0, "bytes": 0})
    assert [line[2] for line in lines[2:]] == ["not known: the engine did not say"] * 2


def test_a_daemon_without_that_call_is_passed_over() -> None:
    assert said() == []
