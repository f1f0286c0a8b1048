"""Each error says what happened, where, and what to do."""

from typing import Any

import pytest


def add(daemon: Any, *job_ids: str) -> None:
    for job_id in job_ids:
        daemon.make(job_id)


@pytest.mark.parametrize("command", [["show"], ["logs"], ["explain"], ["cancel"], ["rm"], ["wait"], ["cp"]])
def test_an_unknown_id_has_near_ones(daemon: Any, jobctl: Any, command: list[str]) -> None:
    add(daemon, "train-1", "busybox-a1b2c3")
    rest = ["trian-1:x", "."] if command == ["cp"] else ["trian-1"]
    done = jobctl(*command, *rest)
    assert done.returncode == (125 if command == ["wait"] else 4)
    assert done.stderr.decode().splitlines() == [
        "jobctl: no job 'trian-1'",
        "jobctl:   did you mean train-1? jobctl ls -a lists all jobs",
    ]
    assert b"did you mean busybox-a1b2c3?" in jobctl("show", "a1b2c3").stderr
    assert b"did you mean" not in jobctl("show", "other").stderr


def test_an_unknown_set_has_near_ones(daemon: Any, jobctl: Any) -> None:
    assert jobctl("submit", "--set", "nightly", "busybox").returncode == 0
    done = jobctl("wait", "--set", "nigthly")
    assert done.stderr.decode().splitlines() == [
        "jobctl: no set 'nigthly'",
        "jobctl:   did you mean nightly? jobctl sets lists the sets",
    ]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["shwo", "a"], ["jobctl: there is no command 'shwo'", "jobctl:   did you mean: jobctl show"]),
        (["run", "--memry", "1g", "busybox"], ["jobctl: jobctl run has no option --memry", "jobctl:   did you mean: --memory"]),
        (["ls", "--al"], ["jobctl: jobctl ls has no option --al", "jobctl:   did you mean: --all"]),
        (["ls", "--colour"], ["jobctl: jobctl ls has no option --colour", "jobctl:   jobctl ls --help"]),
        (["--hots", "x", "ls"], ["jobctl: jobctl has no option --hots", "jobctl:   did you mean: --host"]),
        (["show"], ["jobctl: Missing argument 'ID...'", "jobctl:   jobctl show --help"]),
        (
            ["run", "--after", "", "busybox"],
            ["jobctl: --after needs the id of a job", "jobctl:   a variable of the shell may be empty"],
        ),
        (["run", "-m", "512", "busybox"], None),
        (["ls", "--status", "runing"], None),
    ],
)  # fmt: skip
def test_a_wrong_command_line_names_what_was_probably_meant(
    jobctl: Any, arguments: list[str], lines: list[str] | None
) -> None:
    done = jobctl(*arguments)
    assert done.returncode in (2, 125)
    said = done.stderr.decode().splitlines()
    assert said == lines if lines is not None else len(said) in (1, 2), said
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("image: [busybox\n", "job.yaml:2:1: not YAML"),
        ("image: busybox\n  command: x\n", "job.yaml:2:10: not YAML"),
        ("image: busybox\nimage: alpine\n", "job.yaml:2:1: "),
        ("image: busybox\nmemry: 1g\n", "job.yaml:2:1: memry"),
        ("image: busybox\ncpu: -1\n", "job.yaml:2:1: cpu"),
        ("image: busybox\nartifacts:\n- id: x\n  type: read\n  in: ../up\n", "job.yaml:5:3: artifacts[0].in"),
    ],
)
def test_a_wrong_job_file_has_its_line_and_column(daemon: Any, jobctl: Any, text: str, where: str) -> None:
    (jobctl.home / "job.yaml").write_text(text)
    for command in (["validate", "-f", "job.yaml"], ["submit", "-f", "job.yaml"]):
        done = jobctl(*command)
        if command[0] == "submit" and "not YAML" not in where and "image: alpine" not in text:
            continue  # the fake daemon checks no spec
        assert done.returncode in (1, 2)
        assert where in (done.stdout + done.stderr).decode()


def test_a_missing_daemon_has_its_address_and_the_command_that_starts_it(jobctl: Any) -> None:
    said = jobctl("ls").stderr.decode()
    assert "jobd is not running at " in said
    assert "start it with: " in said
    away = jobctl("--host", "http://127.0.0.1:1", "ls")
    assert away.returncode == 3
    assert "jobd does not answer at http://127.0.0.1:1 (connection refused)" in away.stderr.decode()


def test_a_wrong_key_names_the_address_and_the_file(free_port_daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "wrong").write_text("wrong-key")
    jobctl.env["JOBCTL_API_KEY_FILE"] = str(jobctl.home / "wrong")
    done = jobctl("--host", f"http://127.0.0.1:{free_port_daemon.port}", "ls")
    assert done.returncode == 5
    said = done.stderr.decode()
    assert f"jobd at http://127.0.0.1:{free_port_daemon.port}: " in said
    assert "jobctl sent a key that is not the one of this jobd" in said
    assert "JOBCTL_API_KEY_FILE" in said


def test_an_ambiguous_prefix_lists_the_jobs(daemon: Any, jobctl: Any) -> None:
    add(daemon, "web-1", "web-2")
    done = jobctl("show", "web")
    assert done.stderr.decode().splitlines() == [
        "jobctl: 'web' matches several jobs: web-2, web-1",
        "jobctl:   give more letters of the id",
    ]


def test_a_list_of_sets_says_that_there_are_more(daemon: Any, jobctl: Any) -> None:
    for number in range(23):
        daemon.make(f"j{number}").spec["set"] = f"s{number}"
    done = jobctl("sets")
    assert len(done.stdout.splitlines()) == 21
    assert done.stderr == b"jobctl: only the 20 newest sets are shown; --limit 0 shows all\n"
    assert jobctl("sets", "--limit", "0").stderr == b""
    assert jobctl("sets", "-q").stderr == done.stderr
