import stat
from pathlib import Path

import pytest

from jobd.wire.artifact import Write
from sidecar.artifacts.base import Context
from sidecar.artifacts.write import transfer
from sidecar.errors import ArtifactError


@pytest.mark.parametrize(("mode", "bits"), [(None, 0o644), ("0600", 0o600), ("755", 0o755), ("0777", 0o777)])
def test_the_text_is_written_as_utf8_with_its_mode(
    context: Context, root: Path, mode: str | None, bits: int
) -> None:
    moved = transfer(Write(id="w", source="grüße\n", out="in/x.txt", mode=mode), context)
    assert (root / "in/x.txt").read_bytes() == "grüße\n".encode()
    assert stat.S_IMODE((root / "in/x.txt").stat().st_mode) == bits
    assert moved.size_bytes == 8


def test_an_empty_text_makes_an_empty_file(context: Context, root: Path) -> None:
    transfer(Write(id="w", source="", out="x"), context)
    assert (root / "x").read_bytes() == b""


@pytest.mark.parametrize(
    "artifact",
    [
        Write(id="w", source="x", out="x", mode="rwx"),
        Write(id="w", source="\ud800", out="x"),
        Write(id="w", source="x", out="../x"),
    ],
)
def test_a_failed_write_leaves_no_file(context: Context, root: Path, artifact: Write) -> None:
    with pytest.raises(ArtifactError):
        transfer(artifact, context)
    assert list(root.iterdir()) == []
