"""Daemons whose engine does not answer: these tests are about the process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import DEADLINE_S, Daemon

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}


@pytest.fixture
def make_lonely(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that are not started, and kills them at the end."""
    made: list[Daemon] = []

    def make(environ: dict[str, str] | None = None, **options: Any) -> Daemon:
        made.append(
            Daemon(tmp_path / f"jobd{len(made)}", environ={**NO_ENGINE, **(environ or {})}, **options)
        )
        return made[-1]

    yield make
    for daemon in made:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait(DEADLINE_S)
