"""README's table from `docker run` to `jobctl run`: each row gives the same exit code and output with both, on the real engine."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import docker.errors
import pytest

from tests.e2e.docker_run.docker_table import Row, rows
from tests.support.daemon import DEADLINE_S, Daemon, remove_all

ROWS = rows()
COMPARED = [row for row in ROWS if row.jobctl is not None]
REFUSED = [row for row in ROWS if row.jobctl is None]
_CODES = re.compile(r"docker (\d+), jobctl (\d+)")


@dataclass(frozen=True)
class Stage:
    """Where the rows run: a folder with their files, and the variables with which `docker` and `jobctl` are found."""

    folder: Path
    environ: dict[str, str]
    network: str

    def run(self, program: str, arguments: str) -> "subprocess.CompletedProcess[bytes]":
        line = f"{program} {arguments}".replace("mynet", self.network).replace(
            "my-job", f"job-{uuid.uuid4().hex[:12]}"
        )
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.DockerClient, worker_image: str
) -> Iterator[Stage]:
    if shutil.which("docker") is None:
        pytest.skip("there is no docker command on this machine")
    folder = tmp_path_factory.mktemp("docker-run")
    here = folder / "here"
    (here / "data").mkdir(parents=True)
    (here / "data" / "file").write_text("content\n")
    (here / "link").symlink_to("data")
    (here / "env.list").write_text("# variables\nA=1\nB=two words\n")
    programs = folder / "bin"
    programs.mkdir()
    daemon = Daemon(
        folder / "jobd",
        {
            "ALLOW_DEVICES": "/dev/zero",
            "ALLOW_CAP_ADD": "true",
            "JOB_RETENTION": "0s",
            "MAINTENANCE_INTERVAL": "1s",
        },
    ).start()
    (programs / "jobctl").write_text(
        f'#!/bin/sh\nPYTHONPATH={Path.cwd()} exec {sys.executable} -m jobctl --host unix://{daemon.socket} "$@"\n'
    )
    (programs / "jobctl").chmod(0o755)
    network = f"net-{uuid.uuid4().hex[:12]}"
    made = docker_client.networks.create(network)
    peer = docker_client.containers.run(
        worker_image, ["sleep", "3600"], detach=True, init=True, network=network, name=f"{network}-peer"
    )
    made.disconnect(peer)
    made.connect(peer, aliases=["peer"])
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "FROM_CALLER": "given"}
    environ.pop("NOT_SET", None)
    try:
        yield Stage(here, environ, network)
    finally:
        daemon.stop()
        remove_all(daemon)
        peer.remove(force=True)
        with contextlib.suppress(docker.errors.APIError):
            made.remove()


@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row.docker[:60])
def test_a_row_gives_the_same_with_both(stage: Stage, row: Row) -> None:
    assert row.jobctl is not None
    theirs = stage.run("docker run --rm", row.docker)
    ours = stage.run("jobctl run", row.jobctl)
    told = _CODES.search(row.note)
    codes = (int(told[1]), int(told[2])) if told else (theirs.returncode, theirs.returncode)
    assert (theirs.returncode, ours.returncode) == codes, (theirs.stderr, ours.stderr)
    assert ours.stdout == theirs.stdout
    if theirs.returncode not in (125, 126, 127):  # then the text is docker's own
        assert set(theirs.stderr.splitlines()) <= set(ours.stderr.splitlines())


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.docker[:60])
def test_a_refused_row_says_what_to_use_instead(stage: Stage, row: Row) -> None:
    ours = stage.run("jobctl run", row.docker)
    assert (ours.returncode, ours.stdout) == (125, b"")
    lines = ours.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    for flag in re.findall(r"`(--?[a-z-]+)", row.note):
        assert flag in lines[0]


def test_the_table_has_rows_enough() -> None:
    assert len(COMPARED) >= 40
    assert len({row.docker for row in ROWS}) == len(ROWS)
