"""Secrets become files of the worker's alone, in memory or not at all."""

import stat
from pathlib import Path

import pytest

from sidecar.errors import ArtifactError
from sidecar.secrets import is_in_memory, place

LINE = "36 35 0:32 / {folder} rw,relatime shared:1 - {kind} {kind} rw,size=4096k"


def mounts(path: Path, *kinds: str, folder: str | None = None) -> str:
    table = path.parent / "mountinfo"
    table.write_text("\n".join(LINE.format(folder=folder or path, kind=kind) for kind in kinds))
    return str(table)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    made.mkdir()
    return made


def test_each_secret_is_a_file_only_its_owner_can_read(folder: Path) -> None:
    place({"a": "one", "b.c": "zwö\n"}, 0, 0, str(folder), mounts(folder, "tmpfs"))
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"a": "one", "b.c": "zwö\n"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o400}


@pytest.mark.parametrize("kinds", [(), ("ext4",), ("tmpfs", "ext4")])
def test_nothing_is_written_to_a_disk(folder: Path, kinds: tuple[str, ...]) -> None:
    with pytest.raises(ArtifactError, match="not in memory"):
        place({"a": "one"}, 0, 0, str(folder), mounts(folder, *kinds))
    assert list(folder.iterdir()) == []


def test_a_tmpfs_above_the_folder_does_not_suffice(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="not in memory"):
        place({"a": "one"}, 0, 0, str(folder), mounts(folder, "tmpfs", folder=str(folder.parent)))


def test_no_error_quotes_a_value(folder: Path) -> None:
    with pytest.raises(ArtifactError) as raised:
        place({"a/b/..": "s3cret"}, 0, 0, str(folder), mounts(folder, "tmpfs"))
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "\n", "garbage", "1 2 3 4 /run/secrets", " - tmpfs", "a b c d /run/secrets -"]
)
def test_any_text_is_read(text: str) -> None:
    assert not is_in_memory(text, "/run/secrets")
