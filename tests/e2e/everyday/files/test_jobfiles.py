"""Job files, durations and files of variables as people write them, with the real programs."""

import json
from pathlib import Path

import pytest

from tests.support.daemon import Daemon

EIGHT_FAULTS = """\
image: busybox
imagee: typo
cpu: two
memory: 2
enviroment:
  A: b
environment: {LEVEL: 3, OK: fine}
artifacts:
  - {id: a, type: write, in: x, out: /etc/x, wen: always}
  - {id: b, type: nope}
  - {type: read, in: y, depends: job}
callback: {url: "ftp://x"}
retryOn: [1, true]
labels: [a, b]
"""


def test_validate_names_all_that_is_wrong_with_line_and_column(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(EIGHT_FAULTS)
    done = daemon.jobctl("validate", "-f", "job.yaml", cwd=tmp_path)
    assert done.returncode == 1
    found = [line.split(": ", 2)[:2] for line in done.stdout.splitlines()]
    expected = {
        ("job.yaml:2:1", "imagee"),
        ("job.yaml:3:1", "cpu"),
        ("job.yaml:4:1", "memory"),
        ("job.yaml:5:1", "enviroment"),
        ("job.yaml:7:15", "environment.LEVEL"),
        ("job.yaml:9:33", "artifacts[0].out"),
        ("job.yaml:9:46", "artifacts[0].wen"),
        ("job.yaml:10:13", "artifacts[1].type"),
        ("job.yaml:11:5", "artifacts[2].id"),
        ("job.yaml:12:12", "callback.url"),
        ("job.yaml:13:14", "retryOn[1]"),
        ("job.yaml:14:1", "labels"),
    }
    assert {(at, field) for at, field in found} == expected, done.stdout
    assert "did you mean image" in done.stdout
    assert "did you mean environment" in done.stdout
    assert "did you mean when" not in done.stdout, "a write artifact has no when"
    as_json = daemon.jobctl("validate", "--json", "-f", "job.yaml", cwd=tmp_path)
    problems = json.loads(as_json.stdout)["problems"]
    assert len(problems) == len(expected)
    assert {"field", "message", "line", "column"} == set(problems[0])


def test_all_repeated_names_of_a_file_are_named(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("image: busybox\nimage: busybox\ncpu: 1\ncpu: 2\nmemory: 1\n")
    done = daemon.jobctl("validate", "job.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == ["job.yaml:2:1", "job.yaml:4:1", "job.yaml:5:1"]  # fmt: skip


def test_a_misspelt_field_is_named_with_a_suggestion(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("image: busybox\ntimeoutSecs: 5\n")
    done = daemon.jobctl("run", "-f", "job.yaml", cwd=tmp_path)
    assert done.returncode == 125
    assert "job.yaml:2:1: timeoutSecs: unknown field; did you mean timeoutSeconds?" in done.stderr
    over_http = daemon.call("POST", "/v1/jobs", {"id": "x", "image": "busybox", "env": {}})
    assert over_http.status == 400
    assert "did you mean environment?" in over_http.json["error"]


def test_run_names_the_command_that_shows_all_problems_of_a_file(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("image: busybox\ncpu: -1\nmemory: 2\ntimeoutSeconds: -1\n")
    done = daemon.jobctl("run", "-f", "job.yaml", cwd=tmp_path)
    assert done.returncode == 125
    assert "job.yaml:2:1: cpu: must be" in done.stderr
    assert "to see all problems: jobctl validate -f job.yaml" in done.stderr
    (tmp_path / "job.yaml").write_text("cpu: -1\n")
    alone = daemon.jobctl("run", "-f", "job.yaml", "busybox", cwd=tmp_path)
    assert alone.returncode == 125
    assert "validate" not in alone.stderr


AS_PEOPLE_WRITE = """\
name: {name}
image: {image}
sh: echo $LEVEL $OTHER; pwd
memory: 64m
cpus: 0.5
timeout: 1.5h
workdir: /data
env:
  LEVEL: debug
label: {{a: b}}
pids-limit: 50
read-only: true
"""


def test_units_and_names_of_flags_are_accepted(
    daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(AS_PEOPLE_WRITE.format(name=job_id, image=worker_image))
    assert daemon.jobctl("validate", "job.yaml", cwd=tmp_path).returncode == 0
    done = daemon.jobctl("run", "-f", "job.yaml", "-e", "OTHER=x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "debug x\n/data\n"), done.stderr
    view = daemon.call("GET", f"/v1/jobs/{job_id}").json
    assert view["limits"] == {"cpu": 0.5, "memory": 64, "pids": 50, "timeoutSeconds": 5400}
    assert view["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memory: 2x", "memory: '2x' is not an amount of memory"),
        ("memory: '512'", "memory: '512' needs a unit"),
        ("timeout: soon", "timeout: 'soon' is not a duration"),
        ("timeout: 5m\ntimeoutSeconds: 300", "is the same field as timeout"),
        ("env: {A: b}\nenvironment: {A: b}", "is the same field as env"),
    ],
)
def test_wrong_units_and_repeated_fields_are_refused(
    daemon: Daemon, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "job.yaml").write_text(f"image: busybox\n{text}\n")
    for command in (["validate", "job.yaml"], ["run", "-f", "job.yaml"]):
        done = daemon.jobctl(*command, cwd=tmp_path)
        assert done.returncode in (1, 125)
        assert words in done.stdout + done.stderr


def test_the_api_accepts_no_units(daemon: Daemon, job_id: str) -> None:
    assert daemon.call("POST", "/v1/jobs", {"id": job_id, "image": "busybox", "memory": "64m"}).status == 400


def test_days_and_weeks_are_durations(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl("run", "--name", job_id, "--timeout", "1d", worker_image, "true")
    assert done.returncode == 0, done.stderr
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["limits"]["timeoutSeconds"] == 86400
    for arguments in (["ls", "--since", "2w"], ["prune", "--older-than", "1w2d", "--dry-run"], ["logs", "--since", "1.5d", job_id]):  # fmt: skip
        done = daemon.jobctl(*arguments)
        assert done.returncode == 0, done.stderr


ENV_FILE = """\
# a comment
export PLAIN=plain value
SINGLE='it is # no comment, $HOME \\n'
  DOUBLE="say \\"hi\\"\\nto $HOME"
EMPTY=
COMMENTED=value # a part of it
QUOTED="x" # a comment
HASH=a#b
export INHERITED
"""


def test_variables_of_a_file_are_read_as_in_a_shell(
    daemon: Daemon, worker_image: str, tmp_path: Path
) -> None:
    (tmp_path / "vars").write_text(ENV_FILE)
    line = 'for name in PLAIN SINGLE DOUBLE EMPTY COMMENTED QUOTED HASH INHERITED; do eval "echo \\"$name=\\$$name\\""; done'
    done = daemon.jobctl(
        "run", "--env-file", "vars", "--sh", line, worker_image, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "INHERITED": "yes"}
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        'PLAIN=plain value\nSINGLE=it is # no comment, $HOME \\n\nDOUBLE=say "hi"\nto $HOME\nEMPTY=\n'
        "COMMENTED=value # a part of it\nQUOTED=x\nHASH=a#b\nINHERITED=yes\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nB='open\n", "vars:2: the quote ' is not closed"),
        ('A="x" y\n', "vars:1: only a comment may follow the closing"),
        ("A = 1\n", "vars:1"),
        ("1\n=x\n", "vars:2"),
    ],
)
def test_an_invalid_file_of_variables_is_refused(
    daemon: Daemon, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "vars").write_text(text)
    done = daemon.jobctl("run", "--env-file", "vars", "busybox", "true", cwd=tmp_path)
    assert done.returncode == 125
    assert words in done.stderr
