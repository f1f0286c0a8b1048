"""The table of the engine's error answers: every row with a real engine's answer, and arbitrary texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.docker.http.errors import Refusal, as_error, port_error, refusal
from jobd.docker.mapping.error_table import ROWS, Call
from jobd.docker.mapping.failures import LONGEST_WORDS, Failure, failure
from jobd.jobs.port.errors import (
    EngineError,
    EngineUnavailable,
    ImageUnavailable,
    RefusedByEngine,
    StartFailed,
)

RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
STORE = "/var/lib/docker/overlay2/d05c7ecfbdcb194d6e4f52d46ed22c9bf9ed7c5b9526fcbe8b0e10c9c0f1b787/merged"
VOLUME = "create v: error while creating volume root path '/var/lib/docker/volumes/v': mkdir /var/lib/docker/volumes/v: "

ANSWERS: list[tuple[str, Call, int, str]] = [
    ("no-space", "create", 500, f"mkdir {STORE}: no space left on device"),
    ("no-space", "volume", 500, VOLUME + "no space left on device"),
    ("no-space", "start", 500, RUNC + 'mkdir /sys/fs/cgroup: no space left on device: unknown'),
    ("no-space", "pull", 500, "failed to register layer: write /usr/bin/x: no space left on device"),
    ("no-space", "fill", 500, "write /workspace/a: disk quota exceeded"),
    ("broke-off", "start", 500, "rpc error: transport is closing: unavailable"),
    ("sandbox-gone", "start", 409, "cannot join network of a non running container: 0123"),
    ("sandbox-removed", "start", 400, "No such container: 0123"),
    ("start-broke-off", "start", 400, "OCI runtime create failed: container_linux.go:367: starting container process caused: process_linux.go:340: getting the final child's pid from pipe caused: EOF: unknown"),
    ("start-broke-off", "start", 500, RUNC + "can't get final child's PID from pipe: EOF: unknown"),
    ("sandbox-gone", "start", 400, RUNC + "unable to create new parent process: namespace path: lstat /proc/1210/ns/net: no such file or directory: unknown"),
    ("broke-off", "create", 500, "context canceled"),
    ("unavailable", "create", 503, "busy"),
    ("short-of-something", "create", 500, "open /dev/mapper/control: too many open files"),
    ("exec-missing", "start", 400, RUNC + 'exec: "nope": executable file not found in $PATH: unknown'),
    ("exec-missing", "start", 400, RUNC + 'exec: "/nope": stat /nope: no such file or directory: unknown'),
    ("exec-missing", "start", 400, RUNC + 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)? Check'),
    ("exec-denied", "start", 400, RUNC + 'exec: "/etc/passwd": permission denied: unknown'),
    ("exec-denied", "start", 400, RUNC + 'exec: "/etc": is a directory: unknown'),
    ("exec-name-too-long", "start", 400, RUNC + f'exec: "/{"a" * 300}": stat /{"a" * 300}: file name too long: unknown'),
    ("exec-format", "start", 400, RUNC + "exec format error: unknown"),
    ("no-such-user", "start", 500, "unable to find user nosuch: no matching entries in passwd file"),
    ("user-out-of-range", "start", 500, "uids and gids must be in range 0-2147483647"),
    ("memory-too-low", "start", 400, RUNC + "container init was OOM-killed (memory limit too low?): unknown"),
    ("workspace-cannot-be-made", "create", 500, "Cannot mkdir: /etc/passwd is not a directory"),
    ("workspace-cannot-be-made", "create", 500, f"lstat {STORE}/etc/passwd/x: not a directory"),
    ("workspace-not-mounted", "start", 400, RUNC + f'error during container init: error mounting "/var/lib/docker/volumes/v/_data" to rootfs at "/etc/passwd/x": open o_path procfd: open {STORE}/etc/passwd/x: not a directory: unknown'),
    ("device-hidden", "start", 500, RUNC + "error during container init: error reopening /dev/null inside container: open /dev/null: is a directory: unknown"),
    ("name-too-long", "create", 500, f"lstat {STORE}/{'a' * 300}: file name too long"),
    ("name-too-long", "volume", 500, VOLUME + "file name too long"),
    ("workspace-links", "create", 500, f"lstat {STORE}/a/b: too many levels of symbolic links"),
    ("workspace-not-filled", "fill", 500, 'cannot overwrite non-directory "/x" with directory'),
    ("no-address-range", "network", 404, "could not find an available, non-overlapping IPv4 address pool among the defaults"),
    ("no-address-range", "network", 400, "all predefined address pools have been fully subnetted"),
    ("image-gone", "create", 404, "No such image: nope:1"),
    ("image-gone", "create", 404, "image with reference busybox was found but does not match the specified platform: wanted linux/arm64"),
    ("container-gone", "start", 404, "No such container: abc"),
    ("port-taken", "start", 500, "driver failed programming external connectivity on endpoint job-a-worker (71b0fca4f37e): Bind for 127.0.0.1:18099 failed: port is already allocated"),
    ("port-taken", "start", 500, "driver failed programming external connectivity on endpoint job-a-worker (f95f8b47bce6): Error starting userland proxy: listen tcp4 127.0.0.1:18098: bind: address already in use"),
    ("network-missing", "start", 404, "network no-such-net not found"),
    ("mount-source-missing", "create", 400, 'invalid mount config for type "bind": bind source path does not exist: /no/such'),
    ("pull-failed", "pull", 500, "manifest unknown"),
    ("pull-failed", "pull", 500, "dial tcp 10.0.0.1:5000: connect: connection refused"),
    ("not-started", "start", 500, "Decoding seccomp profile failed: invalid character 'o' in literal null"),
    ("not-started", "start", 400, ""),
    ("too-many-requests", "create", 429, "slow down"),
    ("unexplained", "inspect", 409, "removal in progress"),
    ("not-paused", "pause", 500, "Cannot pause container 0123: OCI runtime pause failed: openat2 /sys/fs/cgroup/freezer/docker/0123/freezer.state: no such file or directory: unknown"),
    ("engine-error", "create", 500, "layer does not exist"),
    ("engine-error", "volume", 500, VOLUME + "permission denied"),
    ("refused", "create", 400, 'invalid CapAdd: unknown capability: "CAP_NOPE"'),
    ("refused", "create", 400, "Unknown runtime specified nope"),
    ("refused", "create", 400, "Minimum memory limit allowed is 6MB"),
]  # fmt: skip
PASSING = {
    "sandbox-gone",
    "sandbox-removed",
    "start-broke-off",
    "no-space",
    "short-of-something",
    "no-address-range",
    "too-many-requests",
    "unexplained",
    "engine-error",
}
LOST = {"broke-off", "unavailable"}
RUNTIME_WORDS = ("OCI runtime", "runc ", "shim task", "/overlay2/", "unable to start container process")
CALLS: list[Call] = ["create", "fill", "start", "volume", "network", "pull", "inspect", "pause"]


@pytest.mark.parametrize(("row", "call", "status", "message"), ANSWERS)
def test_an_answer_is_classified_by_its_row_in_plain_words(
    row: str, call: Call, status: int, message: str
) -> None:
    found = failure(call, status, message, workspace="/etc/passwd")
    assert found.row == row
    assert found.meaning == ("passing" if row in PASSING else "lost" if row in LOST else "final")
    assert found.words
    assert not [word for word in RUNTIME_WORDS if word in found.words]
    assert not found.words.endswith(": unknown")


def test_every_row_has_a_measured_answer() -> None:
    assert {row.name for row in ROWS} == {row for row, _, _, _ in ANSWERS}
    assert len({row.name for row in ROWS}) == len(ROWS)


@given(
    st.sampled_from(CALLS),
    st.integers(400, 599),
    st.one_of(
        st.text(max_size=2000),
        st.sampled_from(ANSWERS).map(lambda answer: answer[3]),
        st.lists(st.sampled_from([part for row in ROWS for part in (*row.any_of, *row.all_of)])).map(" ".join),
    ),
)  # fmt: skip
def test_any_answer_is_classified_once_and_becomes_one_error(call: Call, status: int, message: str) -> None:
    found = failure(call, status, message)
    assert 0 < len(found.words) <= LONGEST_WORDS
    error = as_error(call, found)
    assert str(error) == found.words
    kinds: tuple[type[EngineError], ...] = (StartFailed, ImageUnavailable, RefusedByEngine, EngineUnavailable)
    assert sum(isinstance(error, kind) for kind in kinds) == 1
    if isinstance(error, EngineUnavailable):
        assert error.answered == (found.meaning == "passing")
    else:
        assert found.meaning == "final"


@pytest.mark.parametrize(
    ("row", "code"), [("exec-missing", 127), ("exec-denied", 126), ("no-such-user", 128)]
)
def test_a_refused_start_has_the_code_that_the_engine_would_give(row: str, code: int) -> None:
    call, status, message = next(answer[1:] for answer in ANSWERS if answer[0] == row)
    error = port_error(call, refusal(status, message))
    assert isinstance(error, StartFailed)
    assert error.exit_code == code


def test_a_start_of_a_path_that_is_no_command_is_no_missing_command() -> None:
    assert failure("start", 400, "error mounting /a: no such file or directory").exit_code == 128


MISSING = next(one for one in ANSWERS if one[0] == "exec-missing" and '"nope"' in one[3])


def test_the_message_names_the_workspace_and_the_command() -> None:
    made = failure("create", 500, "Cannot mkdir: /etc/passwd is not a directory", workspace="/etc/passwd")
    assert "'/etc/passwd'" in made.words
    assert made.remedy == "choose another path for the workspace"
    assert failure("start", 400, MISSING[3]).words == 'the command "nope" does not exist in the image'


def test_long_names_are_cut_in_the_middle() -> None:
    found = failure("start", 400, RUNC + f'exec: "/{"a" * 9000}": stat: file name too long')
    assert len(found.words) <= LONGEST_WORDS
    assert found.words.endswith("is too long for a file")


def test_a_remedy_of_the_answer_stays_where_the_table_has_none() -> None:
    error = Refusal(400, "no")
    error.remedy = "ask somebody"
    assert port_error("create", error).remedy == "ask somebody"
    assert as_error("create", Failure("final", "no", "", "refused")).remedy == ""
