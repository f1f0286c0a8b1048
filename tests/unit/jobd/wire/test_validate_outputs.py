"""Validation of a job's outputs."""

from typing import Any

import pytest

from jobd.wire.problem import InvalidSpec
from jobd.wire.validation.job_spec import convert_spec
from jobd.wire.validation.limits import MAX_OUTPUTS


def spec(*outputs: Any) -> dict[str, Any]:
    return {"id": "a", "image": "b", "outputs": list(outputs)}


def test_files_and_folders_of_the_workspace_may_be_named() -> None:
    made = convert_spec(spec({"path": "."}, {"path": "a/b", "keep": True}, {"path": r"back\\slash"}))
    assert [(output.path, output.keep) for output in made.outputs] == [
        (".", False),
        ("a/b", True),
        (r"back\\slash", False),
    ]


@pytest.mark.parametrize(
    ("outputs", "field", "words"),
    [
        ([{"path": "/etc"}], "outputs[0].path", "relative"),
        ([{"path": "a"}, {"path": "../a"}], "outputs[1].path", "stay inside"),
        ([{"path": ""}], "outputs[0].path", "empty"),
        ([{"path": "a"}, {"path": "a"}], "outputs[1].path", "twice"),
        ([{"path": r"\xff"}], "outputs[0].path", "no UTF-8"),
        ([{"keep": True}], "outputs[0].path", "required"),
        ([{"path": "a", "to": "b"}], "outputs[0].to", ""),
        ([{"path": f"f{n}"} for n in range(MAX_OUTPUTS + 1)], "outputs", "at most"),
    ],
)
def test_an_invalid_output_is_refused_and_its_field_named(outputs: list[Any], field: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        convert_spec(spec(*outputs))
    assert refused.value.problems[0].field == field
    assert words in refused.value.problems[0].message
