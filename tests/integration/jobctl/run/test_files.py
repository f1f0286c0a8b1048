"""`jobctl run` with local files, outputs and job files."""

import io
import json
import tarfile
from typing import Any

import pytest


def test_local_files_go_in_and_come_out(daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "data" / "sub").mkdir(parents=True)
    (jobctl.home / "data" / "a.csv").write_bytes(b"1,2\n" * 100_000)
    (jobctl.home / "data" / "sub" / "b.txt").write_text("b")
    (jobctl.home / "tool.sh").write_text("#!/bin/sh\n")
    (jobctl.home / "tool.sh").chmod(0o755)

    def play(job: Any) -> None:
        job.files = {"result.csv": b"3\n", "plots/one.png": b"png", "plots/deep/two.png": b"PNG"}
        job.end(0)

    daemon.on_submit = play
    done = jobctl(
        "run", "--name", "a", "--in", "in=data", "--in", "bin/=tool.sh", "--out", "result.csv=.", "--out", "plots=pictures", "busybox"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(daemon.jobs["a"].uploaded)) as archive:
        modes = {member.name: (member.isdir(), member.mode, member.uid) for member in archive}
        content = archive.extractfile("in/a.csv")
        assert content is not None
        assert content.read() == b"1,2\n" * 100_000
    assert sorted(modes) == ["bin", "bin/tool.sh", "in", "in/a.csv", "in/sub", "in/sub/b.txt"]
    assert modes["bin/tool.sh"] == (False, 0o755, 0)
    assert (jobctl.home / "result.csv").read_bytes() == b"3\n"
    assert (jobctl.home / "pictures" / "deep" / "two.png").read_bytes() == b"PNG"


def test_a_missing_output_is_122_and_the_others_are_fetched(daemon: Any, jobctl: Any) -> None:
    def play(job: Any) -> None:
        job.files = {"b": b"here"}
        job.end(0)

    daemon.on_submit = play
    done = jobctl("run", "--out", "a=.", "--out", "b=.", "busybox")
    assert done.returncode == 122
    assert b"the command succeeded, but the job has no 'a'" in done.stderr
    assert (jobctl.home / "b").read_bytes() == b"here"


def test_outputs_of_a_failed_job_are_not_fetched_and_the_copy_command_is_named(
    daemon: Any, jobctl: Any
) -> None:
    daemon.on_submit = lambda job: job.end(1)
    done = jobctl("run", "--name", "a", "--out", "x=y", "busybox")
    assert done.returncode == 1
    assert b"jobctl cp a:x y" in done.stderr


def test_a_wrong_field_of_a_file_has_its_line(daemon: Any, jobctl: Any) -> None:
    (jobctl.home / "job.yaml").write_text(
        "image: busybox\nartifacts:\n  - id: x\n    type: read\n    in: ../up\n"
    )
    daemon.refuse = (
        400,
        {"error": "artifacts[0].in: must stay inside", "code": "invalid-spec", "field": "artifacts[0].in"},
    )
    done = jobctl("submit", "-f", "job.yaml")
    assert done.returncode == 1
    assert done.stderr == b"jobctl: job.yaml:5:5: artifacts[0].in: must stay inside\n"
    as_json = jobctl("submit", "-f", "job.yaml", "--json")
    assert json.loads(as_json.stderr)["field"] == "artifacts[0].in"
    assert as_json.stdout == b""


def test_stdin_is_a_job_file_and_flags_override_it(daemon: Any, jobctl: Any) -> None:
    job = {"id": "from-file", "image": "busybox", "environment": {"A": "1", "B": "2"}}
    done = jobctl("submit", "-f", "-", "-e", "B=3", "--name", "b", stdin=json.dumps(job).encode())
    assert done.returncode == 0, done.stderr
    assert daemon.jobs["b"].spec["environment"] == {"A": "1", "B": "3"}


@pytest.mark.parametrize("command", [("run", "-d"), ("sweep", "-d", "--each", "n=1", "-e", "N={n}")])
def test_nothing_is_submitted_detached_where_the_destinations_cannot_be_stored(
    daemon: Any, jobctl: Any, command: tuple[str, ...]
) -> None:
    """An error after the submission would lose the id of a job that runs."""
    (jobctl.home / ".local").write_text("a file in the place of the folder")
    done = jobctl(*command, "--out", "o=.", "busybox")
    assert (done.returncode, done.stdout, daemon.jobs) == (125, b"", {})
    assert b"no job was submitted" in done.stderr
