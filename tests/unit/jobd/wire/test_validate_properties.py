"""Any input is a valid spec or is refused with a text; a valid spec round-trips."""

import json
import posixpath
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.wire.job import JobSpec
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.validation.job_spec import convert_spec, decode_spec, problems
from jobd.wire.validation.names import path_problem

CHARACTERS = st.characters(codec="utf-8", max_codepoint=0x2FFF)
TEXT = st.text(CHARACTERS, max_size=12)
FIELDS = [
    *JobSpec.__struct_encode_fields__,
    "type",
    "in",
    "out",
    "depends",
    "when",
    "url",
    "events",
    "key",
    "",
]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.sampled_from(FIELDS), inner, max_size=6)
    ),
    max_leaves=12,
)


def found_in(check: Callable[[], object]) -> list[Problem]:
    """Returns the problems, none for a valid spec; any other exception fails the test."""
    try:
        check()
    except InvalidSpec as refused:
        return refused.problems or [Problem("", "")]
    return []


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=60)
    | st.text(alphabet='{}[]",:0123456789eE-+.\\untrfalsid ', max_size=40).map(str.encode)
)
@example(b'{"id":"\\ud800"}')
def test_any_bytes_are_a_spec_or_an_invalid_spec(body: bytes) -> None:
    assert all(problem.message for problem in found_in(lambda: decode_spec(body)))


@settings(max_examples=30, deadline=None)
@given(TREES)
def test_any_tree_is_a_spec_or_is_refused_with_a_text_and_a_field(
    tree: Any,
) -> None:
    found = found_in(lambda: decode_spec(json.dumps(tree).encode())) + found_in(lambda: convert_spec(tree))
    assert all(problem.message for problem in found)
    assert not isinstance(tree, dict) or all(problem.field for problem in found)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FIELDS), TREES)
@example("", 1)
@example("x - at `$.foo", 1)
def test_any_value_of_one_field_is_accepted_or_refused_by_name(name: str, value: Any) -> None:
    body = json.dumps({"id": "a", "image": "b", name: value}).encode()
    assert all(problem.message and problem.field for problem in found_in(lambda: decode_spec(body)))


IDS = st.text(alphabet="abcXYZ019-_", min_size=1, max_size=10).filter(lambda text: text[0] not in "-_")
SHORT = st.text(st.characters(codec="utf-8", min_codepoint=1, max_codepoint=0x2FFF), max_size=8)
MAPS = st.dictionaries(SHORT.filter(bool), SHORT, max_size=3)
PATHS = st.lists(IDS, min_size=1, max_size=3).map("/".join)


@st.composite
def valid_trees(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(IDS.filter(lambda name: name != "job"), unique=True, max_size=3))
    artifacts = []
    for index, name in enumerate(names):
        kind = draw(
            st.sampled_from(["read", "write", "download", "upload", "unarchive", "archive", "list", "job"])
        )
        made: dict[str, Any] = {
            "id": name,
            "type": kind,
            "in": draw(PATHS),
            "depends": draw(st.sampled_from([None, "job", *names[:index]])),
        }
        if kind == "download":
            made["in"] = "http://h/" + draw(PATHS)
        if kind not in ("read", "list"):
            made["out"] = "https://h/x" if kind == "upload" else draw(PATHS)
        if kind == "job":
            made |= {"job": "earlier", "depends": None}
        artifacts.append(made)
    return {
        "id": draw(IDS),
        "image": draw(st.sampled_from(["busybox", "r:5000/a/b:1", "a@sha256:" + "0" * 64])),
        "meta": draw(MAPS),
        "labels": draw(MAPS),
        "command": draw(st.none() | SHORT.filter(bool) | st.lists(SHORT, min_size=1, max_size=3)),
        "cpu": draw(st.floats(0.01, 64) | st.just(0)),
        "memory": draw(st.integers(6, 65536) | st.just(0)),
        "timeoutSeconds": draw(st.integers(0, 86400)),
        "environment": draw(st.dictionaries(IDS, SHORT, max_size=3)),
        "callback": draw(
            st.none()
            | st.fixed_dictionaries({"url": st.just("http://h/x"), "key": st.none() | SHORT.filter(bool)})
        ),
        "artifacts": artifacts,
        "outputs": draw(
            st.lists(
                st.fixed_dictionaries({"path": PATHS, "keep": st.booleans()}),
                max_size=3,
                unique_by=lambda output: output["path"],
            )
        ),
    }


@settings(max_examples=20, deadline=None)
@given(valid_trees())
def test_a_valid_spec_round_trips_through_json(tree: dict[str, Any]) -> None:
    spec = decode_spec(json.dumps(tree).encode())
    assert problems(spec) == []
    assert decode_spec(msgspec.json.encode(spec)) == spec
    assert convert_spec(msgspec.to_builtins(spec)) == spec
    assert (spec.id, spec.meta, spec.environment) == (tree["id"], tree["meta"], tree["environment"])
    assert [a.id for a in spec.artifacts] == [a["id"] for a in tree["artifacts"]]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["", ".", "..", "a", "...", "b\0", " ", "..b"]), max_size=6).map("/".join) | TEXT
)
def test_an_accepted_path_never_leaves_the_workspace(path: str) -> None:
    if path_problem(path) is None:
        reached = posixpath.normpath(posixpath.join("/w", path))
        assert reached == "/w" or reached.startswith("/w/")
        assert "\0" not in path
