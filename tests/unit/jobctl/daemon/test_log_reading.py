"""What a log says of a start and of a reload."""

import json

import pytest

from jobctl.daemon.log_reading import reload_result, why_it_failed
from jobctl.errors import JobctlError


def entry(message: str, **fields: str) -> str:
    return json.dumps({"level": "info", "message": message, **fields}) + "\n"


def test_the_faults_of_the_settings_come_first() -> None:
    log = entry("stopped") + "jobd: PORT: wrong\njobd:   set it\njobd: LOG_LEVEL: wrong\n"
    error = why_it_failed(2, log, "jobctl daemon logs")
    assert error.message == "jobd did not start (exit code 2): PORT: wrong; set it; LOG_LEVEL: wrong"
    assert error.hint == "jobctl daemon logs"


def test_without_faults_the_last_lines_are_told() -> None:
    assert why_it_failed(1, "a\nb\n\nc\nd\n", "x").message == "jobd did not start (exit code 1): b; c; d"
    assert why_it_failed(-9, "", "x").message == "jobd did not start (exit code -9)"
    assert why_it_failed(None, "", "x").message == "jobd did not start"


def test_many_faults_are_cut() -> None:
    log = "".join(f"jobd: fault {number}\n" for number in range(100))
    assert why_it_failed(2, log, "x").message.count(";") == 7


@pytest.mark.parametrize(
    "log", ["", "text\n", "{\n", "[1]\n", entry("jobd is ready"), '{"message": "settings rel']
)
def test_a_log_without_a_result_has_none(log: str) -> None:
    assert reload_result(log) is None


def test_the_result_names_the_settings() -> None:
    assert reload_result(entry("settings reloaded", changed="")) is not None
    said = reload_result(entry("settings reloaded", changed="A, B", needs_restart="PORT"))
    assert said is not None
    assert said.endswith("new values: A, B; a restart is needed for PORT")
    with pytest.raises(JobctlError, match="keeps its settings: PORT: wrong; LOG_LEVEL: wrong"):
        reload_result(
            entry("settings not reloaded", error="PORT: wrong")
            + entry("settings not reloaded", error="LOG_LEVEL: wrong")
        )
