"""What an operator allows a job at most, and what a workstation gives it by default, with the real programs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon


def test_an_operator_allows_longer_jobs(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_TIMEOUT": "72h"}).start()
    done = daemon.jobctl("run", "--name", job_id, "--timeout", "2d", "--write", "a=b", worker_image, "true")
    assert done.returncode == 0, done.stderr
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["limits"]["timeoutSeconds"] == 2 * 86400
    over = daemon.jobctl("run", "--timeout", "4d", worker_image, "true")
    assert over.returncode == 125
    assert "at most 72h" in over.stderr
    assert "MAX_TIMEOUT" in over.stderr


@pytest.mark.parametrize(
    ("environ", "spec", "field", "words"),
    [
        ({"MAX_TIMEOUT": "1h"}, {"timeoutSeconds": 3601}, "timeoutSeconds", "at most 1h (MAX_TIMEOUT"),
        ({"MAX_TIMEOUT": "10m"}, {}, "timeoutSeconds", "at most 10m (MAX_TIMEOUT"),
        ({"MAX_MEMORY": "1g"}, {"memory": 1025}, "memory", "at most 1024 MB (MAX_MEMORY"),
        ({"MAX_CPUS": "1.5"}, {"cpu": 1.6}, "cpu", "at most 1.5 cores (MAX_CPUS"),
        ({}, {"timeoutSeconds": 86401}, "timeoutSeconds", "at most 24h (MAX_TIMEOUT"),
        ({}, {"memory": 65537}, "memory", "at most 65536 MB (MAX_MEMORY"),
        ({}, {"cpu": 65}, "cpu", "at most 64 cores (MAX_CPUS"),
    ],
)
def test_a_limit_above_the_maximum_is_refused_with_its_setting(
    make_daemon: Callable[..., Daemon], environ: dict[str, str], spec: dict[str, Any], field: str, words: str
) -> None:
    daemon = make_daemon(environ=environ).start()
    for query in ("", "?dryRun=1"):
        answer = daemon.call("POST", f"/v1/jobs{query}", {"id": "x", "image": "busybox", **spec})
        assert (answer.status, answer.json["field"], answer.json["code"]) == (400, field, "invalid-spec")
        assert words in answer.json["error"]
    assert daemon.call("GET", "/v1/jobs").json["jobs"] == []


def run(daemon: Daemon, home: Path, *arguments: str, **environ: str) -> Any:
    return daemon.jobctl("run", "-d", *arguments, "busybox", "true", cwd=home, env={**os.environ, "JOBCTL_CONFIG": str(home / "contexts.toml"), **environ})  # fmt: skip


def limits(daemon: Daemon, done: Any) -> tuple[int, float, int]:
    assert done.returncode == 0, done.stderr
    found = daemon.call("GET", f"/v1/jobs/{done.stdout.strip()}").json["limits"]
    return found["memory"], found["cpu"], found["timeoutSeconds"]


def test_a_workstation_has_its_own_defaults(daemon: Daemon, worker_image: str, tmp_path: Path) -> None:
    assert limits(daemon, run(daemon, tmp_path)) == (512, 1, 1800)
    (tmp_path / "contexts.toml").write_text(
        'default_memory = "1g"\ndefault_cpus = 0.5\ndefault_timeout = "1d"\n'
    )
    assert limits(daemon, run(daemon, tmp_path)) == (1024, 0.5, 86400)
    from_environment = {
        "JOBCTL_DEFAULT_MEMORY": "300m",
        "JOBCTL_DEFAULT_CPUS": "0.7",
        "JOBCTL_DEFAULT_TIMEOUT": "3h",
    }
    assert limits(daemon, run(daemon, tmp_path, **from_environment)) == (300, 0.7, 10800)
    flags = ("-m", "64m", "--cpus", "1", "--timeout", "5s")
    assert limits(daemon, run(daemon, tmp_path, *flags, **from_environment)) == (64, 1, 5)
    (tmp_path / "job.yaml").write_text("memory: 128\n")
    assert limits(daemon, run(daemon, tmp_path, "-f", "job.yaml")) == (128, 0.5, 86400)


@pytest.mark.parametrize(
    ("file", "environ", "words"),
    [
        ("", {"JOBCTL_DEFAULT_MEMORY": "2x"}, "JOBCTL_DEFAULT_MEMORY: '2x' is not an amount"),
        ("", {"JOBCTL_DEFAULT_CPUS": "no"}, "JOBCTL_DEFAULT_CPUS"),
        ('default_timeout = "soon"', {}, "default_timeout in"),
        ("default_memory = 512", {}, "needs a unit"),
    ],
)
def test_an_invalid_default_is_named(
    daemon: Daemon, tmp_path: Path, file: str, environ: dict[str, str], words: str
) -> None:
    (tmp_path / "contexts.toml").write_text(file)
    done = run(daemon, tmp_path, **environ)
    assert done.returncode == 125
    assert words in done.stderr
