"""Ids that are similar to one that no job has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.selection.near_ids import MOST_SHOWN, near_ids

KNOWN = ["train-1", "train-2", "busybox-a1b2c3", "web", "Report"]


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("trian-1", ["train-1"]),
        ("a1b2c3", ["busybox-a1b2c3"]),
        ("report", ["Report"]),
        ("wbe", ["web"]),
        ("nothing", []),
        ("x", []),
        ("ai", []),
    ],
)
def test_slips_and_parts_are_recognized(typed: str, near: list[str]) -> None:
    assert near_ids(typed, KNOWN) == near


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=30))
def test_few_known_ids_are_named(typed: str, known: list[str]) -> None:
    found = near_ids(typed, known)
    assert len(found) <= MOST_SHOWN
    assert set(found) <= set(known)
