"""Sets against a daemon whose jobs the test controls: submission, ids, lists and refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

SWEEP = ("sweep", "--set", "s", "--each", "n=1..3", "busybox", "echo", "{n}")


def end_at_once(daemon: Any, *codes: int) -> None:
    """Each new job ends at once, with the code of its number."""

    def end(job: Any) -> None:
        number = len(daemon.jobs)
        job.end(codes[number - 1] if number <= len(codes) else 0)

    daemon.on_submit = end


def posts(daemon: Any) -> list[str]:
    return [path for method, path, _ in daemon.requests if method == "POST"]


def test_a_sweep_is_submitted_in_order_over_few_connections_and_followed(daemon: Any, jobctl: Any) -> None:
    end_at_once(daemon)
    done = jobctl("sweep", "--set", "s", "--each", "n=1..200", "busybox", "echo", "{n}")
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.splitlines() == [b"jobctl: s: 200 jobs submitted", b"jobctl: s: 200 completed"]
    assert [job.spec["command"] for job in daemon.jobs.values()][:1] == [["echo", "1"]]
    assert list(daemon.jobs) == [f"s-{n}" for n in range(1, 201)]
    assert {job.spec["set"] for job in daemon.jobs.values()} == {"s"}
    assert len(set(map(id, daemon.connections))) <= 4


def test_a_repeated_sweep_submits_what_is_missing(daemon: Any, jobctl: Any) -> None:
    end_at_once(daemon)
    assert jobctl(*SWEEP).returncode == 0
    del daemon.jobs["s-2"]
    again = jobctl(*SWEEP)
    assert b"s: 3 jobs submitted, 2 of them before" in again.stderr
    assert len(daemon.jobs) == 3
    other = jobctl(*SWEEP[:-1], "{n}x")
    assert other.returncode == 125
    assert b"s-1: the id is in use" in other.stderr


def test_a_submission_that_is_refused_midway_says_how_to_continue(daemon: Any, jobctl: Any) -> None:
    def refuse(job: Any) -> None:
        if len(daemon.jobs) == 2:
            daemon.refuse = (429, {"error": "9 jobs wait already; try again later", "code": "queue-full"})

    daemon.on_submit = refuse
    done = jobctl("sweep", "-d", "--set", "s", "--each", "n=1..9", "busybox", "echo", "{n}")
    assert done.returncode == 125
    message, hint = done.stderr.decode().splitlines()
    assert "9 jobs wait already; try again later (2 of 9 jobs of s are submitted)" in message
    assert "the same command with --set s submits the others; jobctl cancel --set s ends these" in hint
    daemon.refuse, daemon.on_submit = None, lambda job: None
    again = jobctl("sweep", "-d", "--set", "s", "--each", "n=1..9", "busybox", "echo", "{n}")
    assert (again.returncode, len(daemon.jobs)) == (0, 9)


def test_lost_answers_and_a_set_without_an_id(daemon: Any, jobctl: Any) -> None:
    daemon.lose_answers = 2
    done = jobctl("sweep", "-d", "--each", "n=1..3", "busybox", "echo", "{n}")
    assert done.returncode == 0, done.stderr
    name = done.stdout.decode().strip()
    assert name.startswith("busybox-")
    assert sorted(daemon.jobs) == [f"{name}-{n}" for n in (1, 2, 3)]
    listed = json.loads(jobctl("sweep", "-d", "--json", *SWEEP[1:]).stdout)
    assert listed == {"set": "s", "jobs": ["s-1", "s-2", "s-3"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--each", "n=1..3", "busybox", "echo"), b"--each n is not used"),
        (("--each", "n=1..3", "busybox", "echo", "{m}"), b"the placeholder {m} has no value"),
        (("busybox", "echo"), b"a sweep needs values"),
        (("--each", "n=1..10001", "busybox", "{n}"), b"at most 10000"),
        (("--each", "n=1,2", "--max", "2", "--group", "g", "busybox", "{n}"), b"--max and --group contradict"),
        (("--each", "n=1,2", "--max", "0", "busybox", "{n}"), b"--max must be at least 1"),
        (("--each", "n=1,2", "--out", "r=here", "busybox", "{n}"), b"would both write"),
        (("--each", "n=1,BAD IMAGE", "{n}"), b"-2: must be an image reference"),
        (("--each", "n=1", "--set", "a b", "busybox", "{n}"), b"the set's id must start"),
        (("--each-line", "none", "busybox", "{line}"), b"none cannot be read"),
        (("--each-file", "none*", "busybox", "{file}"), b"matches no file"),
    ],
)  # fmt: skip
def test_a_wrong_sweep_is_refused_before_anything_is_submitted(
    daemon: Any, jobctl: Any, arguments: tuple[str, ...], words: bytes
) -> None:
    done = jobctl("sweep", "-d", *arguments)
    assert done.returncode == 125
    assert words in done.stderr
    assert posts(daemon) == []
    assert daemon.sets.groups == {}


def test_max_is_a_temporary_group_of_the_set(daemon: Any, jobctl: Any) -> None:
    assert jobctl("sweep", "-d", "--max", "2", *SWEEP[1:]).stdout == b"s\n"
    assert daemon.sets.groups == {"s": {"limit": 2, "temporary": True}}
    assert {job.spec["group"] for job in daemon.jobs.values()} == {"s"}


def test_values_of_files_and_lines(daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "data").mkdir()
    for name in ("b.csv", "a.csv", "c.txt"):
        (jobctl.home / "data" / name).write_text("x")
    (jobctl.home / "lines").write_text("one\n\n two \n")
    sweep = ("sweep", "--dry-run", "--set", "s", "--each-file", "data/*.csv")
    done = jobctl(*sweep, "busybox", "cat", "{file}", "{file.stem}")
    assert done.stdout == b"s-1  busybox  cat data/a.csv a\ns-2  busybox  cat data/b.csv b\n"
    done = jobctl("sweep", "--dry-run", "--json", "--each-line", "w=lines", "busybox", "{w}")
    assert [job["command"] for job in json.loads(done.stdout)["jobs"]] == [["one"], [" two "]]
    done = jobctl(
        "sweep", "--dry-run", "--set", "s", "--each-line", "-", "busybox", "{line}", stdin=b"a b\nc"
    )
    assert done.stdout == b"s-1  busybox  'a b'\ns-2  busybox  c\n"
    assert daemon.jobs == {}


def test_local_files_and_outputs_are_those_of_each_job(daemon: Any, jobctl: Any) -> None:
    for name in ("a", "b"):
        (jobctl.home / name).write_text(f"in {name}")

    def end(job: Any) -> None:
        job.files["r"] = job.spec["command"][0].encode()
        job.extra["uid"] = job.spec["id"].replace("-", "")
        job.end(0)

    daemon.on_submit = end
    done = jobctl(
        "sweep",
        "--set",
        "s",
        "--each-file",
        "f=[ab]",
        "--in",
        "in={f}",
        "--out",
        "r=out/{f}",
        "busybox",
        "{f}",
    )
    assert done.returncode == 0, done.stderr
    assert b"in a" in daemon.jobs["s-1"].uploaded
    assert daemon.jobs["s-2"].spec["outputs"] == [{"path": "r", "keep": True}]


def test_an_id_means_a_job_before_a_set_and_a_set_before_a_prefix(daemon: Any, jobctl: Any) -> None:
    end_at_once(daemon)
    assert jobctl(*SWEEP).returncode == 0
    daemon.on_submit = lambda job: None
    waited = jobctl("wait", "s")
    assert (waited.stdout, waited.stderr) == (b"s  3 completed\n", b""), "the result is told once"
    daemon.make("s").end(4)
    assert jobctl("wait", "s").returncode == 4
    assert jobctl("wait", "--set", "s").returncode == 0
    assert jobctl("wait", "s-1", "s").returncode == 4
    refused = jobctl("cancel", "s-")
    assert refused.returncode == 4
    assert b"ids that begin with 's-'" in refused.stderr
    del daemon.jobs["s"]
    mixed = jobctl("wait", "s", "s-1")
    assert (mixed.returncode, b"either jobs or sets" in mixed.stderr) == (125, True)
    for command in ("wait", "cancel"):
        missing = jobctl(command, "--set", "none")
        assert b"no set 'none'" in missing.stderr
        both = jobctl(command, "--set", "s", "s-1")
        assert b"either ids, --label or --set" in both.stderr


def test_lists_of_sets_and_of_their_jobs(daemon: Any, jobctl: Any) -> None:
    end_at_once(daemon, 0, 7)
    jobctl(*SWEEP)
    daemon.make("other")
    assert jobctl("ls", "-aq", "--set", "s", "--status", "failed").stdout == b"s-2\n"
    assert jobctl("sets", "-q").stdout == b"s\n"
    assert json.loads(jobctl("sets", "--json").stdout)["sets"][0]["failed"] == 1
    header, row = jobctl("sets").stdout.decode().splitlines()
    assert header.split() == ["SET", "JOBS", "WAITING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "AGE"]
    assert row.split()[:7] == ["s", "3", "0", "0", "2", "1", "0"]
    assert b"--set needs the id of a set" in jobctl("ls", "--set", "").stderr


def test_a_file_with_several_jobs_is_submitted_in_order(daemon: Any, jobctl: Any, tmp_path: Path) -> None:
    end_at_once(daemon)
    (jobctl.home / "f.yaml").write_text(
        "jobs:\n  b: {image: busybox, after: [a]}\n  a: {image: busybox, command: '${HOME}'}\n"
    )
    done = jobctl("submit", "-f", "f.yaml", "--set", "s", "-l", "k=v")
    assert (done.returncode, done.stdout) == (0, b"s\n"), done.stderr
    assert list(daemon.jobs) == ["s-a", "s-b"]
    assert daemon.jobs["s-b"].spec["after"] == [{"job": "s-a", "on": "completed"}]
    assert all(job.spec["labels"] == {"k": "v"} for job in daemon.jobs.values())
    assert jobctl("run", "-f", "f.yaml", "--set", "s", "-l", "k=v").returncode == 0
    (jobctl.home / "f.yaml").write_text(
        "jobs:\n  a: {image: busybox, after: [b]}\n  b: {image: busybox, after: [a]}\n"
    )
    refused = jobctl("run", "-f", "f.yaml")
    assert refused.returncode == 125
    assert b"f.yaml:2:23: jobs.a.after: the jobs wait for each other: a -> b -> a" in refused.stderr
    checked = jobctl("validate", "f.yaml")
    assert (checked.returncode, checked.stdout) == (
        1,
        b"f.yaml:2:23: jobs.a.after: the jobs wait for each other: a -> b -> a\n",
    )
    swept = jobctl("sweep", "-f", "f.yaml", "--each", "n=1")
    assert b"f.yaml has several jobs" in swept.stderr
