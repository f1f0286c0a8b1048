"""`jobd --check-config`: each fault with its setting and remedy, exit code 0 or 2, and nothing is started, made or changed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon

Check = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def check(home: Path) -> Check:
    def run(*flags: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "jobd", "--check-config", *flags],
            env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(Path.cwd()), **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def everything(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat(follow_symlinks=False).st_mode) for path in folder.rglob("*"))


def test_valid_settings_make_nothing(check: Check, home: Path) -> None:
    done = check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "jobd: the settings are valid\n", "")
    assert everything(home) == []


def test_every_fault_has_its_setting_and_its_remedy(check: Check, home: Path) -> None:
    file = home / "jobd.toml"
    file.write_text('port = 80000\nmax_memory = "64"\n')
    done = check("--config", str(file), "--metrics-port", "x", LOG_LEVEL="loud", MAX_TIMEOUT="1d")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = [line.removeprefix("jobd: ") for line in done.stderr.splitlines()]
    faults = dict(zip(lines[::2], lines[1::2], strict=True))
    found = {fault.partition(":")[0]: remedy for fault, remedy in faults.items()}
    assert found == {
        "PORT": f"  port in {file} sets it; without it the default holds, 8080",
        "METRICS_PORT": "  the flag --metrics-port sets it; without it the default holds, 9090",
        "MAX_TIMEOUT": "  the variable MAX_TIMEOUT sets it; without it the default holds, 24h",
        "MAX_MEMORY": f"  max_memory in {file} sets it; without it the default holds, 64g",
        "LOG_LEVEL": "  the variable LOG_LEVEL sets it; without it the default holds, info",
    }


def test_a_misspelt_setting_of_the_file_has_a_suggestion(check: Check, home: Path) -> None:
    (home / "jobd.toml").write_text("max_concurent_jobs = 3\n")
    done = check("--config", str(home / "jobd.toml"))
    assert done.returncode == 2
    assert "'max_concurent_jobs'; did you mean max_concurrent_jobs?" in done.stderr


def test_the_file_of_the_configuration_folder_is_read(check: Check, home: Path, tmp_path: Path) -> None:
    own = home / ".config" / "jobd"
    own.mkdir(parents=True)
    (own / "jobd.toml").write_text("port = -1\n")
    assert f"port in {own / 'jobd.toml'} sets it" in check().stderr
    assert check(CONFIGURATION_DIRECTORY=str(tmp_path)).returncode == 0, "systemd names another folder"
    (tmp_path / "jobd.toml").write_text("upload_retries = -1\n")
    assert "UPLOAD_RETRIES" in check(CONFIGURATION_DIRECTORY=str(tmp_path)).stderr


def test_the_files_that_settings_name_are_checked_together(check: Check, home: Path) -> None:
    (home / "key").write_text("a-key-of-mine\n")
    (home / "key").chmod(0o644)
    (home / "no-socket").write_text("")
    done = check(
        API_KEY_FILE=str(home / "key"),
        TLS_CERT_FILE="/nonexistent/cert.pem",
        JOBD_SOCKET=str(home / "no-socket"),
        LOG_FILE="/nonexistent/jobd.log",
        DOCKER_HOST="ssh://elsewhere",
    )
    assert done.returncode == 2
    for setting, words in (
        ("API_KEY_FILE", "any user can read"),
        ("TLS_KEY_FILE", "/nonexistent/cert.pem"),
        ("JOBD_SOCKET", "is no socket; move it away"),
        ("LOG_FILE", "/nonexistent does not exist"),
        ("DOCKER_HOST", "ssh:// is not supported"),
    ):
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"jobd: {setting}: ")]
        assert words in line


@pytest.mark.parametrize("kind", ["file", "link", "open to others"])
def test_a_state_folder_that_a_start_would_refuse_is_a_fault_and_stays(
    check: Check, home: Path, kind: str
) -> None:
    state = home / "state"
    if kind == "file":
        state.write_text("")
    elif kind == "link":
        state.symlink_to(home)
    else:
        state.mkdir()
        state.chmod(0o777)
    before = everything(home)
    done = check(JOBD_STATE_DIR=str(state))
    assert done.returncode == 2
    assert done.stderr.startswith("jobd: JOBD_STATE_DIR: ")
    assert everything(home) == before


def test_a_state_folder_in_a_file_cannot_be_made(check: Check, home: Path) -> None:
    (home / "file").write_text("")
    done = check(JOBD_STATE_DIR=str(home / "file" / "state"))
    assert done.returncode == 2
    assert "JOBD_STATE_DIR" in done.stderr


def test_a_running_jobd_is_no_fault(check: Check, make_lonely: Callable[..., Daemon]) -> None:
    daemon = make_lonely(flags=()).start()
    state = daemon.folder / "state"
    before = [(path, mode) for path, mode in everything(state) if "jobd.db" not in path]
    done = check(
        "--socket", str(daemon.socket), "--state-dir", str(state),
        PORT=daemon.http.rpartition(":")[2], METRICS_PORT=daemon.metrics.split(":")[2].partition("/")[0],
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [(path, mode) for path, mode in everything(state) if "jobd.db" not in path] == before
    assert daemon.call("GET", "/livez").status == 200
    assert daemon.stop() == 0


def test_a_damaged_key_of_the_state_folder_is_a_fault(check: Check, home: Path) -> None:
    state = home / "state"
    state.mkdir(mode=0o700)
    (state / "fingerprint-key").write_text("not hexadecimal")
    (state / "fingerprint-key").chmod(0o600)
    done = check(JOBD_STATE_DIR=str(state))
    assert done.returncode == 2
    assert "the key is damaged" in done.stderr
