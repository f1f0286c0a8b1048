"""What an unknown field was meant to be."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.job import JobSpec
from jobd.wire.validation.suggestions import known_fields, suggested_field


@pytest.mark.parametrize(
    ("field", "better"),
    [
        ("imagee", "image"),
        ("Image", "image"),
        ("env", "environment"),
        ("timeout", "timeoutSeconds"),
        ("timeout_seconds", "timeoutSeconds"),
        ("read-only", "readOnly"),
        ("callback.URL", "url"),
        ("callback.event", "events"),
        ("artifacts[0].optionl", "optional"),
        ("artifacts[0].wen", "when"),
        ("artifacts[1].wen", None),
        ("artifacts[1].maxbytes", None),
        ("artifacts[2].maxbytes", None),
        ("whatever", None),
        ("callback.image", None),
        ('""', None),
    ],
)
def test_what_was_meant(field: str, better: str | None) -> None:
    tree = {"artifacts": [{"type": "upload"}, {"type": "write"}, "text"], "callback": {}}
    assert suggested_field(JobSpec, tree, field) == better


@settings(max_examples=25)
@given(st.text(max_size=20), st.recursive(st.none() | st.text(max_size=3), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner)))  # fmt: skip
def test_any_field_of_any_tree(field: str, tree: Any) -> None:
    better = suggested_field(JobSpec, tree, field)
    assert better is None or better in known_fields(JobSpec, tree, field.rpartition(".")[0])
