"""Names as people type them: ids where something is destroyed, names of commands, formats, labels that choose jobs."""

import json
import re
import uuid
from collections.abc import Callable

import pytest

from jobctl.command_table import COMMANDS
from tests.support.daemon import Daemon, until

HELD = f"held-{uuid.uuid4().hex[:8]}"
STAYS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
ARGUMENTS: dict[str, list[str]] = {
    **{name: [] for name in ("ls", "sets", "top", "daemon", "stats", "doctor", "prune", "listen", "version")},
    "cp": ["x:y", "z"], "exec": ["x", "true"], "replay": ["7"], "completion": ["bash"], "verify": ["--key-file", "k", "-H", "a: b", "x"],
}  # fmt: skip
"""What a command needs beside its options; of all others, one word."""


@pytest.fixture
def held(make_daemon: Callable[..., Daemon], worker_image: str) -> Daemon:
    """A daemon that runs nothing but one job: all others stay in the queue."""
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    daemon.submit(id=HELD, image=worker_image, command=STAYS)
    return daemon


def waits(daemon: Daemon, *ids: str, **labels: str) -> None:
    for job_id in ids:
        daemon.submit(id=job_id, image="busybox:latest", command="true", labels=labels)


def ids_of(daemon: Daemon) -> list[str]:
    return [job["id"] for job in daemon.call("GET", "/v1/jobs").json["jobs"]]


# -- prefixes


@pytest.mark.parametrize("command", [["rm", "-f"], ["cancel"], ["rm", "-f", "--json"]])
def test_a_prefix_ends_no_job_and_lists_the_matching_ids(held: Daemon, command: list[str]) -> None:
    waits(held, "train-final-do-not-touch", "other")
    done = held.jobctl(*command, "other", "train")
    assert done.returncode == 4
    assert "train-final-do-not-touch" in done.stderr
    assert sorted(ids_of(held)) == [HELD, "other", "train-final-do-not-touch"], "nothing happens"
    assert held.call("GET", "/v1/jobs/other").json["status"] == "accepted"
    assert held.jobctl(*command, "other").returncode == 0


def test_a_prefix_of_many_ids_lists_some_of_them(held: Daemon) -> None:
    waits(held, *(f"train-{n:02}" for n in range(12)))
    done = held.jobctl("rm", "-f", "train-")
    assert done.returncode == 4
    assert "train-11" in done.stderr
    assert "and more" in done.stderr
    assert len(ids_of(held)) == 13


def test_a_missing_job_does_not_stop_the_removal_of_others(held: Daemon) -> None:
    waits(held, "a", "b")
    assert held.jobctl("submit", "--name", "c", "busybox:latest", "true").returncode == 0
    done = held.jobctl("rm", "-f", "a", "none", "@last")
    assert (done.returncode, done.stdout) == (4, "a\nc\n")
    assert sorted(ids_of(held)) == ["b", HELD]


# -- names of commands


def test_aliases_of_commands_work(held: Daemon) -> None:
    waits(held, "one", "two")
    assert held.jobctl("list", "-q").stdout == held.jobctl("ps", "-q").stdout == f"two\none\n{HELD}\n"
    assert json.loads(held.jobctl("inspect", "one").stdout)["jobs"][0]["id"] == "one"
    assert held.jobctl("inspect", "-o", "yaml", "one").stdout.startswith("jobs:\n- id: one\n")
    assert held.jobctl("stop", "one").stdout == "one\n"
    assert held.call("GET", "/v1/jobs/one").json["status"] == "cancelled"
    assert held.jobctl("delete", "one").stdout == "one\n"
    assert "one" not in ids_of(held)


def test_kill_is_a_cancel_by_sigkill(held: Daemon, worker_image: str) -> None:
    until(lambda: held.call("GET", f"/v1/jobs/{HELD}").json["phase"] == "running", "the job runs")
    assert held.jobctl("kill", HELD).stdout == f"{HELD}\n"
    assert held.ended(HELD)["exitCode"] == 137


def test_help_and_version_have_their_usual_flags(daemon: Daemon) -> None:
    assert daemon.jobctl("help").stdout == daemon.jobctl("--help").stdout
    assert daemon.jobctl("help", "rm").stdout == daemon.jobctl("rm", "--help").stdout
    assert daemon.jobctl("help", "stop").stdout == daemon.jobctl("cancel", "--help").stdout
    version = daemon.jobctl("--version")
    assert version.returncode == 0
    assert re.fullmatch(r"jobctl \d+(\.\w+)+\n", version.stdout)
    assert daemon.jobctl("help", "no-such").returncode == 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("puase", "pause"), ("stopp", "stop"), ("delte", "delete"), ("rmi", None), ("restart", None), ("execute", None),
        ("log", "logs"), ("lgos", "logs"), ("pruen", "prune"), ("shwo", "show"), ("statsu", "stats"), ("update", None),
    ],
)  # fmt: skip
def test_a_suggestion_is_similar_to_the_typed_name(daemon: Daemon, typed: str, meant: str | None) -> None:
    done = daemon.jobctl(typed, "x")
    assert done.returncode == 2
    found = re.search(r"did you mean: jobctl (\w+)", done.stderr)
    assert (found and found[1]) == meant, done.stderr


# -- formats: honoured or refused

PASS_CODES_ON = ("run", "sweep", "wait", "attach", "exec")
"""These pass on a command's exit code: their own failures have a code of their own."""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("format", ["table", "wide", "json", "yaml", "name"])
def test_a_format_is_honoured_or_refused(
    daemon: Daemon, worker_image: str, command: str, format: str
) -> None:
    """What each command prints in a format is looked at in `test_json.py`; here: what it cannot print is said."""
    from jobctl.command_table import formats_of

    if format in formats_of(command):
        return
    done = daemon.jobctl(command, "-o", format, *ARGUMENTS.get(command, ["x"]))
    assert (done.stdout, done.returncode) == ("", 125 if command in PASS_CODES_ON else 2), done.stderr
    assert f"-o {format}" in done.stderr or "--json" in done.stderr


def test_formats_that_contradict_each_other_are_refused(daemon: Daemon) -> None:
    for arguments in (["ls", "--json", "-o", "yaml"], ["ls", "-q", "--json"], ["--json", "ls", "-o", "name"]):
        done = daemon.jobctl(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
    assert daemon.jobctl("ls", "--json", "-o", "json").returncode == 0


def test_a_run_prints_the_selected_format(daemon: Daemon, worker_image: str, tmp_path: object) -> None:
    assert daemon.jobctl("run", "-o", "yaml", worker_image, "true").returncode == 125
    detached = daemon.jobctl("run", "-d", "-o", "yaml", worker_image, "true")
    assert detached.stdout.startswith("id: busybox-")


# -- labels


def test_logs_wait_and_cancel_accept_labels(daemon: Daemon, worker_image: str, job_id: str) -> None:
    label = f"run={job_id}"
    for n, script in enumerate(("echo one; exit 3", "echo two")):
        daemon.submit(id=f"{job_id}-{n}", image=worker_image, command=script, labels={"run": job_id})
    waited = daemon.jobctl("wait", "-l", label)
    assert waited.returncode == 3, waited.stderr
    assert sorted(line.split()[0] for line in waited.stdout.splitlines()) == [f"{job_id}-0", f"{job_id}-1"]
    assert daemon.jobctl("logs", "-l", label).stdout == f"{job_id}-0 | one\n{job_id}-1 | two\n"
    daemon.submit(id=f"{job_id}-2", image=worker_image, command=STAYS, labels={"run": job_id, "kind": "b"})
    cancelled = daemon.jobctl("cancel", "-l", label, "-l", "kind=b")
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{job_id}-2\n"), cancelled.stderr
    assert daemon.ended(f"{job_id}-2")["status"] == "cancelled"
    assert daemon.jobctl("cancel", "-l", label).returncode == 4, "none of them is under way"


@pytest.mark.parametrize("command", ["logs", "wait", "cancel"])
def test_either_ids_or_labels_are_needed(daemon: Daemon, command: str) -> None:
    misuse = 125 if command == "wait" else 2
    for arguments in ([], ["-l", "a=b", "some-id"], ["-l", "none"]):
        done = daemon.jobctl(command, *arguments)
        assert (done.returncode, done.stdout) == (misuse, ""), (arguments, done.stderr)


# -- some are there and some are not


def test_found_jobs_are_shown_and_missing_ones_reported(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    daemon.submit(id=job_id, image=worker_image, command="echo said")
    daemon.ended(job_id)
    for command, words in (("show", f"Id:           {job_id}"), ("explain", f"{job_id}: "), ("logs", "said")):
        for ids in ((job_id, "bad"), ("bad", job_id)):
            done = daemon.jobctl(command, *ids)
            assert done.returncode == 4, command
            assert words.split()[-1] in done.stdout, command
            assert "no job 'bad'" in done.stderr, command
    done = daemon.jobctl("show", "--json", job_id, "bad", "worse")
    assert [job["id"] for job in json.loads(done.stdout)["jobs"]] == [job_id]
    assert [json.loads(line)["code"] for line in done.stderr.splitlines()] == ["not-found"] * 2
