"""The rows of `docs/wire-values.md`: the meaning of null, 0 and the empty text, and the equality of two notations of one job."""

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.jobs.admission.fingerprint import Fingerprints
from jobd.wire.artifact import KINDS
from jobd.wire.job import Callback, JobSpec, Output
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.validation.job_spec import convert_spec, decode_spec
from jobd.wire.validation.nulls import null_remover
from tests.unit.jobd.wire.test_validate_properties import valid_trees

BASE = {"id": "a", "image": "b"}
CALLBACK = {"url": "http://h/x"}
READ = {"id": "r", "type": "read", "in": "f"}
DIGESTS = Fingerprints(b"k" * 32)


def spec_of(tree: Any) -> JobSpec:
    """JSON and trees of builtins give the same result."""
    spec = decode_spec(json.dumps(tree).encode())
    assert convert_spec(copy.deepcopy(tree)) == spec
    return spec


EXPLICIT: list[tuple[dict[str, Any], type[msgspec.Struct], str]] = [
    (BASE, JobSpec, ""),
    (CALLBACK, Callback, "callback"),
    ({"path": "f"}, Output, "outputs"),
    *[
        (
            {"id": "x", "type": kind, "in": "http://h/" if kind == "download" else "f"}
            | ({} if kind in ("read", "list") else {"out": "http://h/" if kind == "upload" else "o"})
            | ({"job": "earlier"} if kind == "job" else {}),
            struct,
            "artifacts",
        )
        for kind, struct in KINDS.items()
    ],
]
"""The smallest object of each kind, its struct, and its path in a spec."""


def within(place: str, made: dict[str, Any]) -> dict[str, Any]:
    return {
        "": made,
        "callback": BASE | {"callback": made},
        "artifacts": BASE | {"artifacts": [made]},
        "outputs": BASE | {"outputs": [made]},
    }[place]


def problems_of(tree: Any) -> list[Problem]:
    found = []
    ways: list[Callable[[], JobSpec]] = [
        lambda: decode_spec(json.dumps(tree).encode()),
        lambda: convert_spec(copy.deepcopy(tree)),
    ]
    for way in ways:
        with pytest.raises(InvalidSpec) as caught:
            way()
        found.append(caught.value.problems)
    assert found[0] == found[1]
    return found[0]


def optional_names(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind) if not field.required]


OPTIONAL = [
    (within(place, made | {name: None}), within(place, made))
    for made, kind, place in EXPLICIT
    for name in optional_names(kind)
    if name not in made
]


@pytest.mark.parametrize(("with_null", "without"), OPTIONAL)
def test_null_means_absent_for_every_optional_field(with_null: Any, without: Any) -> None:
    assert spec_of(with_null) == spec_of(without)


@pytest.mark.parametrize(("made", "kind", "place"), EXPLICIT)
def test_an_explicit_default_equals_an_absent_field(
    made: dict[str, Any], kind: type[msgspec.Struct], place: str
) -> None:
    empty: dict[Any, Any] = {list: [], dict: {}}
    defaults: dict[str, Any] = {
        field.encode_name: empty.get(field.default_factory, field.default)
        for field in msgspec.structs.fields(kind)
        if not field.required
    }
    said = spec_of(within(place, json.loads(json.dumps(defaults)) | made))
    assert DIGESTS.of(said) == DIGESTS.of(spec_of(within(place, made)))


MEANINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"cpu": 0}, {}),
    ({"cpu": 0.0}, {}),
    ({"cpu": 1}, {}),
    ({"memory": 0}, {}),
    ({"memory": 512}, {}),
    ({"timeoutSeconds": 0}, {}),
    ({"timeoutSeconds": 1800}, {}),
    ({"pids": 0}, {"pids": 4096}),
    ({"command": ""}, {}),
    ({"workspace": ""}, {}),
    ({"workspace": "/workspace/"}, {}),
    ({"group": ""}, {}),
    ({"group": "default"}, {}),
    ({"workspace": "/data//"}, {"workspace": "/data"}),
    ({"callback": {}}, {}),
    ({"callback": {"url": ""}}, {}),
    ({"callback": {"url": None, "events": None, "key": "k"}}, {}),
    ({"callback": CALLBACK | {"key": ""}}, {"callback": CALLBACK}),
    ({"callback": CALLBACK | {"events": []}}, {"callback": CALLBACK}),
    ({"artifacts": [READ | {"depends": ""}]}, {"artifacts": [READ]}),
    (
        {"artifacts": [{"id": "u", "type": "unarchive", "in": "i", "out": "o", "subdir": "", "depends": ""}]},
        {"artifacts": [{"id": "u", "type": "unarchive", "in": "i", "out": "o"}]},
    ),
    ({"meta": {"k": None}}, {"meta": {"k": ""}}),
    ({"labels": {"k": None}}, {"labels": {"k": ""}}),
    ({"environment": {"K": None}}, {"environment": {"K": ""}}),
    ({"command": ["a", None]}, {"command": ["a", ""]}),
    ({"entrypoint": ["a", None]}, {"entrypoint": ["a", ""]}),
]


@pytest.mark.parametrize(("said", "meant"), MEANINGS)
def test_a_value_with_another_meaning_is_replaced_by_it(said: dict[str, Any], meant: dict[str, Any]) -> None:
    spec = spec_of(BASE | said)
    assert spec == spec_of(BASE | meant)
    assert DIGESTS.of(spec) == DIGESTS.of(spec_of(BASE | meant))
    assert msgspec.json.encode(spec) == msgspec.json.encode(spec_of(BASE | meant))


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        ({"image": "b", "id": None}, "id"),
        ({"id": "a", "image": None}, "image"),
        (BASE | {"artifacts": [None]}, "artifacts[0].type"),
        (BASE | {"artifacts": [READ, {}]}, "artifacts[1].type"),
        *[(BASE | {"artifacts": [READ | {name: None}]}, f"artifacts[0].{name}") for name in READ],
        (
            BASE | {"artifacts": [{"id": "w", "type": "write", "in": "x", "out": None, "mode": None}]},
            "artifacts[0].out",
        ),
    ],
)
def test_null_for_a_required_field_is_a_missing_field(tree: Any, field: str) -> None:
    assert problems_of(tree) == [Problem(field, "is required")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"zzz": None}, "zzz"),
        ({"meta": None, "zzz": None}, "zzz"),
        ({"callback": CALLBACK | {"secret": None, "events": None}}, "callback.secret"),
        ({"artifacts": [READ | {"out": None, "depends": None}]}, "artifacts[0].out"),
    ],
)
def test_an_unknown_field_is_refused_also_where_it_is_null(fields: dict[str, Any], field: str) -> None:
    found = problems_of(BASE | fields)
    assert [problem.field for problem in found] == [field]
    assert "unknown field" in found[0].message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"meta": None, "cpu": -1}, "cpu"),
        ({"meta": None, "cpu": "1"}, "cpu"),
        ({"meta": None, "memory": -1}, "memory"),
        ({"meta": [None]}, "meta"),
        ({"workspace": "/"}, "workspace"),
        ({"workspace": "//"}, "workspace"),
        ({"callback": CALLBACK | {"events": [None]}}, "callback.events[0]"),
        ({"callback": CALLBACK | {"events": ["nonsense"], "key": None}}, "callback.events[0]"),
        ({"retryOn": [None]}, "retryOn[0]"),
        ({"secrets": {"a": {}}, "meta": None}, "secrets"),
        ({"command": "null", "meta": 5}, "meta"),
    ],
)
def test_other_invalid_values_are_still_refused(fields: dict[str, Any], field: str) -> None:
    assert [problem.field for problem in problems_of(BASE | fields)] == [field]


@st.composite
def with_nulls(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A valid tree, and the same with nulls for fields that are absent from it."""
    tree = draw(valid_trees())
    more = copy.deepcopy(tree)
    places: list[tuple[dict[str, Any], type[msgspec.Struct]]] = [(more, JobSpec)]
    if more["callback"] is not None:
        places.append((more["callback"], Callback))
    places += [(artifact, KINDS[artifact["type"]]) for artifact in more["artifacts"]]
    for place, kind in places:
        absent = [name for name in optional_names(kind) if name not in place]
        place.update(dict.fromkeys(draw(st.sets(st.sampled_from(absent)) if absent else st.just(set()))))
    return tree, more


@settings(max_examples=30, deadline=None)
@given(with_nulls())
def test_nulls_for_absent_fields_never_change_a_spec(trees: tuple[dict[str, Any], dict[str, Any]]) -> None:
    tree, more = trees
    assert spec_of(more) == spec_of(tree)
    assert DIGESTS.of(spec_of(more)) == DIGESTS.of(spec_of(tree))


@settings(max_examples=30, deadline=None)
@given(valid_trees())
def test_the_normal_form_of_a_normal_form_is_the_same_and_has_no_nulls(tree: dict[str, Any]) -> None:
    spec = spec_of(tree)
    stored = msgspec.json.encode(spec, order="sorted")
    assert decode_spec(stored) == spec
    assert DIGESTS.of(decode_spec(stored)) == DIGESTS.of(spec)
    cleaned = null_remover(JobSpec)
    assert cleaned(cleaned(tree)) == cleaned(tree)
