"""Two daemons never share a state directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobd.store.errors import StateLocked, StoreFailed
from jobd.store.sqlite.lock import StateLock

HOLD = "import sys; from pathlib import Path; from jobd.store.sqlite.lock import StateLock\nlock = StateLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def test_a_second_lock_is_refused_and_names_the_owner(tmp_path: Path) -> None:
    with StateLock(tmp_path):
        with pytest.raises(StateLocked, match=str(os.getpid())) as refused:
            StateLock(tmp_path)
        assert refused.value.pid == os.getpid()
    StateLock(tmp_path).release()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StateLocked) as refused:
            StateLock(tmp_path)
        assert refused.value.pid == holder.pid
        holder.kill()
        holder.wait(10)
    StateLock(tmp_path).release()


def test_release_repeats_safely(tmp_path: Path) -> None:
    lock = StateLock(tmp_path)
    lock.release()
    lock.release()


def test_an_owner_without_a_process_id_is_reported_too(tmp_path: Path) -> None:
    with StateLock(tmp_path):
        (tmp_path / "lock").write_text("nonsense")
        with pytest.raises(StateLocked, match="another process") as refused:
            StateLock(tmp_path)
        assert refused.value.pid is None


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="No such file"):
        StateLock(tmp_path / "none")
