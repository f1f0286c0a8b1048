"""A job's mounts: no user reaches through jobd what the user may not use, and nobody reaches jobd or the engine."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, remove_all, until

UID = GID = 65534
OTHER_UID = 65533

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="clients of several users need root and setpriv",
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user can search."""
    made = Path(tempfile.mkdtemp(prefix="mounts-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def system(folder: Path, worker_image: str) -> Iterator[Daemon]:
    """A daemon of root whose socket every user can use, as members of the group `jobd` use the system's."""
    allowed = folder / "allowed"
    (allowed / "sub").mkdir(parents=True)
    (allowed / "file").write_text("for all\n")
    allowed.chmod(0o700)
    (folder / "jobd").mkdir(mode=0o755)
    made = Daemon(folder / "jobd", {"ALLOW_MOUNTS": str(allowed)}).start()
    made.socket.chmod(0o666)
    yield made
    made.stop()
    remove_all(made)


@pytest.fixture(scope="module")
def files(folder: Path) -> Path:
    """`own` of the user; `open` with a secret of root's; `closed` of root's, with a folder in it that is open itself."""
    own, readable, closed = folder / "own", folder / "open", folder / "closed"
    own.mkdir(mode=0o700)
    (own / "file").write_text("mine\n")
    os.chown(own, UID, GID)
    os.chown(own / "file", UID, GID)
    readable.mkdir(mode=0o755)
    (readable / "file").write_text("public\n")
    (readable / "secret").write_text("of root\n")
    (readable / "secret").chmod(0o600)
    (closed / "in").mkdir(parents=True)
    (closed / "in" / "file").write_text("hidden\n")
    closed.chmod(0o700)
    (own / "link").symlink_to(closed)
    (own / "link-in").symlink_to("../closed/in")
    return folder


@pytest.fixture(scope="module")
def run(system: Daemon, folder: Path) -> Run:
    """Runs jobctl as a user, `UID` unless another is given."""

    def ran(*arguments: str, uid: int = UID) -> "subprocess.CompletedProcess[str]":
        home = folder / f"home-{uid}"
        if not home.exists():
            home.mkdir()
            os.chown(home, uid, uid)
        # The interpreter may be in a folder of root: the client may read it, and jobd sees the user alone.
        as_user = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
        as_user += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        return subprocess.run(
            [*as_user, sys.executable, "-m", "jobctl", "--host", f"unix://{system.socket}", *arguments],
            cwd=home, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
            env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip

    return ran


def test_a_user_mounts_the_users_own_folder_and_owns_what_the_job_writes(
    run: Run, files: Path, worker_image: str
) -> None:
    done = run(
        "run",
        "-v",
        f"{files}/own/../own:/data",
        worker_image,
        "sh",
        "-c",
        "cat /data/file; id -u; echo x > /data/new",
    )
    assert (done.returncode, done.stdout) == (0, f"mine\n{UID}\n"), done.stderr
    assert (files / "own" / "new").stat().st_uid == UID


@pytest.mark.parametrize("mode", ["", ":ro"])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("closed", "you may not read it"),
        ("closed/in", "you may not search the folder"),
        ("own/link", "you may not read it"),
        ("own/link-in", "you may not search the folder"),
        ("own/../closed/in", "you may not search the folder"),
        ("open/secret", "you may not read it"),
        ("none", "there is no 'none'"),
    ],
)
def test_a_user_mounts_nothing_that_the_user_may_not_use(
    run: Run, files: Path, worker_image: str, path: str, words: str, mode: str
) -> None:
    done = run("run", "-v", f"{files}/{path}:/data{mode}", worker_image, "cat", "/data/file")
    assert (done.returncode, done.stdout) == (125, "")
    assert words in done.stderr
    assert not (files / "none").exists()


def test_a_user_who_may_only_read_mounts_read_only(run: Run, files: Path, worker_image: str) -> None:
    done = run("run", "-v", f"{files}/open:/data", worker_image, "true")
    assert done.returncode == 125
    assert "mount it read-only (:ro)" in done.stderr
    done = run(
        "run", "-v", f"{files}/open:/data:ro", worker_image, "sh", "-c", "cat /data/file; cat /data/secret"
    )
    assert (done.returncode, done.stdout) == (1, "public\n")
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize("user", ["0", "0:0", "root", f"{UID}:0", f"{UID}:42", "1000:1000"])
def test_the_job_runs_as_nobody_else(run: Run, files: Path, worker_image: str, user: str) -> None:
    done = run("run", "-u", user, "-v", f"{files}/open:/data:ro", worker_image, "cat", "/data/secret")
    assert (done.returncode, done.stdout) == (125, "")
    assert "--user me" in done.stderr


def test_no_file_of_a_mount_comes_out_through_a_link_in_the_workspace(
    run: Run, files: Path, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    done = run(
        "run", "--name", job_id, "-v", f"{files}/open:/data:ro", worker_image, "sh", "-c",
        "ln -s /data way; ln -s /data/secret secret; echo fine > result",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for path in ("way/secret", "way/file"):
        copied = run("cp", f"{job_id}:{path}", "copy")
        assert copied.returncode != 0, path
    copied = run("cp", f"{job_id}:.", "all")
    assert copied.returncode == 0, copied.stderr
    home = files / f"home-{UID}"
    assert (home / "all" / "result").read_text() == "fine\n"
    assert "of root" not in "".join(
        one.read_text() for one in (home / "all").rglob("*") if one.is_file() and not one.is_symlink()
    )


@pytest.mark.parametrize("mode", ["", ":ro"])
def test_nobody_mounts_jobd_or_the_engine(system: Daemon, files: Path, worker_image: str, mode: str) -> None:
    paths = (
        system.folder / "state", system.folder / "state" / "jobd.db", system.socket, system.folder, files, "/var/run/docker.sock", "/run", "/var/run",
        "/run/docker.sock", "/var/lib/docker", "/var/lib/docker/volumes", "/var/lib", "/", "/proc", "/proc/1/root", "/sys", "/dev", "/dev/mem",
    )  # fmt: skip
    for path in paths:
        done = system.jobctl("run", "-v", f"{path}:/data{mode}", worker_image, "true")
        assert done.returncode == 125, path
        assert "no job gets" in done.stderr, (path, done.stderr)


def test_a_folder_that_is_exchanged_while_the_job_waits_is_not_mounted(
    system: Daemon, run: Run, files: Path, worker_image: str, job_id: str
) -> None:
    turned = files / "own" / "turned"
    turned.mkdir()
    os.chown(turned, UID, GID)
    assert system.jobctl("pause").returncode == 0
    try:
        done = run(
            "run", "-d", "--name", job_id, "-v", f"{turned}:/data:ro", worker_image, "cat", "/data/file"
        )
        assert done.returncode == 0, done.stderr
        turned.rmdir()
        turned.symlink_to(files / "closed" / "in")
    finally:
        assert system.jobctl("resume").returncode == 0
    view = system.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "input-failed")
    assert "you may not search the folder" in view["error"]


def test_another_user_does_not_retry_a_job_with_mounts(
    run: Run, files: Path, worker_image: str, job_id: str
) -> None:
    done = run("run", "--name", job_id, "-v", f"{files}/own:/data:ro", worker_image, "cat", "/data/file")
    assert done.returncode == 0, done.stderr
    again = run("retry", job_id, uid=OTHER_UID)
    assert again.returncode != 0
    assert "you may not read it" in again.stderr
    own = run("retry", job_id)
    assert own.returncode == 0, own.stderr


def test_another_user_neither_runs_commands_in_a_job_with_mounts_nor_attaches_to_it(
    system: Daemon, run: Run, files: Path, worker_image: str, job_id: str
) -> None:
    work = ("--sh", "sleep 60 & wait")
    done = run("run", "-d", "--name", job_id, "-v", f"{files}/own:/data:ro", *work, worker_image)
    assert done.returncode == 0, done.stderr
    until(lambda: system.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")
    for arguments in (("exec", job_id, "cat", "/data/file"), ("attach", job_id)):
        other = run(*arguments, uid=OTHER_UID)
        assert (other.returncode, other.stdout) == (125, "")
        assert f"with the rights of the user {UID}" in other.stderr
    as_root = run("exec", "-u", "0", job_id, "cat", "/data/file")
    assert as_root.returncode == 125
    assert "leave the user out" in as_root.stderr
    own = run("exec", job_id, "sh", "-c", "id -u; cat /data/file")
    assert (own.returncode, own.stdout) == (0, f"{UID}\nmine\n"), own.stderr
    system.call("POST", f"/v1/jobs/{job_id}/cancel", {"graceSeconds": 0})
    system.ended(job_id)


def test_over_tcp_only_the_operators_folders(
    system: Daemon, files: Path, worker_image: str, job_id: str
) -> None:
    def submit(source: object) -> tuple[int, str]:
        mounts = [{"source": str(source), "target": "/data"}]
        answer = system.call(
            "POST",
            "/v1/jobs",
            {"id": job_id, "image": worker_image, "command": "cat /data/file", "mounts": mounts},
        )
        return answer.status, answer.body.decode()

    for path in ("own", "open", "allowed/../own"):
        status, body = submit(files / path)
        assert (status, "ALLOW_MOUNTS" in body) == (400, True), body
    assert submit(files / "allowed")[0] == 202
    assert system.ended(job_id)["status"] == "completed"
    lines = until(lambda: system.log_lines(job_id), "the log")
    assert lines[0]["line"] == "for all"
