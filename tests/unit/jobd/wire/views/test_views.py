"""The response types: the documented field names, absent values left out, unknown fields ignored."""

import json
from typing import get_args

import msgspec

from jobd.wire.views.base import Error
from jobd.wire.views.daemon import Health
from jobd.wire.views.job import TERMINAL, Accepted, JobList, JobView, Phase, Status
from jobd.wire.views.log import End, LogEnd, LogLine


def shown(answer: object) -> object:
    return json.loads(msgspec.json.encode(answer))


def test_the_statuses_and_phases_are_those_of_the_contract() -> None:
    assert get_args(Status) == ("accepted", "running", "completed", "failed", "cancelled")
    assert get_args(Phase) == ("queued", "pulling", "inputs", "running", "outputs", "done")
    assert {"completed", "failed", "cancelled"} == TERMINAL


def test_an_accepted_job_shows_its_id_and_status() -> None:
    assert shown(Accepted(id="a", status="accepted")) == {"id": "a", "status": "accepted"}


def test_a_job_shows_an_exit_code_only_once_it_is_known_also_where_it_is_zero() -> None:
    assert shown(JobView(id="a", status="running")) == {"id": "a", "status": "running"}
    assert shown(JobView(id="a", status="completed", exit_code=0)) == {
        "id": "a",
        "status": "completed",
        "exitCode": 0,
    }


def test_an_empty_list_is_present() -> None:
    assert shown(JobList(jobs=[])) == {"jobs": []}


def test_a_log_line_and_the_end_frame_match_the_contract() -> None:
    line = LogLine(seq=1, time="t", stream="stdout", line="x")
    assert shown(line) == {"seq": 1, "time": "t", "stream": "stdout", "line": "x"}
    end = LogEnd(end=End(status="failed", exit_code=None, reason="lost"))
    assert shown(end) == {"end": {"status": "failed", "exitCode": None, "reason": "lost"}}


def test_an_error_has_a_code_and_a_field_only_where_one_is_at_fault() -> None:
    assert shown(Error(error="no", code="not-found")) == {"error": "no", "code": "not-found"}
    assert shown(Error(error="no", code="invalid", field="cpu")) == {
        "error": "no",
        "code": "invalid",
        "field": "cpu",
    }


def test_health_always_shows_its_checks() -> None:
    assert shown(Health(status="healthy", checks={})) == {"status": "healthy", "checks": {}}


def test_an_older_client_reads_the_responses_of_a_newer_daemon() -> None:
    read = msgspec.json.decode(b'{"id":"a","status":"running","somethingNew":{"x":1}}', type=JobView)
    assert read == JobView(id="a", status="running")
