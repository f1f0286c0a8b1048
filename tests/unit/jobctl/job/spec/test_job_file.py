"""Job files: JSON or YAML alike, refused with the line where one can be said."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobctl.errors import LocalFile, Misuse
from jobctl.job.spec.job_file import Positions, parse, read

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_json_is_read_as_it_is(tree: Any) -> None:
    assert parse(json.dumps(tree), "job.json") == tree


def test_yaml_without_its_surprises() -> None:
    text = "image: busybox\nenvironment: {DAY: 2030-01-31, 'NO': 'no'}\ncommand: [a, b]\n"
    assert parse(text, "job.yaml") == {
        "image": "busybox",
        "environment": {"DAY": "2030-01-31", "NO": "no"},
        "command": ["a", "b"],
    }
    assert parse("{image: busybox}", "-") == {"image": "busybox"}
    assert parse("base: &b {x: 1}\nmine: {<<: *b, y: 2}\n", "f")["mine"] == {"x": 1, "y": 2}
    nested = "a: &a {x: 1, y: 1}\nb: &b {y: 2, <<: *a, z: 2}\nmine: {z: 3, <<: *b}\n"
    assert parse(nested, "f")["mine"] == {"x": 1, "y": 2, "z": 3}, (
        "a mapping's own names count over those of <<"
    )
    assert parse("{=: 1, x: =}", "f") == {"=": 1, "x": "="}
    with pytest.raises(Misuse, match="f:1:13: not YAML: expected a mapping or a list of mappings after <<"):
        parse("mine: {<<: [1]}\n", "f")
    with pytest.raises(Misuse, match="must be text"):
        parse("a: &a {? [1, 2] : 3}\nmine: {<<: *a, x: 1}\n", "f")
    with pytest.raises(Misuse, match="not YAML"):
        parse("a: &a {<<: *a, x: 1}\n", "f")
    several = "a: &a {first: 1}\nb: &b {first: 2, second: 2}\nmine: {<<: [*a, *b]}\n"
    assert parse(several, "f")["mine"] == {"first": 1, "second": 2}
    with pytest.raises(Misuse, match="f:2:19: 'y' is given twice"):
        parse("a: &a {y: 1}\nb: {<<: *a, y: 2, y: 3}\n", "f")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image: [", "f:1"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: 'a' is given twice"),
        ("a: {x: 1,\n x: 2}\n", "f:2:2: 'x' is given twice"),
        ("yes: 1\n", "must be text"),
        ("- a\n- b\n", "not a list"),
        ("", "not nothing"),
        ("a: !!python/object:os.system {}\n", "not YAML"),
        ("a: !!binary aGk=\n", "binary"),
        ("\tx: 1", "not YAML"),
        ("[" * 5000, "nested too deeply"),
        ("a: &a [1]\nb: &b [" + "*a," * 50 + "]\n", None),
    ],
)
def test_invalid_job_files_are_refused(text: Any, words: Any) -> None:
    if words is None:
        parse(text, "f")
        return
    with pytest.raises(Misuse) as caught:
        parse(text, "f")
    assert words in caught.value.message


def test_repeated_names_in_json_are_refused() -> None:
    with pytest.raises(Misuse, match="'a' is given twice"):
        parse('{"a": 1, "a": 2}', "f.json")
    with pytest.raises(Misuse, match=r"f\.json:2:2: not JSON"):
        parse('{"a":\n x}', "f.json")


def test_yaml_aliases_are_bounded() -> None:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 9)]
    with pytest.raises(Misuse, match="more than 100000 values"):
        parse("\n".join(levels), "bomb.yaml")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: Any) -> None:
    try:
        tree = parse(text, "f")
    except Misuse:
        return
    assert isinstance(tree, dict)


def test_positions_of_fields() -> None:
    text = "image: b\nartifacts:\n  - id: x\n    in: y\n  - {id: z, in: w}\nenvironment:\n  A.B: '1'\n"
    positions = Positions(text)
    fields = ("image", "artifacts[0].in", "artifacts[1].in", "environment.A.B", "artifacts[1].missing")
    assert [str(positions.position_of(field)) for field in fields] == ["1:1", "4:5", "5:13", "7:3", "5:5"]
    assert positions.position_of("nothing") is None
    assert str(Positions(json.dumps({"a": {"b": 1}}, indent=1)).position_of("a.b")) == "3:3"
    assert Positions("a: [").position_of("a") is None


def test_all_repeated_names_are_found() -> None:
    for text in ("a: 1\nb: {x: 1, x: 2}\na: 2\n", '{"a": 1,\n"b": {"x": 1, "x": 2},\n"a": 2}'):
        twice: list[str] = []
        assert parse(text, "f", twice) == {"a": 2, "b": {"x": 2}}
        assert sorted(twice) == ["a", "x"]
        assert sorted((name, at.line) for name, at in Positions(text).repeated()) == [("a", 3), ("x", 2)]


@given(st.text(max_size=60), st.text(max_size=20))
def test_positions_of_any_text(text: str, field: str) -> None:
    positions = Positions(text)
    positions.position_of(field)
    positions.repeated()


def test_a_file_that_cannot_be_read(tmp_path: Any) -> None:
    with pytest.raises(LocalFile, match="No such file"):
        read(str(tmp_path / "no"))
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(LocalFile, match="latin:2"):
        read(str(tmp_path / "latin"))
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(str(tmp_path / "bom")) == "a: 1"
