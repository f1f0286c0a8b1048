"""Local images with a name that is similar to a missing one's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.images.near_names import MOST_NAMES, near_names

LOCAL = [
    "python:3-slim",
    "python:3.11",
    "busybox:latest",
    "registry.local:5000/team/trainer:2",
    "<none>:<none>",
]


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("pythn:3-slim", ["python:3-slim", "python:3.11"]),
        ("python:3.99", ["python:3-slim", "python:3.11"]),
        ("python:3.11-slim", ["python:3-slim", "python:3.11"]),
        ("docker.io/library/busybx", ["busybox:latest"]),
        ("trainer:1", ["registry.local:5000/team/trainer:2"]),
        ("postgres", []),
        ("ubuntu", []),
    ],
)
def test_similar_names_are_found(image: str, names: list[str]) -> None:
    assert near_names(image, LOCAL) == names


def test_the_images_own_tag_comes_first() -> None:
    assert near_names("pyton:3.11", LOCAL)[0] == "python:3.11"


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=300), max_size=30))
def test_the_names_are_few_and_local(image: str, local: list[str]) -> None:
    found = near_names(image, local)
    assert len(found) <= MOST_NAMES
    assert set(found) <= set(local)
