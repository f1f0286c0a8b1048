"""What the keys of `top` mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.top.controls import (
    CANCEL,
    LOGS,
    MESSAGE_S,
    PAUSE,
    PAUSE_ALL,
    QUIT,
    RESUME,
    RESUME_ALL,
    Controls,
)

KEYS = ["j", "k", "up", "down", "c", "p", "P", "l", "q", "y", "n", "escape", "enter", "x"]


def job(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "uid": f"u-{name}", "status": "running", "phase": "running", **more}


def of(*jobs: dict[str, Any], all_paused: bool = False) -> Controls:
    controls = Controls()
    controls.update(jobs, all_paused=all_paused)
    return controls


def press(controls: Controls, *keys: str, now: float = 0.0) -> Any:
    """Returns what the last key asks for."""
    return [controls.press(key, now) for key in keys][-1]


def test_the_selection_moves_and_stops_at_both_ends() -> None:
    controls = of(job("a"), job("b"), job("c"))
    for key, index in (("k", 0), ("j", 1), ("down", 2), ("j", 2), ("up", 1), ("k", 0)):
        assert press(controls, key) is None
        assert controls.selected == index


def test_a_job_stays_selected_while_its_row_moves() -> None:
    controls = of(job("a"), job("b"), job("c"))
    press(controls, "j")
    controls.update([job("new"), job("a"), job("b"), job("c")], all_paused=False)
    assert controls.selected == 2
    controls.update([job("new"), job("a"), job("c")], all_paused=False)
    assert controls.selected == 2, "the job in its place"
    controls.update([job("a")], all_paused=False)
    assert controls.selected == 0
    nothing = of()
    assert nothing.selected is None
    assert nothing.job is None


def test_another_job_under_the_same_id_is_another_job() -> None:
    controls = of(job("x"), job("a"))
    press(controls, "j")
    controls.update([job("a", uid="later"), job("x"), job("a")], all_paused=False)
    assert controls.selected == 2


def test_a_cancel_is_asked_for() -> None:
    controls = of(job("a"), job("b"))
    assert press(controls, "j", "c") is None
    assert controls.footer(0) == "cancel b? y/n"
    controls.update([job("b"), job("a")], all_paused=False)
    action = press(controls, "y")
    assert (action.kind, action.job["id"]) == (CANCEL, "b")
    assert "q quit" in controls.footer(0)


@pytest.mark.parametrize("key", ["n", "escape", "enter", "q", "c", "j", "x"])
def test_no_other_key_than_y_cancels(key: str) -> None:
    controls = of(job("a"), job("b"))
    assert press(controls, "c", key) is None
    assert controls.footer(0) == "a is not cancelled"
    assert controls.selected == 0
    assert press(controls, "y") is None


def test_a_job_that_has_ended_is_not_asked_about() -> None:
    for key in ("c", "p"):
        controls = of(job("a", status="failed", phase="done"))
        assert press(controls, key) is None
        assert controls.footer(0) == "a has already ended: failed"
    controls = of(job("a", status="unreadable", phase=""))
    for key in ("c", "p", "l"):
        assert press(controls, key) is None
        assert "jobctl explain a" in controls.footer(0)


def test_keys_ask_for_actions() -> None:
    controls = of(job("a"), job("b", paused=True), job("c", status="completed"))
    assert (press(controls, "p").kind, press(controls, "l").kind, press(controls, "P").kind) == (
        PAUSE,
        LOGS,
        PAUSE_ALL,
    )
    assert press(controls, "j", "p").kind == RESUME
    assert press(controls, "j", "l").job["id"] == "c"
    assert press(of(job("a"), all_paused=True), "P").kind == RESUME_ALL
    assert press(of(), "P").kind == PAUSE_ALL
    assert press(of(), "q").kind == press(controls, "Q").kind == QUIT
    for key in ("c", "p", "l", "j", "up"):
        assert press(of(), key) is None


def test_a_message_is_shown_until_the_next_key_or_for_a_while() -> None:
    controls = of(job("a"))
    controls.say("done", 10.0)
    assert controls.footer(10.0) == "done"
    assert "c cancel" in controls.footer(10.0 + MESSAGE_S)
    controls.say("done", 10.0)
    press(controls, "x", now=10.0)
    assert "c cancel" in controls.footer(10.0)


def test_the_keys_fit_a_usual_terminal() -> None:
    for paused in (False, True):
        controls = of(job("a", paused=True), all_paused=paused)
        assert len(controls.footer(0)) <= 80


@given(
    st.lists(
        st.one_of(st.sampled_from(KEYS), st.lists(st.sampled_from("abcd"), unique=True).map(tuple)),
        max_size=30,
    )
)
def test_only_a_question_about_a_shown_job_cancels_this_job(steps: list[Any]) -> None:
    controls = of(job("a"))
    asked: str | None = None
    for step in steps:
        if isinstance(step, tuple):
            controls.update([job(name) for name in step], all_paused=False)
            continue
        selected = controls.job
        action = controls.press(step, 0.0)
        if action is not None and action.kind == CANCEL:
            assert step == "y"
            assert action.job is not None
            assert action.job["id"] == asked
        asked = selected["id"] if step == "c" and asked is None and selected is not None else None
