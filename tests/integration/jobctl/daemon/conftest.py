"""jobctl with a home of its own, where no systemd runs for the user: `jobctl daemon` starts background processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.daemon.background import Background
from tests.support.daemon import DEADLINE_S


class Home:
    """A user's home. `jobctl` runs a command to its end; `environ` is what every program gets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "DOCKER_HOST": "unix:///nonexistent/engine.sock",
            "PORT": "0",
            "METRICS_PORT": "0",
            "SHUTDOWN_DRAIN_WAIT": "0s",
        }

    @property
    def state(self) -> Path:
        return self.folder / "state" / "jobd"

    @property
    def pid_file(self) -> Path:
        return self.state / "jobd.pid"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "jobctl", *arguments]

    def jobctl(self, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S * 2,
            **more,
        )

    def pid(self) -> int:
        return int(self.pid_file.read_text().split()[0])

    def background(self) -> Background:
        return Background({**self.environ, "JOBD_STATE_DIR": str(self.state)})


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.background().stop()
