"""Data of any size is written whole, in pieces of a bounded size."""

import io
from typing import Any

import pytest

from sidecar.workspace.writing import PIECE_BYTES, write


class Pieces(io.BytesIO):
    """A file that remembers the size of its largest write."""

    largest = 0

    def write(self, data: Any) -> int:
        self.largest = max(self.largest, len(data))
        return super().write(data)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 7])
def test_data_is_written_whole_in_small_pieces(size: int) -> None:
    data = bytes(at % 251 for at in range(size))
    file = Pieces()
    write(file, data)
    assert file.getvalue() == data
    assert file.largest <= PIECE_BYTES
