"""read: whatever a file holds arrives unchanged at a JSON reader, as a tree or as text."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobd.wire.artifact import Read
from jobd.wire.report import ArtifactDone, decode_report, encode_report
from sidecar.artifacts.base import Context
from sidecar.artifacts.read import content_of, transfer
from sidecar.errors import ArtifactError, Missing

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def through_a_report(content: object) -> object:
    line = encode_report(
        ArtifactDone(n=1, artifact_id="a", artifact_type="read", status="success", content=content)
    )
    assert line.isascii()
    report = decode_report(line)
    assert isinstance(report, ArtifactDone)
    msgspec.json.encode(report.content)
    return report.content


@settings(max_examples=30)
@given(st.binary(max_size=200) | TREES.map(lambda tree: json.dumps(tree).encode()))
def test_content_is_read_back_unchanged(raw: bytes) -> None:
    content = content_of(raw)
    assert through_a_report(content) == content


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b'{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        (b" 12\n", 12),
        (b'"text"', "text"),
        (b"", ""),
        (b"plain text\n", "plain text\n"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "[Infinity]"),
        (b"[1e999]", "[1e999]"),
        (b"18446744073709551615", 18446744073709551615),
        (b"18446744073709551616", "18446744073709551616"),
        (b"-9223372036854775809", "-9223372036854775809"),
        (b"9" * 5000, "9" * 5000),
        (b'{"a":1,"a":2}', '{"a":1,"a":2}'),
        (b'"\\ud800"', '"\\ud800"'),
        (b"[" * 101 + b"]" * 101, "[" * 101 + "]" * 101),
        (b"[" * 100_000, "[" * 100_000),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xef\xbb\xbf{}", "\ufeff{}"),
        (b"a\0b", "a\0b"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_content_is_json_where_that_is_lossless(raw: bytes, content: object) -> None:
    assert content_of(raw) == content
    assert through_a_report(content) == content


def test_a_file_up_to_the_cap_is_read_and_one_beyond_it_fails(context: Context, root: Path) -> None:
    (root / "fits").write_bytes(b"a" * context.caps.content_bytes)
    (root / "larger").write_bytes(b"a" * (context.caps.content_bytes + 1))
    moved = transfer(Read(id="r", source="fits"), context)
    assert moved.content == "a" * context.caps.content_bytes
    assert moved.size_bytes == context.caps.content_bytes
    with pytest.raises(ArtifactError, match="larger than 262144 bytes"):
        transfer(Read(id="r", source="larger"), context)


def test_binary_that_grows_too_long_as_json_fails(context: Context, root: Path) -> None:
    (root / "binary").write_bytes(b"\xff" * 200_000)
    with pytest.raises(ArtifactError, match="as JSON"):
        transfer(Read(id="r", source="binary"), context)


def test_a_sparse_giant_is_not_read(context: Context, root: Path) -> None:
    with (root / "giant").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ArtifactError, match="larger than"):
        transfer(Read(id="r", source="giant"), context)


def test_a_missing_file_and_a_link_fail(context: Context, root: Path) -> None:
    (root / "link").symlink_to("/proc/self/environ")
    with pytest.raises(Missing):
        transfer(Read(id="r", source="none"), context)
    with pytest.raises(ArtifactError, match="symbolic link"):
        transfer(Read(id="r", source="link"), context)
