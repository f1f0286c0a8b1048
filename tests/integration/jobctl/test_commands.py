"""The commands beside `run`, against a daemon that answers over a real socket."""

import json
from typing import Any

from jobd.wire.job_file_schema import job_file_schema


def add(daemon: Any, job_id: Any, **state: Any) -> Any:
    """A job that is there without having been submitted by the command under test."""
    daemon.make(job_id)
    job = daemon.jobs[job_id]
    for name, value in state.items():
        setattr(job, name, value)
    return job


def test_ls_lists_active_jobs_and_with_a_all_jobs(daemon: Any, jobctl: Any) -> None:
    add(daemon, "one")
    add(daemon, "two", status="completed", exit_code=0)
    assert jobctl("ls", "-q").stdout == b"one\n"
    assert jobctl().stdout.split()[:6] == [b"ID", b"STATUS", b"PHASE", b"EXIT", b"AGE", b"IMAGE"]
    assert jobctl("ps", "-aq").stdout == b"two\none\n"
    assert [job["id"] for job in json.loads(jobctl("ls", "-a", "--json").stdout)["jobs"]] == ["two", "one"]
    assert [job["id"] for job in json.loads(jobctl("--json", "ls", "-a").stdout)["jobs"]] == ["two", "one"]
    assert b"- id: two" in jobctl("ls", "-a", "-o", "yaml").stdout


def test_ls_reads_all_pages_up_to_the_limit(daemon: Any, jobctl: Any) -> None:
    for number in range(450):
        add(daemon, f"j{number}")
    assert len(jobctl("ls", "-q", "--limit", "0").stdout.split()) == 450
    some = jobctl("ls", "-q", "--limit", "220")
    assert len(some.stdout.split()) == 220
    assert b"--limit 0 shows all" in some.stderr


def test_plain_columns_have_no_colour_and_no_control_characters(daemon: Any, jobctl: Any) -> None:
    add(daemon, "a", extra={"image": "evil\x1b]0;title\x07"})
    out = jobctl("ls").stdout
    assert b"\x1b" not in out
    assert b"evil?]0;title?" in out


def test_exact_ids_win_over_prefixes_and_ambiguous_ones_are_refused(daemon: Any, jobctl: Any) -> None:
    for job_id in ("web", "web-1", "web-2", "api-77"):
        add(daemon, job_id)
    assert json.loads(jobctl("show", "web", "--json").stdout)["jobs"][0]["id"] == "web"
    assert json.loads(jobctl("show", "api", "--json").stdout)["jobs"][0]["id"] == "api-77"
    assert json.loads(jobctl("show", "@last", "--json").stdout)["jobs"][0]["id"] == "api-77"
    twice = jobctl("show", "web-")
    assert twice.returncode == 6
    assert b"matches several jobs: web-2, web-1" in twice.stderr
    gone = jobctl("show", "nothing")
    assert gone.returncode == 4
    assert b"jobctl ls -a" in gone.stderr


def test_show_and_explain_print_the_details(daemon: Any, jobctl: Any) -> None:
    add(
        daemon, "a", status="failed", exit_code=137, reason="oom-killed", error="killed by the kernel",
        extra={"limits": {"cpu": 1, "memory": 64, "pids": 10, "timeoutSeconds": 60}},
    )  # fmt: skip
    shown = jobctl("show", "a").stdout.decode()
    assert "Status:     failed (oom-killed)\n" in shown
    assert "1 core, 64 MiB, 10 processes, 1m\n" in shown
    said = jobctl("explain", "a").stdout.decode()
    assert "needed more than the job's 64 MiB" in said
    assert "-m 128m" in said
    assert "killed by the kernel" not in said, "the first line says the same"


def test_cancel_and_rm(daemon: Any, jobctl: Any) -> None:
    add(daemon, "a")
    add(daemon, "b").end(0)
    assert jobctl("rm", "a").returncode == 6
    assert jobctl("cancel", "--grace", "3s", "a").stdout == b"a\n"
    assert daemon.jobs["a"].cancels == [{"graceSeconds": 3}]
    again = jobctl("cancel", "a", "missing")
    assert again.returncode == 4
    assert b"a has already ended: cancelled" in again.stderr
    assert jobctl("rm", "a", "b").stdout == b"a\nb\n"
    assert daemon.jobs == {}


def test_cp_copies_files_folders_and_everything(daemon: Any, jobctl: Any) -> None:
    add(daemon, "a", files={"x/y.txt": b"why", "z": b"zet"})
    assert jobctl("cp", "a:x", "there").returncode == 0
    assert (jobctl.home / "there" / "y.txt").read_bytes() == b"why"
    assert jobctl("cp", "a:x", "there").returncode == 0
    assert [path.name for path in (jobctl.home / "there").iterdir()] == ["y.txt"]
    assert jobctl("cp", "a:x", "there/").returncode == 0
    assert (jobctl.home / "there" / "x" / "y.txt").read_bytes() == b"why"
    assert jobctl("cp", "@last:.", "all/").returncode == 0
    assert (jobctl.home / "all" / "z").read_bytes() == b"zet"
    assert jobctl("cp", "a:z", "-").stdout == b"zet"
    assert b"ustar" in jobctl("cp", "a:x", "-").stdout
    assert jobctl("cp", "a:none", ".").returncode == 4
    assert jobctl("cp", "z", "a:z").returncode == 2


def test_validate_names_every_problem_with_its_line(daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "job.yaml").write_text(
        "image: busybox\ncpu: -1\nmemory: 2\nartifacts:\n  - {id: a, type: nope}\n"
    )
    done = jobctl("validate", "-f", "job.yaml")
    assert done.returncode == 1
    assert [line.split(b": ")[0:2] for line in done.stdout.splitlines()] == [
        [b"job.yaml:2:1", b"cpu"],
        [b"job.yaml:3:1", b"memory"],
        [b"job.yaml:5:13", b"artifacts[0].type"],
    ]
    (jobctl.home / "job.yaml").write_text("image: busybox\ncpu: -1\nmemory: 2\n")
    assert [line.split(b": ")[0:2] for line in jobctl("validate", "job.yaml").stdout.splitlines()] == [
        [b"job.yaml:2:1", b"cpu"],
        [b"job.yaml:3:1", b"memory"],
    ]
    (jobctl.home / "job.yaml").write_text("image: busybox\n")
    fine = jobctl("validate", "-f", "job.yaml")
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, b"job.yaml: valid\n", b"")
    daemon.refuse = (400, {"error": "more cpus than there are", "code": "invalid-spec", "field": "image"})
    assert jobctl("validate", "job.yaml", "--json").returncode == 1
    daemon.stop()
    alone = jobctl("validate", "job.yaml")
    assert alone.returncode == 0
    assert b"not running" in alone.stderr
    schema = jobctl("validate", "--schema")
    assert (schema.returncode, schema.stdout, schema.stderr) == (0, job_file_schema(), b"")
    assert jobctl("validate", "--schema", "job.yaml").returncode == 2


def test_events_deliveries_and_replay(daemon: Any, jobctl: Any) -> None:
    add(daemon, "a")
    assert jobctl("events").stdout == b"4  2030-01-31T08:00:00Z  exit      a  exitCode=3\n"
    assert json.loads(jobctl("events", "--json").stdout)["seq"] == 4
    assert jobctl("deliveries", "a").stdout.splitlines()[1].split()[:4] == [b"7", b"exit", b"parked", b"3"]
    assert jobctl("deliveries", "a", "--state", "pending", "-o", "name").stdout == b""
    assert jobctl("replay", "7").stdout == b"7\n"
    assert ("POST", "/v1/deliveries/7/replay") in [request[:2] for request in daemon.requests]


def test_doctor_names_problems_and_remedies(daemon: Any, jobctl: Any) -> None:
    fine = jobctl("doctor")
    assert fine.returncode == 0, fine.stdout
    daemon.refuse = (503, {})
    sick = jobctl("doctor", "--json")
    assert sick.returncode == 1
    (bad,) = [check for check in json.loads(sick.stdout)["checks"] if not check["ok"]]
    assert bad["name"] == "engine"
    assert "systemctl start docker" in bad["remedy"]
    daemon.stop()
    away = jobctl("doctor")
    assert away.returncode == 1
    assert b"start it with: jobd" in away.stdout


def test_version_shows_both(daemon: Any, jobctl: Any) -> None:
    assert json.loads(jobctl("version", "--json").stdout)["jobd"]["engine"]["version"] == "20.10"
    daemon.stop()
    assert jobctl("version", "--client").returncode == 0
    assert jobctl("version").returncode == 3


def test_tcp_sends_the_key_and_a_wrong_one_is_not_allowed(jobctl: Any, free_port_daemon: Any) -> None:
    jobctl.env["JOBCTL_HOST"] = f"http://127.0.0.1:{free_port_daemon.port}"
    refused = jobctl("ls")
    assert refused.returncode == 5
    assert b"JOBCTL_API_KEY_FILE" in refused.stderr
    key = jobctl.home / "key"
    key.write_text("s3cret\n")
    jobctl.env["JOBCTL_API_KEY_FILE"] = str(key)
    assert jobctl("ls").returncode == 0
    del jobctl.env["JOBCTL_API_KEY_FILE"]
    state = jobctl.home / ".local" / "state" / "jobd"
    state.mkdir(parents=True)
    (state / "api-key").write_text("s3cret\n")
    assert jobctl("ls").returncode == 0
