"""The messages between jobd and the sidecar round-trip, and reports are plain ASCII lines."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobd.wire import report
from jobd.wire.artifact import Artifact, Read, Upload, Write
from jobd.wire.files.filenames import readable
from jobd.wire.report import DirectCallback, Report, SidecarOrder

TEXT = st.text(st.characters(codec="utf-8", max_codepoint=0x1FFFF, exclude_categories=["Cs"]), max_size=10)
COUNT = st.integers(1, 2**53)
CONTENT: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
REPORTS: st.SearchStrategy[Report] = st.one_of(
    st.builds(report.Started, n=COUNT),
    st.builds(report.Refused, n=COUNT, error=TEXT),
    st.builds(report.Progress, n=COUNT, artifact_id=TEXT, bytes=COUNT, total=st.none() | COUNT),
    st.builds(
        report.ArtifactDone,
        n=COUNT,
        artifact_id=TEXT,
        artifact_type=TEXT,
        status=st.sampled_from(["success", "failed", "skipped"]),
        content=CONTENT,
        error=st.none() | TEXT,
        bytes=st.none() | COUNT,
        optional=st.booleans(),
        sent=st.booleans(),
    ),
    st.builds(report.Ready, n=COUNT),
    st.builds(report.InputsFailed, n=COUNT, error=TEXT),
    st.builds(report.OutputsStarted, n=COUNT),
    st.builds(report.Done, n=COUNT, failed=st.lists(TEXT, max_size=3)),
)


@settings(max_examples=80, deadline=None)
@given(REPORTS)
def test_a_report_is_one_ascii_line_and_round_trips(said: Report) -> None:
    line = report.encode_report(said)
    assert line.isascii()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert report.decode_report(line) == said


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"x",
        b"{}",
        b'{"type":"nope","n":1}',
        b'{"type":"ready"}',
        b"[]",
        b'{"type":"ready","n":"1"}',
        b"\xff",
    ],
)
def test_an_invalid_report_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        report.decode_report(line)


def test_unknown_fields_of_a_newer_sidecars_report_are_ignored() -> None:
    assert report.decode_report(b'{"type":"ready","n":4,"more":[1]}') == report.Ready(n=4)


ARTIFACTS: list[Artifact] = [
    Write(id="w", source="line\nline ä", out="f", mode="0600"),
    Read(id="r", source="f", depends="job", when="always", optional=True),
    Upload(id="u", source="f", out="http://h/x", depends="job"),
]


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        SidecarOrder,
        job_id=TEXT,
        job_uid=TEXT,
        artifacts=st.lists(st.sampled_from(ARTIFACTS), max_size=3),
        meta=st.dictionaries(TEXT, TEXT, max_size=2),
        workspace=TEXT,
        worker_uid=COUNT,
        worker_gid=COUNT,
        timeout_s=st.floats(0, 1e6),
        callback=st.none()
        | st.builds(DirectCallback, url=TEXT, events=st.lists(TEXT, max_size=2), key=st.none() | TEXT),
        proxy_url=st.none() | TEXT,
        token=st.none() | TEXT,
    )
)
def test_an_order_is_one_line_and_round_trips(order: SidecarOrder) -> None:
    line = report.encode_order(order)
    assert line.count(b"\n") == 1
    assert report.decode_order(line) == order


def test_a_truncated_order_is_refused() -> None:
    line = report.encode_order(SidecarOrder(job_id="a", job_uid="u", artifacts=ARTIFACTS))
    for length in range(len(line)):
        with pytest.raises(msgspec.DecodeError):
            report.decode_order(line[:length])


def test_an_order_has_the_defaults_of_the_contract() -> None:
    order = report.decode_order(b'{"jobId":"a","jobUid":"u","artifacts":[]}\n')
    assert (order.timeout_s, order.workspace) == (1800, "/workspace")
    assert (order.callback_timeout_s, order.upload_timeout_s, order.upload_retries) == (30, 300, 3)
    assert order.callback is None


def test_the_repr_of_a_direct_callback_hides_its_key() -> None:
    assert "very-secret" not in repr(DirectCallback(url="http://h", key="very-secret"))


def test_the_reports_of_the_internal_route_are_read_and_unknown_fields_refused() -> None:
    body = {"jobId": "a", "reports": [{"type": "started", "n": 1}, {"type": "done", "n": 2, "failed": ["x"]}]}
    decoder = msgspec.json.Decoder(report.InternalReports)
    read = decoder.decode(json.dumps(body).encode())
    assert read.reports == [report.Started(n=1), report.Done(n=2, failed=["x"])]
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(json.dumps({**body, "url": "http://elsewhere"}).encode())


ARTIFACT_IDS = st.text(alphabet="ax-_0123456789", min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(ARTIFACT_IDS, st.integers(1, 12), ARTIFACT_IDS, st.integers(1, 12))
@example("x", 2, "x-2", 1)
def test_each_artifact_of_each_attempt_has_its_own_event_id(
    one: str, attempt: int, other: str, another: int
) -> None:
    same = report.artifact_event_key(one, attempt) == report.artifact_event_key(other, another)
    assert same == ((one, attempt) == (other, another))


STRAY = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=10)


@settings(max_examples=100, deadline=None)
@given(STRAY, st.lists(STRAY, max_size=3), st.dictionaries(STRAY, STRAY, max_size=2))
@example("caf\udce9: is a FIFO", ["\ud800"], {"\udfff": "\udcff"})
@example("\U0001f600\0", ["\\ud800"], {})
def test_a_report_with_surrogates_is_made_readable(
    error: str, names: list[str], tree: dict[str, str]
) -> None:
    for content in (names, tree):
        said = report.ArtifactDone(
            n=1, artifact_id="a", artifact_type="list", status="failed", error=error, content=content
        )
        line = report.encode_report(said)
        assert line.isascii()
        assert line.count(b"\n") == 1
        heard = report.decode_report(line)
        assert isinstance(heard, report.ArtifactDone)
        assert heard.error == readable(error)
        if content is names:
            assert heard.content == [readable(name) for name in names]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_report_with_nan_or_infinity_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.encode_report(
            report.ArtifactDone(n=1, artifact_id="a", artifact_type="read", status="success", content=number)
        )
