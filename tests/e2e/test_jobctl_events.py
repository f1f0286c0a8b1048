"""jobctl as a program with a real jobd: listen, verify, deliveries and replay."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.programs import Start, finished
from tests.support.daemon import Daemon, Receiver, until

KEYS = [
    f"whsec_{base64.b64encode(text).decode()}"
    for text in (b"0123456789abcdef01234567", b"76543210fedcba9876543210")
]


@pytest.mark.parametrize("batch", [False, True])
def test_listen_verifies_what_jobd_signs_with_the_new_and_the_old_key(
    daemon: Daemon, worker_image: str, tmp_path: Path, start: Start, batch: bool
) -> None:
    (tmp_path / "both").write_text("\n".join(KEYS))
    (tmp_path / "old").write_text(KEYS[1] + "\n")
    wanted = "exit,complete" if batch else "start,exit,complete"
    listening = start(
        "listen", "--json", "-n", str(wanted.count(",") + 1), "--key-file", str(tmp_path / "old")
    )
    assert listening.stderr is not None
    found = re.search(r"--callback (\S+)", listening.stderr.readline().decode())
    assert found is not None
    callback = [
        "--callback",
        found[1],
        "--callback-key-file",
        str(tmp_path / "both"),
        "--callback-events",
        wanted,
    ]
    job = ["run", *callback, *(["--callback-batch"] if batch else []), worker_image, "true"]
    assert daemon.jobctl(*job).returncode == 0
    code, out, err = finished(listening)
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"]["type"].rpartition(".")[2] for line in lines] == wanted.split(",")
    assert all(line["verified"] and not line["again"] for line in lines)


def test_a_received_request_is_verified_from_files(
    daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEYS[0])
    key = ["--callback-key-file", str(tmp_path / "key")]
    path = f"/{job_id}"
    run = daemon.jobctl("run", "--callback", receiver.url(path), *key, worker_image, "echo", "hi")
    assert run.returncode == 0
    receiver.complete(path)
    headers, body = receiver.raw(path)[-1]
    (tmp_path / "body").write_bytes(body)
    (tmp_path / "headers").write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    arguments = ["verify", "--key-file", str(tmp_path / "key"), "-H", f"@{tmp_path}/headers"]
    fine = daemon.jobctl(*arguments, str(tmp_path / "body"))
    assert (fine.returncode, fine.stdout.splitlines()[-1]) == (0, "verified")
    (tmp_path / "body").write_bytes(body.replace(b"completed", b"cancelled"))
    spoilt = daemon.jobctl(*arguments, str(tmp_path / "body"))
    assert spoilt.returncode == 1
    assert "not verified" in spoilt.stdout


def test_a_refused_event_is_parked_and_replayed(
    daemon: Daemon, worker_image: str, job_id: str, start: Start, free_port: Callable[[], int]
) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}/"
    refusing = start("listen", "--port", port, "--status", "400", "-n", "1")
    assert refusing.stderr is not None
    assert f"--callback {url}".encode() in refusing.stderr.readline()
    job = ["run", "--name", job_id, "--callback", url, "--callback-events", "complete", worker_image, "true"]
    assert daemon.jobctl(*job).returncode == 0
    assert finished(refusing)[0] == 0
    until(
        lambda: daemon.jobctl("deliveries", job_id, "--state", "parked", "-o", "name").stdout.strip(),
        "the delivery is parked",
    )
    taking = start("listen", "--port", port, "-n", "1", "--json")
    assert taking.stderr is not None
    assert b"listening" in taking.stderr.readline()
    replayed = daemon.jobctl("replay", "--job", job_id)
    assert (replayed.returncode, replayed.stdout) == (0, "1\n")
    code, out, _ = finished(taking)
    assert code == 0
    assert json.loads(out)["event"]["data"]["status"] == "completed"
