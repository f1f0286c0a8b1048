"""The trace context of a submission, by the examples and rules of the specification; what is invalid is ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.wire.trace import MAX_STATE, trace_context, with_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("text", [PARENT, f" {PARENT}\t", f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-ff"])
def test_a_valid_parent_is_taken_as_it_is(text: str) -> None:
    assert trace_context([text]) == (text.strip(), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-what",
        f"{PARENT}-",
        f"01-{TRACE}-{SPAN}-01x",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE}-{SPAN}-0g",
        PARENT + "\n",
    ],
)
def test_an_invalid_parent_is_ignored_with_its_state(text: str) -> None:
    assert trace_context([text], ["a=1"]) is None


def test_there_must_be_one_parent() -> None:
    assert trace_context([]) is None
    assert trace_context([PARENT, PARENT]) is None


@pytest.mark.parametrize(("flags", "kept"), [("01", "01"), ("03", "01"), ("fe", "00")])
@pytest.mark.parametrize("rest", ["", "-", "-more-fields"])
def test_a_newer_version_is_read_by_the_known_fields(flags: str, kept: str, rest: str) -> None:
    assert trace_context([f"cc-{TRACE}-{SPAN}-{flags}{rest}"]) == (f"00-{TRACE}-{SPAN}-{kept}", None)


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (["a=1"], "a=1"),
        (["a=1, b=2", "c@d=3"], "a=1,b=2,c@d=3"),
        (["a=1,,\t,b=2"], "a=1,b=2"),
        (["1x@ven-dor*/=a b!"], "1x@ven-dor*/=a b!"),
        ([], None),
        ([" , "], None),
        (["a=1,a=2"], None),
        (["A=1"], None),
        (["a"], None),
        (["a="], None),
        (["a=b=c"], None),
        (["a=é"], None),
        ([",".join(f"k{n}=1" for n in range(33))], None),
        (["a@=1"], None),
        (["a" * 257 + "=1"], None),
        (["a=" + "x" * 257], None),
    ],
)
def test_a_state_is_joined_or_dropped_alone(texts: list[str], state: str | None) -> None:
    assert trace_context([PARENT], texts) == (PARENT, state)


def test_a_long_state_loses_long_members_first() -> None:
    members = [f"k{n}={'x' * 36}" for n in range(10)]
    found = trace_context([PARENT], [",".join(["big=" + "y" * 200, *members])])
    assert found == (PARENT, ",".join(members))
    many = [f"k{n}={'x' * 100}" for n in range(10)]
    assert trace_context([PARENT], [",".join(many)]) == (PARENT, ",".join(many[:4]))


@given(st.lists(st.text(max_size=400), max_size=3), st.lists(st.text(max_size=80), max_size=3))
def test_any_headers_are_taken_or_ignored(states: list[str], parents: list[str]) -> None:
    assert trace_context(parents) is None
    found = trace_context([PARENT], states)
    assert found is not None
    assert found[1] is None or (len(found[1]) <= MAX_STATE and found[1].isascii())


def test_the_environment_of_the_job_wins() -> None:
    assert with_trace({"A": "1"}, PARENT, None) == {"TRACEPARENT": PARENT, "A": "1"}
    assert with_trace({}, PARENT, "a=1") == {"TRACEPARENT": PARENT, "TRACESTATE": "a=1"}
    own = {"TRACEPARENT": "x"}
    assert with_trace(own, PARENT, "a=1") == own
    assert with_trace({"TRACESTATE": "b=2"}, PARENT, "a=1") == {"TRACEPARENT": PARENT, "TRACESTATE": "b=2"}
