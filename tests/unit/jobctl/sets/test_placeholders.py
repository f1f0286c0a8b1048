"""Placeholders: every text round-trips through its escape, values are taken as they are, other braces stay."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.sets.placeholders import UnknownPlaceholder, mapped, names_in, replaced, texts_in

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
BRACES = st.text(alphabet="{}a1.$ \"'", max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{lr}", "0.1"),
        ("--lr={lr}/{seed}", "--lr=0.1/3"),
        ('{"lr": {lr}, "n": {}}', '{"lr": 0.1, "n": {}}'),
        ('{"a":{"lr":{lr}}}', '{"a":{"lr":0.1}}'),
        ("{{lr}}", "{lr}"),
        ("${{HOME}}", "${HOME}"),
        ("{{{lr}}}", "{{lr}}"),
        ("{{lr}", "{0.1"),
        ("awk '{print $1}'", "awk '{print $1}'"),
        ("{{.Names}}", "{{.Names}}"),
        ("{ lr }", "{ lr }"),
        ("{file.name} {file.stem}", "b.tar.gz b.tar"),
        ("{dir.name} {dir.stem} {dot.stem}", "d d .env"),
    ],
)
def test_a_text_and_what_becomes_of_it(text: str, expected: str) -> None:
    values = {"lr": "0.1", "seed": "3", "file": "a/b.tar.gz", "dir": "c/d/", "dot": ".env"}
    assert replaced(text, values) == expected


@given(NAMES, st.text(max_size=20))
def test_a_value_is_not_searched_for_placeholders(name: str, value: str) -> None:
    assert replaced("x{" + name + "}y", {name: value}) == f"x{value}y"


@given(NAMES, st.integers(2, 5))
def test_a_name_in_several_pairs_of_braces_loses_one(name: str, depth: int) -> None:
    text = "{" * depth + name + "}" * depth
    assert replaced(text, {}) == text[1:-1]
    assert names_in([text]) == set()


@given(BRACES)
def test_a_text_is_unchanged_exactly_if_it_has_no_placeholder_and_no_escape(text: str) -> None:
    names = names_in([text])
    if names:
        with pytest.raises(UnknownPlaceholder) as unknown:
            replaced(text, {})
        assert unknown.value.name in names
    else:
        assert len(replaced(text, {})) <= len(text)


@given(
    st.text(alphabet=string.printable, max_size=30).filter(lambda text: "{" not in text or "}" not in text)
)
def test_a_text_without_a_pair_of_braces_is_unchanged(text: str) -> None:
    assert replaced(text, {}) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
)
def test_texts_of_a_tree_are_changed_and_all_else_stays(tree: object) -> None:
    seen: list[str] = []

    def keep(text: str) -> str:
        seen.append(text)
        return text

    assert mapped(tree, keep) == tree
    assert sorted(seen) == sorted(texts_in(tree))
