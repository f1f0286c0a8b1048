"""Lists and tables: no job is left out, no id is cut, and what does not fit a terminal goes as a whole column."""

import json
import os
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, Receiver, remove_all, until
from tests.support.terminal import on_terminal, shown

STAYS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
MANY = 240
SET = f"set-{uuid.uuid4().hex[:6]}"
SHORT = f"short-{uuid.uuid4().hex[:6]}"
MIDDLE = f"middle-name-{uuid.uuid4().hex[:6]}"
LONG = f"a-rather-long-name-of-a-training-run-with-its-date-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, worker_image: str) -> Iterator[Daemon]:
    """A daemon with `MANY` jobs under way, one of which runs; more than any page of the API's."""
    daemon = Daemon(tmp_path_factory.mktemp("many"), environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    for n in range(MANY):
        daemon.submit(id=f"{SET}-{n:03}", image=worker_image, command=STAYS, labels={"set": "all"})
    yield daemon
    assert daemon.process is not None
    daemon.process.kill()
    daemon.process.wait(60)
    remove_all(daemon)


def test_lists_have_all_jobs(many: Daemon) -> None:
    everything = [f"{SET}-{n:03}" for n in reversed(range(MANY))]
    assert many.jobctl("ls", "-q").stdout.split() == everything
    listed = json.loads(many.jobctl("ls", "--json").stdout)
    assert ([job["id"] for job in listed["jobs"]], listed["more"]) == (everything, False)
    assert [line.split()[0] for line in many.jobctl("ls").stdout.splitlines()[1:]] == everything
    assert many.jobctl("ls", "-o", "yaml").stdout.count(f"\n- id: {SET}-") == MANY
    assert len(json.loads(many.jobctl("top", "--json").stdout)["jobs"]) == MANY
    assert len(many.jobctl("top").stdout.splitlines()) == MANY + 1


def test_a_limit_that_hides_jobs_is_noted(many: Daemon) -> None:
    some = many.jobctl("ls", "--json", "--limit", "5")
    assert (len(json.loads(some.stdout)["jobs"]), json.loads(some.stdout)["more"]) == (5, True)
    assert "only the 5 newest" in some.stderr
    assert many.jobctl("ls", "-q", "--limit", str(MANY)).stderr == ""


def test_all_jobs_of_a_label_are_cancelled(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    for n in range(125):
        daemon.submit(id=f"{job_id}-{n:03}", image=worker_image, command=STAYS, labels={"set": "all"})
    done = daemon.jobctl("cancel", "-l", "set=all", "--grace", "0")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 125
    until(lambda: daemon.jobctl("ls", "-q").stdout == "", "all have ended")


# -- tables


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, worker_image: str) -> Iterator[Daemon]:
    """A daemon with ended jobs of short and of long names, with labels and long commands."""
    daemon = Daemon(tmp_path_factory.mktemp("shelf")).start()
    for name in (SHORT, LONG, MIDDLE):
        daemon.submit(
            id=name, image=worker_image, command=["sh", "-c", f"exit 3 # {'words ' * 30}"],
            labels={"project": "demo", "owner": "somebody-with-a-long-name"},
        )  # fmt: skip
        daemon.ended(name)
    yield daemon
    daemon.stop()
    remove_all(daemon)


def test_without_a_terminal_nothing_is_cut(shelf: Daemon) -> None:
    for format in ("table", "wide"):
        lines = shelf.jobctl(
            "ls", "-a", "-o", format, env={**os.environ, "COLUMNS": "40"}
        ).stdout.splitlines()
        assert len(lines) == 4
        assert {line.split()[0] for line in lines[1:]} == {SHORT, LONG, MIDDLE}
        assert all(line.split()[1] == "failed" for line in lines[1:])
    assert all("words " * 29 in line for line in lines[1:])
    assert lines[0].split() == [
        "ID", "STATUS", "PHASE", "EXIT", "AGE", "IMAGE", "POSITION", "GROUP", "SET", "OWNER", "LABELS", "REASON", "RETRY-OF", "COMMAND",
    ]  # fmt: skip
    assert len(shelf.jobctl("top", "-o", "table").stdout.splitlines()) >= 4


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
@pytest.mark.parametrize("format", ["table", "wide"])
def test_on_a_terminal_ids_are_whole_and_columns_go_as_a_whole(
    shelf: Daemon, columns: int, format: str
) -> None:
    lines = shown(shelf, "ls", "-a", "-o", format, columns=columns)
    text = "\n".join(lines)
    for name in (SHORT, LONG, MIDDLE):
        assert re.search(rf"^{name}(\s|$)", text, re.MULTILINE), f"{name} is whole:\n{text}"
    assert all(len(line) <= columns or line.strip() == LONG for line in lines), text
    heads = lines[0].split()
    known = [
        "ID",
        "STATUS",
        "PHASE",
        "EXIT",
        "AGE",
        "IMAGE",
        "POSITION",
        "GROUP",
        "SET",
        "OWNER",
        "LABELS",
        "REASON",
        "RETRY-OF",
        "COMMAND",
    ]
    assert [head for head in known if head in heads] == heads, "a head is whole or not there"
    assert heads[:2] == ["ID", "STATUS"]
    short = next(line for line in lines if line.startswith(f"{SHORT} "))
    assert short.split()[1] == "failed"


def test_a_long_id_does_not_shorten_the_rows_of_others(shelf: Daemon) -> None:
    lines = shown(shelf, "ls", "-a", columns=80)
    assert lines[0].split() == ["ID", "STATUS", "PHASE", "EXIT", "AGE", "IMAGE"]
    short = next(line for line in lines if line.startswith(f"{SHORT} "))
    assert short.split()[5] == "busybox:latest"


def test_deliveries_and_top_keep_to_the_same_rules(
    shelf: Daemon, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    url = receiver.url("/" + "long/" * 40)
    shelf.submit(
        id=job_id,
        image=worker_image,
        command="true",
        callback={"url": url, "events": ["orchestrator.job.complete"]},
    )
    shelf.ended(job_id)
    until(
        lambda: shelf.jobctl("deliveries", job_id, "--state", "delivered", "-o", "name").stdout,
        "it is delivered",
    )
    number = shelf.jobctl("deliveries", job_id, "-o", "name").stdout.strip()
    assert url in shelf.jobctl("deliveries", job_id, "-o", "wide").stdout
    for columns in (40, 60, 80, 200):
        lines = shown(shelf, "deliveries", job_id, "-o", "wide", columns=columns)
        assert all(len(line) <= columns for line in lines)
        assert lines[1].split()[0] == number
        assert "delivered" in lines[1]
        lines = shown(shelf, "top", "--once", columns=columns)
        assert any(line.startswith(job_id) for line in lines), lines
        assert all(len(line) <= columns or line == LONG or line.startswith("jobctl: ") for line in lines)


def test_top_and_a_live_list_fit_the_terminal(many: Daemon) -> None:
    for command in (["top"], ["ls", "-w"]):
        with on_terminal(many, *command, columns=70, lines=15) as terminal:
            terminal.read_until(b"do not fit")
            assert SET in terminal.text


# -- records that cannot be read


def test_an_unreadable_job_is_listed_with_the_active_ones(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    damaged = f"{job_id}-damaged"
    for name in (job_id, damaged):
        daemon.submit(id=name, image=worker_image, command="true")
        daemon.ended(name)
    daemon.stop()
    database = Path(daemon.folder / "state" / "jobd.db")
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TRIGGER jobs_go_forward")
        connection.execute("UPDATE jobs SET record = x'00' WHERE id = ?", (damaged,))
    connection.close()
    daemon.start()
    until(lambda: daemon.jobctl("ls", "-q").stdout == f"{damaged}\n", "it is listed")
    line = daemon.jobctl("ls").stdout.splitlines()[1]
    assert line.split()[:2] == [damaged, "unreadable"]
    assert damaged in daemon.jobctl("top").stdout
    assert daemon.jobctl("ls", "-q", "--status", "running").stdout == ""
    assert daemon.jobctl("rm", damaged).returncode == 0
    assert daemon.jobctl("ls", "-q").stdout == ""
