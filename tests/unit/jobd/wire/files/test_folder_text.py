"""What a folder holds, in a sentence: similar names first, and bounded."""

from hypothesis import given
from hypothesis import strategies as st

from jobd.wire.files.folder_text import LONGEST_NAME, MOST_NAMES, folder_text


def test_the_names_of_a_folder_are_listed() -> None:
    assert folder_text("", ["b/", "a.txt"], "x") == "the workspace holds a.txt, b/"
    assert folder_text("out/deep", ["a"], "x") == "the folder out/deep holds a"
    assert folder_text("", [], "x") == "the workspace is empty"


def test_similar_names_come_first_and_the_others_are_counted() -> None:
    names = [f"file-{number}" for number in range(20)]
    text = folder_text("", [*names, "result.csv", "results/"], "result.txt")
    assert text.startswith("the workspace holds results/, result.csv, file-0, ")
    assert text.endswith(" and 16 more")


def test_a_folder_that_was_read_in_part_has_others() -> None:
    assert folder_text("", ["a"], "x", complete=False) == "the workspace holds a and others"
    assert folder_text("", [], "x", complete=False) == ""


@given(st.lists(st.text(min_size=1, max_size=300), max_size=50), st.text(max_size=300))
def test_the_text_is_bounded(names: list[str], missing: str) -> None:
    assert len(folder_text("", names, missing)) < MOST_NAMES * (LONGEST_NAME + 8) + 60
