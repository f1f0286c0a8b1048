"""A command imports only what it needs: no slow module, and no code of other commands."""

import subprocess
import sys
from typing import Any

import pytest

from tests.integration.jobctl.test_commands import add

SLOW_MODULES = (
    "aiohttp", "asyncio", "dataclasses", "datetime", "decimal", "docker", "email", "http", "importlib.metadata", "inspect",
    "jobctl.output.terminal", "jobctl.parser", "jobctl.units", "msgspec", "pathlib", "platformdirs", "rich", "shutil", "ssl",
    "socket", "subprocess", "tempfile", "threading", "typer", "urllib", "uuid", "yaml",
)  # fmt: skip
WITH_MSGSPEC = frozenset({"datetime", "decimal", "inspect", "msgspec", "threading", "uuid"})
"""What a log needs. It is imported while jobd works."""


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("ls", "-q"), frozenset[str]()),
        (("ls", "-aq", "-l", "a=b", "--limit", "5"), frozenset[str]()),
        (("run", "-d", "busybox", "true"), frozenset[str]()),
        (("run", "-e", "A=1", "busybox", "true"), WITH_MSGSPEC),
        (("logs", "a"), WITH_MSGSPEC),
    ],
)
def test_a_command_imports_only_what_it_needs(
    daemon: Any, jobctl: Any, arguments: tuple[str, ...], needed: frozenset[str]
) -> None:
    add(daemon, "a", status="completed", exit_code=0)
    daemon.on_submit = lambda job: job.end(0, None, "completed")
    code = f"import sys, jobctl.main; jobctl.main.run({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=jobctl.env, capture_output=True, timeout=60, check=True
    )
    imported = set(done.stderr.decode().split())
    assert "jobctl.connection.client" in imported
    assert imported & set(SLOW_MODULES) <= needed
