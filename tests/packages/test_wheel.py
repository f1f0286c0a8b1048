"""The wheel, as users install it: by pipx and by uv, with its programs, man pages and units, and no trace after its removal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import until

INSTALL = {
    "pipx": ("pipx", "install", "--python", sys.executable),
    "uv": ("uv", "tool", "install", "--python", sys.executable),
}
UNINSTALL = {"pipx": ("pipx", "uninstall", "jobd"), "uv": ("uv", "tool", "uninstall", "jobd")}


@pytest.mark.parametrize("tool", INSTALL)
def test_install_use_and_uninstall(tool: str, tools: Path, wheel: Path, tmp_path: Path) -> None:
    environ = {
        "PATH": f"{tmp_path}/.local/bin:{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "DOCKER_HOST": "unix:///nonexistent/engine.sock",
        "PORT": "0",
        "METRICS_PORT": "0",
        "SHUTDOWN_DRAIN_WAIT": "0s",
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))},
    }

    def call(*command: str, code: int = 0) -> str:
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    call(*INSTALL[tool], str(wheel))
    version = wheel.name.split("-")[1]
    assert call("jobctl", "--version") == f"jobctl {version}\n"
    assert call("jobd", "--version") == f"jobd {version}\n"
    assert call("jobd", "--check-config") == "jobd: the settings are valid\n"
    (environment,) = {Path(os.path.realpath(tmp_path / ".local/bin/jobctl")).parent.parent}
    for path in (
        "share/man/man1/jobctl.1", "share/man/man5/job.5", "share/man/man8/jobd.8", "share/bash-completion/completions/jobctl",
        "share/zsh/site-functions/_jobctl", "share/fish/vendor_completions.d/jobctl.fish",
    ):  # fmt: skip
        assert (environment / path).is_file(), path
    (units,) = environment.glob("lib/python3*/site-packages/jobctl/daemon/units")
    assert len(list(units.glob("*/jobd.*"))) == 4
    assert "in the background" in call("jobctl", "daemon", "start")
    until(lambda: call("jobctl", "ls") is not None, "jobd answers")
    assert str(tmp_path) in call("jobctl", "daemon", "status")
    call("jobctl", "daemon", "uninstall")
    call(*UNINSTALL[tool])
    assert not (tmp_path / ".local/bin/jobctl").exists()
    assert not (tmp_path / ".local/bin/jobd").exists()
    assert not environment.exists()
