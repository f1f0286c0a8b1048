"""A removed container's start, from its events: `never` only if no event can be missing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.containers.unstarted import fate
from jobd.docker.mapping.inspection import EngineEvent

LIVES = [
    ["create", "update", "destroy"],
    ["create", "update", "start", "die", "destroy"],
    ["create", "start", "update", "die", "destroy"],
    ["create", "start", "die", "update", "destroy"],
    ["create", "destroy"],
    ["create", "start", "die", "destroy"],
]


def event(action: str, at: int = 1) -> EngineEvent:
    actor = {"ID": "c", "Attributes": {"exitCode": "7"} if action == "die" else {}}
    raw = {"Type": "container", "Action": action, "Actor": actor, "timeNano": at * 10**9}
    return msgspec.convert(raw, EngineEvent)


@given(life=st.sampled_from(LIVES), dropped=st.integers(0, 5), cut=st.integers(0, 2))
def test_a_start_that_happened_is_never_ruled_out(life: list[str], dropped: int, cut: int) -> None:
    """The engine drops the oldest events first; the answer may be cut at its end. The `update` event precedes the removal."""
    kept = life[dropped : len(life) - cut]
    marked = "update" in life and "start" not in life[: life.index("update")]
    found = fate([event(action, n + 1) for n, action in enumerate(kept)], 1, marked)
    if "start" in life:
        assert found.kind != "never"
    if dropped == cut == 0:
        assert found.kind == ("began" if "start" in life else "never")
    if found.kind == "began":
        assert found.end is not None
        assert (found.end.exit_code, found.end.attempt, found.end.ended) == (7, 1, True)


@pytest.mark.parametrize("marked", [True, False])
def test_an_update_event_counts_only_if_an_inspection_followed(marked: bool) -> None:
    found = fate([event("update"), event("destroy")], 1, marked)
    assert found.kind == ("never" if marked else "unknown")
