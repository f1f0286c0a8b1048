"""What a shell offers: active jobs to cancel, the words of an option after its `=`, local paths, paths of a job's workspace."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, until

STAYS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


@pytest.fixture(scope="module")
def jobs(daemon: Daemon, worker_image: str) -> Daemon:
    """The jobs `zz-runs`, and `zz-over` with files in its workspace."""
    daemon.submit(id="zz-runs", image=worker_image, command=STAYS)
    daemon.submit(
        id="zz-over",
        image=worker_image,
        command="mkdir -p 'some folder' logs/old; echo 1 > result.csv; echo 2 > logs/a.txt",
    )
    daemon.ended("zz-over")
    until(lambda: daemon.call("GET", "/v1/jobs/zz-runs").json["phase"] == "running", "the job runs")
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
    """What bash offers for the last word; words are split at = and : as bash does it."""
    split: list[str] = []
    for word in words:
        piece = ""
        for char in word:
            if char in "=:":
                split += [piece] * bool(piece) + [char]
                piece = ""
            else:
                piece += char
        if piece or not word or word[-1] not in "=:":
            split.append(piece)
    quoted = " ".join(f"'{word}'" for word in split)
    script = (
        f"compopt() {{ [[ $* == *default* ]] && echo FILES; }}; source <(jobctl completion bash); "
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(split) - 1}; COMP_WORDBREAKS=$' \\t\\n\"=:'; "
        '_jobctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return run(daemon, folder, ["bash", "-c", script])


def in_fish(daemon: Daemon, folder: Path, *words: str) -> list[str]:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed here")
    line = " ".join(words)
    lines = run(
        daemon,
        folder,
        ["fish", "--no-config", "-c", f"jobctl completion fish | source; complete -C '{line}'"],
    )
    return [line.partition("\t")[0] for line in lines]


def run(daemon: Daemon, folder: Path, command: list[str]) -> list[str]:
    import os

    env = {
        **os.environ,
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "JOBCTL_HOST": f"unix://{daemon.socket}",
    }
    env |= {"PYTHONPATH": str(Path.cwd()), "HOME": str(folder)}
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S)
    assert not done.stderr, done.stderr
    return sorted(filter(None, done.stdout.splitlines()))


SHELLS: list[Any] = [in_bash, in_fish]


@pytest.mark.parametrize("shell", SHELLS)
def test_only_active_jobs_are_offered_to_cancel(jobs: Daemon, folder: Path, shell: Any) -> None:
    assert shell(jobs, folder, "jobctl", "cancel", "zz-") == ["zz-runs"]
    assert shell(jobs, folder, "jobctl", "stop", "zz-") == ["zz-runs"]
    assert shell(jobs, folder, "jobctl", "kill", "zz-") == ["zz-runs"]
    assert shell(jobs, folder, "jobctl", "logs", "zz-") == ["zz-over", "zz-runs"]
    assert shell(jobs, folder, "jobctl", "rm", "zz-") == ["zz-over", "zz-runs"]


@pytest.mark.parametrize("shell", SHELLS)
def test_other_names_complete_as_the_commands_do(jobs: Daemon, folder: Path, shell: Any) -> None:
    assert "stop" in shell(jobs, folder, "jobctl", "st")
    assert "delete" not in shell(jobs, folder, "jobctl", "")
    assert shell(jobs, folder, "jobctl", "delete", "zz-") == ["zz-over", "zz-runs"]
    assert "--status" in shell(jobs, folder, "jobctl", "list", "--st")


def test_bash_offers_words_after_an_equals_sign(jobs: Daemon, folder: Path) -> None:
    assert in_bash(jobs, folder, "jobctl", "run", "--pull=") == ["always", "missing", "never"]
    assert in_bash(jobs, folder, "jobctl", "run", "--pull=al") == ["always"]
    assert in_bash(jobs, folder, "jobctl", "ls", "--status=run") == ["running"]
    assert in_bash(jobs, folder, "jobctl", "events", "--job=zz-r") == ["zz-runs"]
    assert in_bash(jobs, folder, "jobctl", "ls", "--output=wi") == ["wide"]


def test_bash_offers_local_paths(jobs: Daemon, folder: Path) -> None:
    for words in (["--in", "x="], ["--in", "x=./da"], ["--in=x=da"], ["--out", "a=da"], ["--secret", "t=da"]):
        assert in_bash(jobs, folder, "jobctl", "run", *words) == ["FILES"], words
    assert in_bash(jobs, folder, "jobctl", "run", "--in", "x") == []
    assert in_bash(jobs, folder, "jobctl", "cp", "zz-over:result.csv", "da") == ["FILES"]


def test_fish_offers_the_same(jobs: Daemon, folder: Path) -> None:
    assert in_fish(jobs, folder, "jobctl", "run", "--pull=al") == ["--pull=always"]
    assert in_fish(jobs, folder, "jobctl", "ls", "--status=run") == ["--status=running"]
    assert in_fish(jobs, folder, "jobctl", "run", "--in", "x=da") == ["x=data-folder/", "x=data.csv"]
    assert in_fish(jobs, folder, "jobctl", "cp", "zz-over:logs/") == [
        "zz-over:logs/a.txt",
        "zz-over:logs/old/",
    ]
    assert in_fish(jobs, folder, "jobctl", "cp", "zz-over:re") == ["zz-over:result.csv"]


def test_paths_of_a_workspace_are_offered(jobs: Daemon, folder: Path) -> None:
    offered = in_bash(jobs, folder, "jobctl", "cp", "zz-over:")
    assert {"result.csv", "logs/"} <= set(offered)
    assert in_bash(jobs, folder, "jobctl", "cp", "zz-over:re") == ["result.csv"]
    assert in_bash(jobs, folder, "jobctl", "cp", "zz-over:logs/") == ["logs/a.txt", "logs/old/"]
    assert in_bash(jobs, folder, "jobctl", "cp", "zz-o") == ["zz-over:"]
    assert in_bash(jobs, folder, "jobctl", "cp", "no-such-job:") == []
