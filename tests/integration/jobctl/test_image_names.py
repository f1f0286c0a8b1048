"""`jobctl __images` as a program: one page of the list, and not a word where that cannot be had."""

import socket
from typing import Any

import pytest


def test_one_page_of_the_list_is_requested(jobctl: Any, daemon: Any) -> None:
    for number in range(120):
        daemon.make(f"job-{number}").spec["image"] = f"tool:{number // 2}"
    done = jobctl("__images")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().split() == [f"tool:{number}" for number in range(59, 9, -1)]
    assert [path for _, path, _ in daemon.requests] == ["/v1/jobs?limit=100"]


def test_image_names_with_shell_characters_are_left_out(jobctl: Any, daemon: Any) -> None:
    for number, image in enumerate(["busybox", "$(id)", "a b", "\x1b]0;x\x07", "-d", "*"]):
        daemon.make(f"job-{number}").spec["image"] = image
    assert jobctl("__images").stdout == b"busybox\n"


@pytest.mark.parametrize(
    "answer", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'jobs': ", b"none\r\n\r\n"]
)
def test_a_silent_or_broken_daemon_gives_no_images_and_no_error(jobctl: Any, answer: bytes | None) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(jobctl.env["JOBD_SOCKET"])
        listener.listen()
        program = jobctl.start("__images")
        connection, _ = listener.accept()
        with connection:
            if answer is not None:
                connection.recv(1 << 16)
                connection.sendall(answer)
            out, err = program.communicate(timeout=50)
    assert (program.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize("host", ["unix:///nowhere", "no url", "http://127.0.0.1:9", ""])
def test_a_missing_daemon_gives_no_images_and_no_error(jobctl: Any, host: str) -> None:
    done = jobctl("--host", host, "__images")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
