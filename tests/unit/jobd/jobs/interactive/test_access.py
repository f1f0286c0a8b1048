"""Only the user with whose rights a job mounts files, and root, take part in it."""

from datetime import UTC, datetime

import pytest

from jobd.errors import Forbidden
from jobd.jobs.interactive.access import check_client, check_user
from jobd.jobs.record.new_record import new_record
from jobd.jobs.record.parts import Caller
from jobd.jobs.record.record import Record
from jobd.wire.job import JobSpec

OWNER, OTHER, ROOT = (Caller(uid=uid, gid=uid) for uid in (1000, 1001, 0))


def record(caller: Caller | None) -> Record:
    now, spec = datetime(2030, 1, 1, tzinfo=UTC), JobSpec(id="a", image="i")
    return new_record(spec, now=now, owner=None, digest="", has_spool=False, caller=caller)


@pytest.mark.parametrize("client", [None, OTHER, Caller(uid=1001, gid=1000)])
def test_another_user_is_refused(client: Caller | None) -> None:
    with pytest.raises(Forbidden, match="of the user 1000"):
        check_client(record(OWNER), client)


@pytest.mark.parametrize("client", [OWNER, ROOT, Caller(uid=1000, gid=5)])
def test_the_jobs_user_and_root_take_part(client: Caller) -> None:
    check_client(record(OWNER), client)


@pytest.mark.parametrize("client", [None, OTHER, ROOT])
def test_a_job_without_such_mounts_is_open_to_every_client(client: Caller | None) -> None:
    check_client(record(None), client)
    check_user(record(None), client, "root")


def test_a_command_runs_as_the_jobs_user() -> None:
    check_user(record(OWNER), OWNER, None)
    check_user(record(OWNER), ROOT, "0")
    for client in (OWNER, None):
        with pytest.raises(Forbidden, match="leave the user out"):
            check_user(record(OWNER), client, "0")
