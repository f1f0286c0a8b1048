"""A client of a real daemon whose engine does not answer: its jobs wait."""

from collections.abc import Iterator

import pytest

from jobctl.client import Client
from tests.support.daemon import Daemon


@pytest.fixture
def client(jobd: Daemon) -> Iterator[Client]:
    with Client(f"unix://{jobd.socket}") as made:
        yield made
