"""The public names of the Python client, its keyword arguments, errors and values."""

import pickle
import subprocess
import sys
from datetime import UTC, datetime
from typing import get_type_hints

import msgspec
import pytest

from jobctl import client
from jobctl.connection.log_frames import Frame
from jobctl.errors import Misuse, Refused
from jobctl.sdk.errors import explained, failure
from jobctl.sdk.models import event_of, line_of
from jobctl.sdk.queries import list_query
from jobctl.sdk.submission import FIELD_NAMES
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.job import JobSpec
from jobd.wire.views.job import JobView

OWN = {"image", "command", "outputs"}


def test_every_public_name_exists_and_has_a_description() -> None:
    assert sorted(client.__all__) == client.__all__
    for name in client.__all__:
        value = getattr(client, name)
        if isinstance(value, type):
            assert value.__doc__, name
            for member, what in vars(value).items():
                if not member.startswith("_") and (callable(what) or isinstance(what, property)):
                    assert what.__doc__, f"{name}.{member}"


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    for sync, coroutines in ((client.Client, client.AsyncClient), (client.Job, client.AsyncJob)):
        named = [{name for name in vars(one) if not name.startswith("_")} for one in (sync, coroutines)]
        assert named[0] - {"view"} == named[1] - {"view"}
        for name in named[0] - {"view"}:
            one, other = (getattr(owner, name) for owner in (sync, coroutines))
            if callable(one):
                assert (
                    one.__code__.co_varnames[: one.__code__.co_argcount + one.__code__.co_kwonlyargcount]
                    == (
                        other.__code__.co_varnames[
                            : other.__code__.co_argcount + other.__code__.co_kwonlyargcount
                        ]
                    )
                ), name
                assert (one.__defaults__, one.__kwdefaults__) == (other.__defaults__, other.__kwdefaults__), (
                    name
                )


def test_the_keyword_arguments_are_the_fields_of_a_job_file() -> None:
    typed = set(get_type_hints(client.JobFields))
    fields = {field.name for field in msgspec.structs.fields(JobSpec)}
    assert typed == (fields | {name.replace("-", "_") for name in FLAG_NAMES}) - OWN
    assert typed | OWN == FIELD_NAMES.keys()
    assert (FIELD_NAMES["timeout_seconds"], FIELD_NAMES["cap_drop"]) == ("timeoutSeconds", "capDrop")


def test_a_hint_becomes_one_note_and_a_wrong_field_an_invalid_job() -> None:
    def noted(error: Exception) -> BaseException:
        with pytest.raises(type(error)) as caught, explained(), explained():
            raise error
        return caught.value

    assert getattr(noted(Refused("full", hint="later")), "__notes__", None) == ["later"]
    assert getattr(noted(Misuse("no", hint=None)), "__notes__", None) is None
    for error in (
        Misuse("memory: no", field="memory", hint="2g"),
        Refused("no", field="memory", code="invalid-spec"),
    ):
        with pytest.raises(client.InvalidJob) as caught, explained():
            raise error
        assert (caught.value.field, caught.value.code) == ("memory", "invalid-spec")


def test_a_failure_says_what_and_why_and_survives_pickling() -> None:
    error = failure(JobView(id="a", status="failed", reason="exit-code", exit_code=3))
    assert str(error) == "a failed: the command ended with exit code 3"
    assert type(error) is client.JobFailed
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.job) == (str(error), error.job)
    cancelled = failure(JobView(id="a", status="cancelled", cancelled_by="me", cancel_reason="no"))
    assert type(cancelled) is client.JobCancelled
    assert str(cancelled).startswith("a cancelled: ")


def test_lines_and_events_have_their_values() -> None:
    line = line_of(Frame(seq=3, time="2030-01-31T08:00:00Z", stream="stderr", line="hé"))
    assert (line.number, line.time, line.stream) == (3, datetime(2030, 1, 31, 8, tzinfo=UTC), "stderr")
    assert (line.data, line.text) == ("hé\n".encode(), "hé")
    assert line_of(Frame(seq=4, raw=b"\xff", unterminated=True)).text == "\ufffd"
    gap = line_of(Frame(seq=5, gap="lost", partial=True))
    assert (gap.data, gap.gap) == (b"", "lost")
    event = event_of(
        {"seq": 7, "event": {"type": "orchestrator.job.exit", "subject": "a", "data": {"exitCode": 1}}}
    )
    assert (event.number, event.type, event.job, event.data) == (7, "exit", "a", {"exitCode": 1})


def test_a_query_has_what_is_given() -> None:
    query = list_query(
        ["failed", "cancelled"], {"a": "b"}, None, "p", None, datetime(2030, 1, 31, tzinfo=UTC)
    )
    assert query["status"] == "failed,cancelled"
    assert query["label"] == ["a=b"]
    assert query["since"] == "2030-01-31T00:00:00Z"
    assert (query["set"], query["owner"], query["prefix"]) == (None, None, "p")


def test_the_client_needs_neither_the_command_line_nor_a_server() -> None:
    code = "import sys, jobctl.client; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {
        "typer",
        "rich",
        "aiohttp",
        "docker",
        "yaml",
        "jobctl.main",
        "jobctl.parser",
        "jobctl.command_table",
    }
    assert heavy & set(done.stdout.split()) == set()
