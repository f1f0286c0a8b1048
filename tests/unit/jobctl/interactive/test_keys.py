import pytest

from jobctl.errors import Misuse
from jobctl.interactive.keys import DEFAULT, DetachKeys, parse


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (DEFAULT, b"\x10\x11"),
        ("ctrl-a,d", b"\x01d"),
        ("ctrl-@", b"\0"),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1b\x1c\x1d\x1e\x1f"),
        ("CTRL-Z", b"\x1a"),
        ("", b""),
    ],
)
def test_keys_are_written_as_in_docker(text: str, keys: bytes) -> None:
    assert parse(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ab", "ctrl-p,", "é", ","])
def test_what_is_no_key_is_named(text: str) -> None:
    with pytest.raises(Misuse, match="is no key"):
        parse(text)


@pytest.mark.parametrize(
    ("typed", "sent", "left"),
    [
        ([b"ls\r"], b"ls\r", False),
        ([b"a\x10\x11b"], b"a", True),
        ([b"a\x10", b"\x11"], b"a", True),
        ([b"a\x10", b"b"], b"a\x10b", False),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"\x10"], b"", False),
        ([b"\x11"], b"\x11", False),
    ],
)
def test_the_keys_are_found_in_any_pieces_and_all_else_is_sent(
    typed: list[bytes], sent: bytes, left: bool
) -> None:
    keys = DetachKeys(parse(DEFAULT))
    found = [keys.feed(piece) for piece in typed]
    assert b"".join(data for data, _ in found) == sent
    assert any(detached for _, detached in found) == left


def test_without_keys_everything_is_sent() -> None:
    assert DetachKeys(b"").feed(b"\x10\x11") == (b"\x10\x11", False)
