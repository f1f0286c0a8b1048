"""What the runtime says of a start that failed, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.start_errors import start_words

RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            'exec: "nope": executable file not found in $PATH: unknown',
            "there is no program 'nope' in the image",
        ),
        (
            'exec: "/no/x": stat /no/x: no such file or directory: unknown',
            "there is no program '/no/x' in the image",
        ),
        (
            'exec: "/etc/passwd": permission denied: unknown',
            "'/etc/passwd' is not executable for the job's user",
        ),
        ('exec: "/etc": is a directory: unknown', "'/etc' is not executable: it is a folder"),
        ('exec: "./x": exec format error: unknown', "architecture"),
        (
            'chdir to cwd ("/work") set in config.json failed: permission denied: unknown',
            "the working directory '/work' cannot be entered: permission denied",
        ),
    ],
)
def test_a_known_message_is_in_words(message: str, words: str) -> None:
    for text in (RUNC + message, "error during container init: " + message):
        assert words in start_words(text)
        assert "runc" not in start_words(text)


@given(st.text())
def test_an_unknown_message_stays(text: str) -> None:
    assert start_words(RUNC + text + "x: unknown") in (text + "x").strip() + "|" + text + "x"


@given(st.text())
def test_no_message_is_a_crash(text: str) -> None:
    assert isinstance(start_words(text), str)
