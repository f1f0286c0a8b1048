"""The log file: bounded whatever is written, the newest text last, nothing lost before the bound."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobd.process.log_file import LogFile


def opened(path: Path, most_bytes: int) -> LogFile:
    return LogFile(path, most_bytes, takes=())


@given(texts=st.lists(st.text(max_size=30), max_size=40), most=st.integers(8, 64))
def test_both_files_stay_within_the_bound_and_end_with_the_newest(
    tmp_path_factory: object, texts: list[str], most: int
) -> None:
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("log")))  # type: ignore[attr-defined]
    file = opened(folder / "log", most)
    for text in texts:
        file.write(text)
    old = folder / "log.1"
    written = "".join(texts).encode(errors="backslashreplace")
    kept = (old.read_bytes() if old.exists() else b"") + (folder / "log").read_bytes()
    assert (folder / "log").stat().st_size <= most
    assert not old.exists() or old.stat().st_size <= most
    assert {each.name for each in folder.iterdir()} <= {"log", "log.1"}
    if all(len(text.encode(errors="backslashreplace")) <= most for text in texts):
        assert written.endswith(kept)
        assert len(kept) >= min(len(written), most - 30 * 4)


def test_what_another_process_writes_counts_too(tmp_path: Path) -> None:
    file = opened(tmp_path / "log", 10)
    with (tmp_path / "log").open("ab") as other:
        other.write(b"123456789")
    file.write("abc")
    assert ((tmp_path / "log.1").read_text(), (tmp_path / "log").read_text()) == ("123456789", "abc")


def test_a_file_that_cannot_be_renamed_is_emptied(tmp_path: Path) -> None:
    file = opened(tmp_path / "log", 10)
    (tmp_path / "log.1").mkdir()
    file.write("12345678")
    file.write("abc")
    assert (tmp_path / "log").read_text() == "abc"


def test_the_log_goes_on_where_the_file_was_removed(tmp_path: Path) -> None:
    file = opened(tmp_path / "log", 10)
    (tmp_path / "log").unlink()
    file.write("a")
    file.reopen()
    file.write("b")
    assert (tmp_path / "log").read_text() == "b"
