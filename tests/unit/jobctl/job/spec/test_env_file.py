"""Files of variables: what is taken, and where one is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.job.spec.env_file import entries


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("A=b", ("A", "b")),
        ("  export A=b", ("A", "b")),
        ("export\tA=b", ("A", "b")),
        ("export A", ("A", None)),
        ("A", ("A", None)),
        ("exported=x", ("exported", "x")),
        ("export=x", ("export", "x")),
        ("A= b # c ", ("A", " b # c ")),
        ("A='b' # c", ("A", "b")),
        ('A="b"  ', ("A", "b")),
        ("A=''", ("A", "")),
        ('A="\\n\\t\\"\\\\\\$\\x"', ("A", '\n\t"\\$\\x')),
        ("A='\\n'", ("A", "\\n")),
        ("A=b'c'", ("A", "b'c'")),
        ('A={"x": 1}', ("A", '{"x": 1}')),
        ("A=$HOME", ("A", "$HOME")),
    ],
)
def test_a_progress_line_has_all_its_parts(line: str, entry: tuple[str, str | None]) -> None:
    assert list(entries(f"# first\n\n{line}\n", "f")) == [entry]


@pytest.mark.parametrize("line", ["=x", "A B=c", "A ='x'", "export =x", "A='x", 'A="x\\"', "A='x'y", "A='x'#y", "export A B"])  # fmt: skip
def test_an_invalid_line_is_named(line: str) -> None:
    with pytest.raises(Misuse, match=r"^f:2: "):
        list(entries(f"A=1\n{line}\n", "f"))


plain = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)


@given(plain)
def test_a_quoted_value_keeps_its_text(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert list(entries(f'A="{escaped}"', "f")) == [("A", value)]
    if "'" not in value:
        assert list(entries(f"export A='{value}'  # why", "f")) == [("A", value)]


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        names = [name for name, _ in entries(text, "f")]
    except Misuse:
        return
    assert all(names)
