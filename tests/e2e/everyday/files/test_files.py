"""Files, folders, links and streams as destinations of `run --out` and `cp`, with a real job."""

import io
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import DEADLINE_S, Daemon

CONTENT = "content\n"


def tree(folder: Path) -> dict[str, str | None]:
    """The files below a folder with their texts; folders are None."""
    return {str(p.relative_to(folder)): None if p.is_dir() else p.read_text() for p in folder.rglob("*")}


def test_a_link_to_a_file_is_followed(daemon: Daemon, worker_image: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "target"
    target.write_text("before")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to("real/target")
    done = daemon.jobctl("run", "--sh", "echo hi > o", "--out", "o=link", worker_image, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "link").is_symlink()
    assert target.read_text() == "hi\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["target"]


def test_a_replaced_file_keeps_its_mode(daemon: Daemon, job: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("before")
    secret.chmod(0o600)
    assert daemon.jobctl("cp", f"{job}:o", str(secret)).returncode == 0
    assert secret.read_text() == CONTENT
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("destination", ["-", "stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_an_output_goes_to_stdout_and_the_jobs_own_lines_to_stderr(
    daemon: Daemon, worker_image: str, tmp_path: Path, destination: str
) -> None:
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")  # as /dev/stdout is one
    done = daemon.jobctl(
        "run", "--sh", "echo to out; echo to err >&2; echo hi > o", "--out", f"o={destination}", worker_image,
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "hi\n"), done.stderr
    assert sorted(done.stderr.splitlines()) == ["to err", "to out"]
    assert [path.name for path in tmp_path.iterdir()] == ["stdout"]
    assert (tmp_path / "stdout").is_symlink()


def test_an_output_on_stdout_continues_at_the_position_of_the_file(
    daemon: Daemon, worker_image: str, tmp_path: Path
) -> None:
    with (tmp_path / "log").open("w") as log:
        log.write("earlier\n")
        log.flush()
        code = subprocess.run(
            [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", "run", "--sh", "echo hi > o",
             "--out", "o=/proc/self/fd/1", worker_image], stdout=log, timeout=DEADLINE_S,
        ).returncode  # fmt: skip
    assert code == 0
    assert (tmp_path / "log").read_text() == "earlier\nhi\n"


def test_cp_writes_a_file_as_it_is_and_a_folder_as_a_tar(daemon: Daemon, job: str) -> None:
    assert daemon.jobctl("cp", f"{job}:o", "-").stdout == CONTENT
    command = [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", "cp", f"{job}:res", "-"]
    packed = subprocess.run(command, capture_output=True, timeout=DEADLINE_S)
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        assert {"res/a", "res/sub/b"} <= set(archive.getnames())


def test_one_output_alone_goes_to_stdout_and_not_beside_json(daemon: Daemon, worker_image: str) -> None:
    for flags in (["--out", "a=-", "--out", "b=-"], ["--json", "--out", "a=-"]):
        done = daemon.jobctl("run", *flags, worker_image, "true")
        assert done.returncode in (2, 125), done.stderr
        assert "stdout" in done.stderr


# -- folders that are made again


def run(daemon: Daemon, at: Path, image: str, line: str, *outputs: str) -> Any:
    flags = [part for output in outputs for part in ("--out", output)]
    return daemon.jobctl("run", "--sh", line, *flags, image, cwd=at)


def test_the_same_run_twice_gives_the_same_folder(daemon: Daemon, worker_image: str, tmp_path: Path) -> None:
    first = run(daemon, tmp_path, worker_image, "mkdir -p result/s; echo 1 > result/s/old", "result=./res")
    assert first.returncode == 0, first.stderr
    assert tree(tmp_path) == {"res": None, "res/s": None, "res/s/old": "1\n"}
    again = run(daemon, tmp_path, worker_image, "mkdir result; echo 2 > result/new", "result=./res")
    assert again.returncode == 0, again.stderr
    assert tree(tmp_path) == {"res": None, "res/new": "2\n"}


@pytest.mark.parametrize("destination", ["in/", "in/.", "in/deeper/.."])
def test_a_trailing_slash_or_dot_copies_into_the_folder(
    daemon: Daemon, job: str, tmp_path: Path, destination: str
) -> None:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    for _ in range(2):
        for path in ("o", "res"):
            done = daemon.jobctl("cp", f"{job}:{path}", destination, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "in") == {
        "deeper": None, "o": CONTENT, "res": None, "res/a": "a\n", "res/sub": None, "res/sub/b": "b\n",
    }  # fmt: skip


def test_copying_the_whole_workspace_twice_gives_the_same(daemon: Daemon, job: str, tmp_path: Path) -> None:
    whole = {"o": CONTENT, "res": None, "res/a": "a\n", "res/sub": None, "res/sub/b": "b\n"}
    for destination in ("all", "all", "inside/", "inside/"):
        done = daemon.jobctl("cp", f"{job}:.", destination, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "all") == whole
    assert tree(tmp_path / "inside") == whole


def test_a_folder_of_the_callers_own_is_never_replaced(
    daemon: Daemon, worker_image: str, tmp_path: Path
) -> None:
    (tmp_path / "res").mkdir()
    (tmp_path / "res" / "thesis").write_text("years")
    for output in ("res=res", "res=.", "res/a=res"):
        done = run(daemon, tmp_path, worker_image, "echo ran; mkdir res; echo a > res/a", output)
        assert done.returncode != 0
        assert "res" in done.stderr
        assert "./res/" in done.stderr or "res/" in done.stderr
        assert "ran" not in done.stdout, "it is refused before the job runs"
    assert tree(tmp_path) == {"res": None, "res/thesis": "years"}


def test_a_callers_file_in_an_output_folder_is_kept(daemon: Daemon, job: str, tmp_path: Path) -> None:
    res = tmp_path / "res"
    assert daemon.jobctl("cp", f"{job}:res", str(res)).returncode == 0
    (res / "sub" / "notes").write_text("mine")
    refused = daemon.jobctl("cp", f"{job}:res", str(res))
    assert refused.returncode == 1
    assert "sub/notes" in refused.stderr
    assert (res / "sub" / "notes").read_text() == "mine"
    (res / "sub" / "notes").unlink()
    (res / "a").unlink()
    assert daemon.jobctl("cp", f"{job}:res", str(res)).returncode == 0
    with (res / "a").open("a") as changed:
        changed.write("a correction")
    refused = daemon.jobctl("cp", f"{job}:res", str(res))
    assert refused.returncode == 1
    assert "a correction" in (res / "a").read_text()


def test_a_file_does_not_replace_a_folder_nor_a_folder_a_file(
    daemon: Daemon, job: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for path, destination in (("o", "folder"), ("res", "file")):
        done = daemon.jobctl("cp", f"{job}:{path}", destination, cwd=tmp_path)
        assert done.returncode == 1
        assert destination in done.stderr
    assert tree(tmp_path) == {"folder": None, "file": "mine"}


@pytest.mark.parametrize("where", ["/proc", "home", "cwd", "above"])
def test_places_that_are_never_replaced(daemon: Daemon, job: str, tmp_path: Path, where: str) -> None:
    (tmp_path / "home" / "inner").mkdir(parents=True)
    destination = {"home": str(tmp_path / "home"), "cwd": str(tmp_path / "home" / "inner"), "above": str(tmp_path)}.get(where, where)  # fmt: skip
    done = daemon.jobctl(
        "cp", f"{job}:res", destination, cwd=tmp_path / "home" / "inner", env={**os.environ, "HOME": str(tmp_path / "home")}
    )  # fmt: skip
    assert done.returncode == 1
    assert "does not replace" in done.stderr
    assert tree(tmp_path) == {"home": None, "home/inner": None}


def test_outputs_that_would_replace_each_other_are_refused(
    daemon: Daemon, worker_image: str, tmp_path: Path
) -> None:
    for outputs in (["a=res", "b=./res"], ["a=res/a", "b=res"], ["a=.", "x/a=./"]):
        done = run(daemon, tmp_path, worker_image, "echo ran; mkdir a b", *outputs)
        assert done.returncode != 0, outputs
        assert "ran" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_killed_copy_leaves_the_old_folder_and_the_next_copy_cleans_up(
    daemon: Daemon, worker_image: str, tmp_path: Path
) -> None:
    made = run(daemon, tmp_path, worker_image, "mkdir r; echo 1 > r/a", "r=res")
    assert made.returncode == 0, made.stderr
    big = daemon.jobctl(
        "run", "--sh", "mkdir r; echo 2 > r/a; dd if=/dev/urandom of=r/z bs=1M count=64 2>/dev/null", worker_image
    )  # fmt: skip
    assert big.returncode == 0, big.stderr
    program = subprocess.Popen(
        [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", "cp", "@last:r", "res"], cwd=tmp_path
    )  # fmt: skip
    while program.poll() is None and len(list(tmp_path.iterdir())) < 2:
        pass
    program.kill()
    program.wait(DEADLINE_S)
    assert (tmp_path / "res" / "a").read_text() in ("1\n", "2\n")
    done = daemon.jobctl("cp", "@last:r", "res", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "res" / "a").read_text() == "2\n"
    assert [path.name for path in tmp_path.iterdir()] == ["res"], "nothing half-made is left"


# -- the daemon's socket


def test_the_daemon_is_found_without_xdg_runtime_dir(daemon: Daemon, tmp_path: Path) -> None:
    """As cron, sudo and su run a command: the user's runtime folder is there and no variable names it."""
    script = (
        f"mount -t tmpfs none /run && mkdir -p /run/user/{os.getuid()}/jobd &&"
        f" ln -s {daemon.socket} /run/user/{os.getuid()}/jobd/jobd.sock && exec {sys.executable} -m jobctl ls"
    )
    apart = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if apart.returncode != 0:
        pytest.skip("no mount namespace for this user")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
