"""Which images a shell is offered: distinct ones, the latest first, and none that a shell would read as anything but a word."""

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.commands.completion.images import names


def of(*images: Any) -> dict[str, Any]:
    return {"jobs": [{"id": "a", "image": image} for image in images]}


def test_each_image_is_listed_once_at_its_newest_job() -> None:
    digest = "host:5000/team/tool_x@sha256:" + "0" * 64
    assert names(of("b:1", "a", "b:1", digest, "a")) == ["b:1", "a", digest]


@pytest.mark.parametrize(
    "image", ["$(id)", "`id`", "a b", "*", "a?", "-x", "", "~", "a;id", "a\n", "\x1b[2Jx", "é", "a'", "{a,b}", "x" * 513, None, 7]
)  # fmt: skip
def test_invalid_image_references_are_left_out(image: Any) -> None:
    assert names(of("a", image, "b")) == ["a", "b"]


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"jobs": None}, {"jobs": {"a": 1}}, {"jobs": [None, 7, {}]}, "jobs"]
)
def test_an_answer_of_another_form_has_no_images(answer: Any) -> None:
    assert names(answer) == []


@given(st.lists(st.text("aZ0._/:@+- $*~\n'\x1b", max_size=6), max_size=6))
def test_a_completion_is_one_word_for_a_shell(images: list[str]) -> None:
    offered = names(of(*images))
    assert len(set(offered)) == len(offered)
    assert [shlex.quote(name) for name in offered] == offered
    assert all(name.isprintable() for name in offered)
