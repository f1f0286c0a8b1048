"""SIGHUP: new values of the settings that may change, names of those that need a restart, and no change by a fault."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon, until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jobd.toml"
    path.write_text('max_concurrent_jobs = 2\nlog_level = "info"\n')
    return path


@pytest.fixture
def configured(make_lonely: Callable[..., Daemon], file: Path) -> Daemon:
    return make_lonely(flags=("--no-auth", "--config", str(file))).start()


def reload(daemon: Daemon) -> dict[str, Any]:
    """Sends SIGHUP, and returns the entries of the log about it by their message; of several with one message the last."""
    begin = daemon.log.stat().st_size
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)

    def told() -> dict[str, Any]:
        entries = [
            json.loads(line) for line in daemon.log.read_bytes()[begin:].splitlines() if line.startswith(b"{")
        ]
        return {entry["message"]: entry for entry in entries if entry.get("action") == "reload"}

    found: dict[str, Any] = until(told, "the log has the result of the reload")
    return found


def test_what_may_change_changes_and_the_rest_is_named(configured: Daemon, file: Path) -> None:
    file.write_text(
        'max_concurrent_jobs = 7\nmax_memory = "100m"\njob_retention = "1h"\ngpu_devices = "0"\nlog_max_bytes = 2048\n'
        'allow_devices = "/dev/fuse"\nallow_mounts = "/srv"\n'
    )
    told = reload(configured)["settings reloaded"]
    assert told["changed"] == "JOB_RETENTION, MAX_CONCURRENT_JOBS, MAX_MEMORY, ALLOW_DEVICES"
    assert told["needs_restart"] == "GPU_DEVICES, LOG_MAX_BYTES, ALLOW_MOUNTS"
    assert told["level"] == "warning"
    assert configured.call("GET", "/v1/version").json["maxConcurrentJobs"] == 7
    assert configured.call("GET", "/v1/queue").json["limit"] == 7
    refused = configured.call("POST", "/v1/jobs", {"id": "a", "image": "x", "memory": 200})
    assert refused.status == 400
    assert b"MAX_MEMORY" in refused.body
    device = {"source": "/dev/fuse", "target": "/dev/fuse"}
    assert (
        configured.call(
            "POST", "/v1/jobs", {"id": "a", "image": "x", "memory": 50, "devices": [device]}
        ).status
        == 202
    )
    again = reload(configured)["settings reloaded"]
    assert (again["changed"], again["needs_restart"]) == ("", "GPU_DEVICES, LOG_MAX_BYTES, ALLOW_MOUNTS")


def test_a_removed_setting_has_its_default_again(configured: Daemon, file: Path) -> None:
    file.write_text("max_concurrent_jobs = 3\nmax_queued_jobs = 1\n")
    reload(configured)
    configured.submit(id="a", image="x")
    assert configured.call("POST", "/v1/jobs", {"id": "b", "image": "x"}).status == 429
    file.write_text("")
    assert reload(configured)["settings reloaded"]["changed"] == "MAX_CONCURRENT_JOBS, MAX_QUEUED_JOBS"
    configured.submit(id="b", image="x")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("max_concurrent_jobs = 9\nupload_retries = -1\n", "UPLOAD_RETRIES"),
        ("max_concurrent_jobs = 9\nmax_concurent = 9\n", "'max_concurent'"),
        ("max_concurrent_jobs = ", "jobd.toml"),
        (None, "jobd.toml"),
        (
            'max_concurrent_jobs = 9\napi_key_file = "/nonexistent/key"\njobd_no_auth = false\n',
            "API_KEY_FILE",
        ),
    ],
)
def test_a_fault_changes_nothing(
    make_lonely: Callable[..., Daemon], file: Path, text: str | None, fault: str
) -> None:
    daemon = make_lonely(flags=("--config", str(file))).start()
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    told = reload(daemon)
    assert told.keys() == {"settings not reloaded"}
    assert fault in told["settings not reloaded"]["error"]
    key = (daemon.folder / "state" / "api-key").read_text().strip()
    answer = daemon.call("GET", "/v1/queue", headers={"Authorization": f"Bearer {key}"})
    assert answer.json["limit"] == 2


def test_a_new_api_key_is_taken_over(make_lonely: Callable[..., Daemon], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("the-first-key\n")
    key.chmod(0o600)
    daemon = make_lonely({"API_KEY_FILE": str(key)}, flags=()).start()

    def status(text: str) -> int:
        return daemon.call("GET", "/v1/jobs", headers={"Authorization": f"Bearer {text}"}).status

    assert (status("the-first-key"), status("the-second-key")) == (200, 401)
    key.write_text("the-second-key\n")
    assert status("the-first-key") == 200
    reload(daemon)
    assert (status("the-first-key"), status("the-second-key")) == (401, 200)
    key.write_text("short\n")
    assert "settings not reloaded" in reload(daemon)
    assert status("the-second-key") == 200
    assert "-key" not in daemon.log.read_text().replace("api-key", "")


def test_the_log_level_changes(configured: Daemon, file: Path) -> None:
    file.write_text('max_concurrent_jobs = 2\nlog_level = "warning"\nlog_max_bytes = 2048\n')
    told = reload(configured)["settings reloaded"]
    assert (told["changed"], told["needs_restart"], told["level"]) == (
        "LOG_LEVEL",
        "LOG_MAX_BYTES",
        "warning",
    )
    file.write_text("max_concurrent_jobs = 2\n")
    begin = configured.log.stat().st_size
    assert reload(configured)["settings reloaded"]["level"] == "info"
    assert configured.log.read_bytes()[begin:].count(b"\n") == 1


def test_many_hangups_at_once_leave_jobd_in_order(configured: Daemon) -> None:
    assert configured.process is not None
    for _ in range(20):
        configured.process.send_signal(signal.SIGHUP)
    reload(configured)
    assert configured.stop() == 0


def test_a_file_that_was_made_after_the_start_is_read(
    make_lonely: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = make_lonely({"CONFIGURATION_DIRECTORY": str(tmp_path)}).start()
    (tmp_path / "jobd.toml").write_text("max_concurrent_jobs = 3\n")
    assert reload(daemon)["settings reloaded"]["changed"] == "MAX_CONCURRENT_JOBS"
    (tmp_path / "jobd.toml").unlink()
    assert reload(daemon)["settings reloaded"]["changed"] == "MAX_CONCURRENT_JOBS"
