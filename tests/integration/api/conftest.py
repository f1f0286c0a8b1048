"""Fixtures of the API tests: a daemon without an engine, and receivers with chosen responses."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.support.daemon import Daemon
from tests.support.wire import ChoosingReceiver

NO_ENGINE = "unix:///nonexistent/engine.sock"


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon without an engine: all jobs wait, so that the tests see only the API."""
    made = Daemon(tmp_path_factory.mktemp("lonely"), environ={"DOCKER_HOST": NO_ENGINE})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., ChoosingReceiver]]:
    made: list[ChoosingReceiver] = []

    def make(choose: Callable[[str, int], int]) -> ChoosingReceiver:
        made.append(ChoosingReceiver(choose))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture(scope="session")
def no_engine() -> dict[str, str]:
    """The environment of a daemon without an engine."""
    return {"DOCKER_HOST": NO_ENGINE}


@pytest.fixture(scope="module")
def printed(daemon: Daemon, worker_image: str) -> str:
    """A job that has printed 20 lines on each stream, alternately, and ended with code 3."""
    script = "i=1; while [ $i -le 20 ]; do echo o$i; echo e$i >&2; i=$((i+1)); sleep 0.01; done; exit 3"
    job_id = daemon.submit(id=f"printed-{uuid.uuid4().hex[:8]}", image=worker_image, command=script)
    daemon.ended(job_id)
    return job_id
