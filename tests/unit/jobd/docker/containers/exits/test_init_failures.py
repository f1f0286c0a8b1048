"""The message of an init that could not execute the command, in the words of a failed start."""

import pytest

from jobd.docker.containers.exits.init_failures import only_entry, said


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            b"[FATAL tini (7)] exec no-such failed: No such file or directory\n",
            'the command "no-such" does not exist in the image',
        ),
        (
            b"[FATAL tini (7)] exec /etc failed: Permission denied",
            'the command "/etc" is not executable: it is a folder, or its mode has no x for the job\'s user',
        ),
        (
            b'[FATAL tini (12)] exec a "b" failed: c failed: Not a directory\n',
            'the command "a \\"b\\" failed: c" does not exist in the image',
        ),
        (
            b"[FATAL tini (7)] exec \xff failed: No such file or directory",
            'the command "\ufffd" does not exist in the image',
        ),
    ],
)
def test_the_message_names_the_command(entry: bytes, words: str) -> None:
    assert said(entry) == words


@pytest.mark.parametrize(
    "entry",
    [b"", b"sh: no-such: not found\n", b" [FATAL tini (7)] exec x failed: y", b"[FATAL tini (7)] other"],
)
def test_other_output_is_no_message_of_the_init(entry: bytes) -> None:
    assert said(entry) is None


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


MESSAGE = b"[FATAL tini (7)] exec x failed: y\n"


@pytest.mark.parametrize(
    ("log", "entry"),
    [
        (frame(2, MESSAGE), MESSAGE),
        (MESSAGE.replace(b"\n", b"\r\n"), MESSAGE),
        (frame(1, MESSAGE), b""),
        (frame(2, b"hello\n") + frame(2, MESSAGE), b""),
        (b"", b""),
    ],
    ids=["stderr", "a terminal", "stdout", "not alone", "empty"],
)
def test_the_only_entry_of_a_log(log: bytes, entry: bytes) -> None:
    assert only_entry(log) == entry
