"""What a shell offers: active jobs to cancel, the words of an option after its `=`, local paths, paths of a workspace, images."""

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until
from tests.support.terminal import Terminal

RUNS, OVER = (f"zz-{what}-{uuid.uuid4().hex[:8]}" for what in ("runs", "over"))
STAYS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


@pytest.fixture(scope="module")
def jobs(daemon: Daemon, worker_image: str) -> Daemon:
    """The jobs RUNS, and OVER with files in its workspace."""
    daemon.submit(id=RUNS, image=worker_image, command=STAYS)
    daemon.submit(
        id=OVER,
        image=worker_image,
        command="mkdir -p 'some folder' logs/old; echo 1 > result.csv; echo 2 > logs/a.txt",
    )
    daemon.ended(OVER)
    until(lambda: daemon.call("GET", f"/v1/jobs/{RUNS}").json["phase"] == "running", "the job runs")
    return daemon


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("x")
    (tmp_path / "data-folder").mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "jobctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m jobctl "$@"\n')
    program.chmod(0o755)
    return tmp_path


def in_bash(daemon: Daemon, folder: Path, *words: str) -> list[str]:
    """What bash offers for the last word; words are split at =, : and @ as bash does it."""
    split: list[str] = []
    for word in words:
        piece = ""
        for char in word:
            if char in "=:@":
                split += [piece] * bool(piece) + [char]
                piece = ""
            else:
                piece += char
        if piece or not word or word[-1] not in "=:@":
            split.append(piece)
    quoted = " ".join(f"'{word}'" for word in split)
    script = (
        f"compopt() {{ [[ $* == *default* ]] && echo FILES; }}; source <(jobctl completion bash); "
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(split) - 1}; COMP_WORDBREAKS=$' \\t\\n\"=:@'; "
        '_jobctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return sorted(run(daemon, folder, ["bash", "-c", script]))


def in_fish(daemon: Daemon, folder: Path, *words: str) -> list[str]:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed here")
    line = " ".join(words)
    lines = run(
        daemon,
        folder,
        ["fish", "--no-config", "-c", f"jobctl completion fish | source; complete -C '{line}'"],
    )
    return sorted(line.partition("\t")[0] for line in lines)


def environment(daemon: Daemon, folder: Path) -> dict[str, str]:
    path = f"{folder}/bin:{os.environ['PATH']}"
    host = f"unix://{daemon.socket}"
    return {
        **os.environ,
        "PATH": path,
        "JOBCTL_HOST": host,
        "PYTHONPATH": str(Path.cwd()),
        "HOME": str(folder),
    }


def run(daemon: Daemon, folder: Path, command: list[str]) -> list[str]:
    env = environment(daemon, folder)
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S)
    assert not done.stderr, done.stderr
    return list(filter(None, done.stdout.splitlines()))


SHELLS: list[Any] = [in_bash, in_fish]


@pytest.mark.parametrize("shell", SHELLS)
def test_only_active_jobs_are_offered_to_cancel(jobs: Daemon, folder: Path, shell: Any) -> None:
    assert shell(jobs, folder, "jobctl", "cancel", "zz-") == [RUNS]
    assert shell(jobs, folder, "jobctl", "stop", "zz-") == [RUNS]
    assert shell(jobs, folder, "jobctl", "kill", "zz-") == [RUNS]
    assert shell(jobs, folder, "jobctl", "logs", "zz-") == [OVER, RUNS]
    assert shell(jobs, folder, "jobctl", "rm", "zz-") == [OVER, RUNS]


@pytest.mark.parametrize("shell", SHELLS)
def test_only_ended_jobs_are_offered_to_retry(jobs: Daemon, folder: Path, shell: Any) -> None:
    assert shell(jobs, folder, "jobctl", "retry", "zz-") == [OVER]


@pytest.mark.parametrize("shell", SHELLS)
def test_aliases_are_completed_like_their_commands(jobs: Daemon, folder: Path, shell: Any) -> None:
    assert "stop" in shell(jobs, folder, "jobctl", "st")
    assert "delete" not in shell(jobs, folder, "jobctl", "")
    assert shell(jobs, folder, "jobctl", "delete", "zz-") == [OVER, RUNS]
    assert "--status" in shell(jobs, folder, "jobctl", "list", "--st")


def test_bash_offers_jobs_and_their_paths_as_inputs(jobs: Daemon, folder: Path) -> None:
    assert in_bash(jobs, folder, "jobctl", "run", "--in", "d=job:zz-o") == [f"{OVER}/"]
    assert in_bash(jobs, folder, "jobctl", "run", "--in", f"d=job:{OVER}/re") == [f"{OVER}/result.csv"]
    assert in_bash(jobs, folder, "jobctl", "run", "--in", f"d=job:{OVER}/logs/") == [
        f"{OVER}/logs/a.txt",
        f"{OVER}/logs/old/",
    ]
    assert in_bash(jobs, folder, "jobctl", "run", "--in", "d=") == ["FILES"]


def test_bash_offers_words_after_an_equals_sign(jobs: Daemon, folder: Path) -> None:
    assert in_bash(jobs, folder, "jobctl", "run", "--pull=") == ["always", "missing", "never"]
    assert in_bash(jobs, folder, "jobctl", "run", "--pull=al") == ["always"]
    assert in_bash(jobs, folder, "jobctl", "ls", "--status=run") == ["running"]
    assert in_bash(jobs, folder, "jobctl", "events", "--job=zz-r") == [RUNS]
    assert in_bash(jobs, folder, "jobctl", "ls", "--output=wi") == ["wide"]


def test_bash_offers_local_paths(jobs: Daemon, folder: Path) -> None:
    for words in (["--in", "x="], ["--in", "x=./da"], ["--in=x=da"], ["--out", "a=da"], ["--secret", "t=da"]):
        assert in_bash(jobs, folder, "jobctl", "run", *words) == ["FILES"], words
    assert in_bash(jobs, folder, "jobctl", "run", "--in", "x") == []
    assert in_bash(jobs, folder, "jobctl", "cp", f"{OVER}:result.csv", "da") == ["FILES"]


def test_fish_offers_the_same(jobs: Daemon, folder: Path) -> None:
    assert in_fish(jobs, folder, "jobctl", "run", "--pull=al") == ["--pull=always"]
    assert in_fish(jobs, folder, "jobctl", "ls", "--status=run") == ["--status=running"]
    assert in_fish(jobs, folder, "jobctl", "run", "--in", "x=da") == ["x=data-folder/", "x=data.csv"]
    assert in_fish(jobs, folder, "jobctl", "cp", f"{OVER}:logs/") == [
        f"{OVER}:logs/a.txt",
        f"{OVER}:logs/old/",
    ]
    assert in_fish(jobs, folder, "jobctl", "cp", f"{OVER}:re") == [f"{OVER}:result.csv"]


def test_paths_of_a_workspace_are_offered(jobs: Daemon, folder: Path) -> None:
    offered = in_bash(jobs, folder, "jobctl", "cp", f"{OVER}:")
    assert {"result.csv", "logs/"} <= set(offered)
    assert in_bash(jobs, folder, "jobctl", "cp", f"{OVER}:re") == ["result.csv"]
    assert in_bash(jobs, folder, "jobctl", "cp", f"{OVER}:logs/") == ["logs/a.txt", "logs/old/"]
    assert in_bash(jobs, folder, "jobctl", "cp", "zz-o") == [f"{OVER}:"]
    assert in_bash(jobs, folder, "jobctl", "cp", "no-such-job:") == []


DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGES = ["zz-newest:1", "zz-host:5000/tool:2", f"zz-digest@{DIGEST}"]


@pytest.fixture(scope="module")
def images(jobs: Daemon) -> Daemon:
    """Jobs of all `IMAGES`, the newest first; of the newest and the oldest one twice."""
    for number, image in enumerate([*reversed(IMAGES), IMAGES[0]]):
        jobs.submit(id=f"yy-{number}", image=image, pull="never", command="true")
    return jobs


def test_the_images_of_recent_jobs_are_listed_the_latest_first(images: Daemon, folder: Path) -> None:
    listed = run(images, folder, ["jobctl", "__images"])
    assert [image for image in listed if image.startswith("zz-")] == IMAGES
    assert len(listed) == len(set(listed)) > len(IMAGES), "the worker's image is there as well, once"
    assert run(images, folder, ["jobctl", "--host", "unix:///nowhere", "__images"]) == []
    assert run(images, folder, ["jobctl", "--host", "no url", "__images"]) == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", ["run", "submit"])
def test_images_are_offered_as_the_first_argument(
    images: Daemon, folder: Path, shell: Any, command: str
) -> None:
    for before in (
        [], ["-m", "2g"], ["-m2g"], ["--memory=2g"], ["--read-only"], ["--name", "x", "-e", "A=b"], ["-o", "json"], ["--"],
        ["--raw", "--"], ["-dm" if command == "run" else "-m", "2g"],
    ):  # fmt: skip
        assert shell(images, folder, "jobctl", command, *before, "zz-n") == ["zz-newest:1"], before
    assert shell(images, folder, "jobctl", "--host", f"unix://{images.socket}", command, "zz-n") == [
        "zz-newest:1"
    ]
    for behind in (["busybox"], ["--", "busybox"], ["busybox", "--"], ["-m", "2g", "busybox", "--name"]):
        assert shell(images, folder, "jobctl", command, *behind, "zz-n") == [], behind
    for value in (["--name"], ["-m"], ["--read-only", "-m"], ["--name=x", "--sh"]):
        assert shell(images, folder, "jobctl", command, *value, "zz-n") == [], value
    assert shell(images, folder, "jobctl", command, "busybox", "--pu") == []
    assert "zz-newest:1" not in shell(images, folder, "jobctl", command, "-")
    assert "--pull" in shell(images, folder, "jobctl", command, "--pu")


def test_bash_completes_after_a_colon_and_an_at_sign(images: Daemon, folder: Path) -> None:
    assert in_bash(images, folder, "jobctl", "run", "zz-host:") == ["5000/tool:2"]
    assert in_bash(images, folder, "jobctl", "run", "zz-host:5000/tool:") == ["2"]
    assert in_bash(images, folder, "jobctl", "run", "zz-digest@sha") == [f"@{DIGEST}"]
    assert in_bash(images, folder, "jobctl", "run", "--name=x", f"zz-digest@{DIGEST[:9]}") == [DIGEST[7:]]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (b"jobctl run -m 2g zz-n\t", b"zz-newest:1 "),
        (b"jobctl run zz-ho\t", b"zz-host:5000/tool:2 "),
        (b"jobctl run zz-digest@\t", b"zz-digest@" + DIGEST.encode() + b" "),
        (b"jobctl run zz-digest@sha256:01\t", b"zz-digest@" + DIGEST.encode() + b" "),
        (b"jobctl show @la\t", b"show @last "),
        (b"jobctl show @\t", b"show @last "),
        (b"jobctl run zz-\t\t", b"zz-newest:1"),
    ],
)
def test_a_tab_in_a_real_bash_completes(images: Daemon, folder: Path, typed: bytes, shown: bytes) -> None:
    (folder / "rc").write_text("PS1='$ '\nbind 'set bell-style none'\nsource <(jobctl completion bash)\n")
    env = {**environment(images, folder), "TERM": "dumb"}
    terminal = Terminal(["bash", "--noprofile", "--rcfile", str(folder / "rc"), "-i"], 300, 40, env)
    try:
        terminal.read_until(b"$ ")
        terminal.press(typed)
        terminal.read_until(shown)
    finally:
        terminal.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_groups_and_waiting_jobs_are_offered(jobs: Daemon, folder: Path, shell: Any) -> None:
    group, waits = f"zg-{uuid.uuid4().hex[:8]}", f"zw-{uuid.uuid4().hex[:8]}"
    jobs.call("PUT", f"/v1/groups/{group}", {"paused": True})
    jobs.submit(id=waits, image="busybox:latest", group=group)
    assert shell(jobs, folder, "jobctl", "group", "pa") == ["pause"]
    assert shell(jobs, folder, "jobctl", "group", "set", "zg-") == [group]
    assert shell(jobs, folder, "jobctl", "ls", "--group", "zg-") == [group]
    assert shell(jobs, folder, "jobctl", "bump", "z") == [waits]
    assert shell(jobs, folder, "jobctl", "pause", "zz-") == [RUNS]
    jobs.call("POST", f"/v1/jobs/{waits}/cancel")
    jobs.ended(waits)
    jobs.call("DELETE", f"/v1/groups/{group}")
