"""What people write in job files, as the fields of the API."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.job.spec.job_fields import spec_fields
from jobd.wire.flag_names import FLAG_NAMES


@pytest.mark.parametrize(
    ("tree", "made"),
    [
        ({"memory": "2g", "timeout": "1d"}, {"memory": 2048, "timeoutSeconds": 86400}),
        ({"memory": 512, "timeoutSeconds": 90}, {"memory": 512, "timeoutSeconds": 90}),
        ({"timeoutSeconds": "90s"}, {"timeoutSeconds": 90}),
        ({"env": {"A": "b"}}, {"environment": {"A": "b"}}),
        ({"env": ["A=b=c", "D="]}, {"environment": {"A": "b=c", "D": ""}}),
        ({"label": ["a=b"], "meta": ["c=d"]}, {"labels": {"a": "b"}, "meta": {"c": "d"}}),
        ({"sh": "echo", "cpus": 2}, {"command": "echo", "cpu": 2}),
        ({"entrypoint": "sh", "callback": "http://x/"}, {"entrypoint": ["sh"], "callback": {"url": "http://x/"}}),
        ({"env": None, "unknown": 1}, {"environment": None, "unknown": 1}),
        ({"labels": ["a"], "environment": [1]}, {"labels": ["a"], "environment": [1]}),
    ],
)  # fmt: skip
def test_units_and_names(tree: Any, made: Any) -> None:
    fields = spec_fields(tree)
    assert fields.tree == made
    assert fields.problems == []


def test_a_field_has_its_name_in_the_file() -> None:
    fields = spec_fields({"env": {"A": 1}, "image": "x"})
    assert fields.in_file("environment.A") == "env.A"
    assert fields.in_file("environment") == "env"
    assert fields.in_file("environments") == "environments"
    assert fields.in_file("image") == "image"
    assert fields.in_file("cpu") == "cpu"


@given(
    st.dictionaries(
        st.sampled_from([*FLAG_NAMES, *FLAG_NAMES.values(), "memory", "image", "x"]),
        st.none() | st.integers() | st.text(max_size=6) | st.lists(st.text(max_size=4), max_size=2),
    )
)
def test_every_name_is_converted_or_a_problem(tree: dict[str, Any]) -> None:
    fields = spec_fields(tree)
    assert {problem.field for problem in fields.problems} <= set(tree)
    assert len(fields.tree) + len(fields.problems) == len(tree)
    assert not set(fields.tree) & (set(FLAG_NAMES) - set(FLAG_NAMES.values()))
