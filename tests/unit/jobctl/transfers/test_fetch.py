"""A copy is whole when the answer has ended in order, and not before."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobctl.connection import http1
from jobctl.errors import ConnectionLost
from jobctl.transfers.destination import Place
from jobctl.transfers.fetch import fetch
from jobctl.transfers.stream_output import BLOCK_BYTES


class CutClient:
    """Answers with these blocks and then breaks, or ends in order."""

    def __init__(self, blocks: list[bytes], breaks: bool) -> None:
        self._blocks, self._breaks = blocks, breaks

    @contextmanager
    def open(self, *_: Any) -> Iterator[Any]:
        yield self

    def blocks(self) -> Iterator[bytes]:
        yield from self._blocks
        if self._breaks:
            raise http1.BadAnswer("it was cut")


def tar_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("breaks", [True, False])
def test_an_answer_that_is_cut_after_its_tar_is_an_error(tmp_path: Path, breaks: bool) -> None:
    client: Any = CutClient([tar_of("a", b"content"), bytes(BLOCK_BYTES), bytes(BLOCK_BYTES)], breaks)
    if not breaks:
        made = fetch(client, "job", "a", Place(tmp_path / "a"))
        assert made is not None
        assert made.files == 1
        return
    (tmp_path / "a").write_text("before")
    with pytest.raises(ConnectionLost, match="was cut") as caught:
        fetch(client, "job", "a", Place(tmp_path / "a"))
    assert (tmp_path / "a").read_text() == "before"
    assert caught.value.hint is not None


def test_a_file_that_is_cut_leaves_nothing(tmp_path: Path) -> None:
    whole = tar_of("a", b"x" * 2 * BLOCK_BYTES)
    client: Any = CutClient([whole[: BLOCK_BYTES + 5]], True)
    with pytest.raises(ConnectionLost, match="was cut"):
        fetch(client, "job", "a", Place(tmp_path / "a"))
    assert list(tmp_path.iterdir()) == []
