"""`make demo` as a user runs it: it ends with 0, says what it checked, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import docker

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_finds_no_difference(docker_client: docker.DockerClient, worker_image: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks, all good" in done.stdout
    assert "✗" not in done.stdout
    (run_id,) = {word.split("-")[1] for word in done.stdout.split() if word.startswith("demo-")}
    left = [
        c.name
        for c in docker_client.containers.list(all=True, ignore_removed=True)
        if f"demo-{run_id}" in str(c.name)
    ]
    left += [v.name for v in docker_client.volumes.list() if f"demo-{run_id}" in v.name]
    assert not left
