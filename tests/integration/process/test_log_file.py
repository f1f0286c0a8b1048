"""LOG_FILE: the log of a daemon whose standard error nothing collects, in a file of bounded size."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, until


def test_the_log_and_a_fault_of_the_start_are_in_the_file(
    make_lonely: Callable[..., Daemon], tmp_path: Path
) -> None:
    file = tmp_path / "own.log"
    daemon = make_lonely({"LOG_FILE": str(file), "TLS_CERT_FILE": "/nonexistent"})
    with pytest.raises(pytest.fail.Exception, match="ended with 2"):
        daemon.start()
    assert "jobd: TLS_KEY_FILE: /nonexistent: No such file or directory" in file.read_text()
    assert daemon.log.read_text() == ""
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["link", "folder", "device", "missing folder"])
def test_another_thing_than_a_file_is_refused(
    make_lonely: Callable[..., Daemon], tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "own.log"
    if kind == "link":
        file.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        file.mkdir()
    elif kind == "device":
        file = Path("/dev/null")
    else:
        file = tmp_path / "missing" / "own.log"
    daemon = make_lonely({"LOG_FILE": str(file)})
    with pytest.raises(pytest.fail.Exception, match="ended with 2"):
        daemon.start()
    assert daemon.log.read_text().startswith("jobd: LOG_FILE: ")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_was_moved_away_is_made_anew_on_sighup(
    make_lonely: Callable[..., Daemon], tmp_path: Path
) -> None:
    file = tmp_path / "own.log"
    # The daemon's own log is the file, so that the start is noticed.
    daemon = make_lonely({"LOG_FILE": str(file)})
    daemon.folder.mkdir()
    daemon.log.symlink_to(file)
    daemon.start()
    file.rename(tmp_path / "old.log")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: file.exists() and "settings reloaded" in file.read_text(), "the new file has the log")
    assert "jobd is ready" in (tmp_path / "old.log").read_text()
