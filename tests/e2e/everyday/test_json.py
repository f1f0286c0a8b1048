"""What each command prints with --json is what docs/jobctl-output.schema.json says: one shape a command, nothing undocumented."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from jobctl.command_table import COMMANDS, formats_of
from tests.support.daemon import DEADLINE_S, Daemon, Receiver, until

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "jobctl-output.schema.json"
DONE, FAILED = (f"{end}-{uuid.uuid4().hex[:8]}" for end in ("done", "failed"))
KEY = "a key of many characters"
MEASURES = pytest.mark.takes("disk usage")


def strict(part: Any) -> Any:
    """A schema in which objects hold nothing but what is named."""
    if isinstance(part, list):
        return [strict(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {"additionalProperties": False} if "properties" in part and part.get("type") == "object" else {}
    return {**closed, **{key: strict(value) for key, value in part.items()}}


def check(name: str, text: str) -> list[Any]:
    """Returns the values in an output of `name`, each checked: one value, or for a stream one a line."""
    document = strict(json.loads(SCHEMA.read_text()))
    entry = document["commands"][name]
    values = [json.loads(line) for line in text.splitlines()] if entry["lines"] else [json.loads(text)]
    validator = jsonschema_rs.validator_for({"$defs": document["$defs"], "$ref": entry["$ref"]})
    for value in values:
        found = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not found, (name, found, value)
    return values


def test_every_command_is_in_the_schema() -> None:
    document = json.loads(SCHEMA.read_text())
    with_json = {name for name in COMMANDS if "json" in formats_of(name)}
    assert with_json <= set(document["commands"])
    assert {name.split()[0] for name in document["commands"]} - {"error"} == with_json


@pytest.fixture(scope="module")
def seen(
    daemon: Daemon, receiver: Receiver, worker_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """The jobs DONE and FAILED, the first with a delivery, artifacts and labels; and files of a received event."""
    folder = tmp_path_factory.mktemp("seen")
    (folder / "key").write_text(KEY)
    daemon.submit(
        id=DONE, image=worker_image, command="echo hello; echo oops >&2", labels={"a": "b"}, meta={"m": "n"},
        callback={"url": receiver.url("/done"), "key": KEY, "events": ["orchestrator.job.complete"]},
        artifacts=[{"id": "w", "type": "write", "in": "x", "out": "x"}],
    )  # fmt: skip
    daemon.ended(DONE)
    daemon.submit(id=FAILED, image=worker_image, command="echo bad >&2; exit 3")
    daemon.ended(FAILED)
    receiver.complete("/done")
    headers, body = receiver.raw("/done")[-1]
    (folder / "body").write_bytes(body)
    (folder / "headers").write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    (folder / "job.yaml").write_text("image: busybox\n")
    (folder / "bad.yaml").write_text("image: busybox\ncpu: -1\n")
    return folder


def test_the_json_of_one_job_is_a_list_too(daemon: Daemon, seen: Path) -> None:
    for command, name in (("show", "show"), ("explain", "explain")):
        (one,) = check(name, daemon.jobctl(command, "--json", DONE).stdout)
        (two,) = check(name, daemon.jobctl(command, "--json", DONE, FAILED).stdout)
        assert [job["id"] for job in one["jobs"]] == [DONE]
        assert [job["id"] for job in two["jobs"]] == [DONE, FAILED]
    one = check("logs", daemon.jobctl("logs", "--json", DONE).stdout)
    two = check("logs", daemon.jobctl("logs", "--json", DONE, FAILED).stdout)
    assert {line["id"] for line in one} == {DONE}
    assert {line["id"] for line in two} == {DONE, FAILED}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ls", ["ls", "-a"]), ("ls", ["ls", "--status", "cancelled"]), ("ls", ["ls", "-a", "--limit", "1"]),
        ("top", ["top"]), ("show", ["show", DONE]), ("explain", ["explain", FAILED]), ("wait", ["wait", DONE, FAILED]),
        ("events", ["events"]), ("events", ["events", "--job", DONE]), ("deliveries", ["deliveries", DONE]),
        ("deliveries", ["deliveries", FAILED]), pytest.param("doctor", ["doctor"], marks=MEASURES), ("version", ["version"]),
        ("version", ["version", "--client"]), ("replay", ["replay", "--job", DONE]), ("prune", ["prune", "--dry-run"]),
        ("group", ["group", "set", "json", "--max", "1"]), ("group", ["group", "pause", "json"]), ("group", ["group"]),
        ("group", ["group", "rm", "json"]), ("pause", ["pause"]), ("resume", ["resume"]),
        ("inspect", ["inspect", DONE]), ("error", ["show", "no-such-job"]), ("error", ["cancel", "no-such", "nor-this"]),
        ("error", ["ls", "--status", "none"]),
    ],
)  # fmt: skip
def test_all_json_output_matches_the_schema(
    daemon: Daemon, seen: Path, name: str, arguments: list[str]
) -> None:
    done = daemon.jobctl(*arguments, *([] if name == "inspect" else ["--json"]))
    text = done.stderr if name == "error" else done.stdout
    assert check("show" if name == "inspect" else name, text) or name == "wait"


def test_changing_commands_print_what_they_changed(
    daemon: Daemon, seen: Path, worker_image: str, job_id: str
) -> None:
    def jobctl(*arguments: str) -> str:
        return daemon.jobctl(arguments[0], "--json", *arguments[1:], cwd=seen).stdout

    (delivery,) = check("deliveries", jobctl("deliveries", DONE))[0]["deliveries"]
    assert check("replay", jobctl("replay", str(delivery["id"])))[0]["deliveries"] == [delivery["id"]]
    check("validate", jobctl("validate", "-f", "job.yaml"))
    (bad,) = check("validate", jobctl("validate", "-f", "bad.yaml"))
    assert not bad["valid"]
    check("verify", jobctl("verify", "--key-file", "key", "-H", "@headers", "body"))
    (wrong,) = check("verify", jobctl("verify", "--key-file", "bad.yaml", "-H", "@headers", "body"))
    assert not wrong["verified"]
    (submitted,) = check(
        "submit", jobctl("submit", "--name", job_id, "--write", "x=y", worker_image, "sleep", "60")
    )
    (ran,) = check("run -d", daemon.jobctl("run", "-d", "--json", worker_image, "true").stdout)
    assert set(submitted) == set(ran) == {"id", "uid", "status"}
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["phase"] == "running", "the job runs")
    assert check("cancel", jobctl("cancel", "--grace", "0", job_id))[0] == {"cancelling": [job_id]}
    daemon.ended(job_id)
    (retried,) = check("retry", jobctl("retry", FAILED))
    assert [job["retriedFrom"] for job in retried["jobs"]] == [FAILED]
    assert check("cp", jobctl("cp", f"{job_id}:x", "fetched"))[0]["files"] == 1
    assert check("rm", jobctl("rm", job_id))[0] == {"removed": [job_id]}
    waited = daemon.jobctl(
        "run", "-d", "--json", "--out", "x=kept", worker_image, "touch", "x", cwd=seen
    ).stdout
    kept = check("run -d", waited)[0]["id"]
    daemon.ended(kept)
    (fetched,) = check("fetch", jobctl("fetch", kept))
    assert fetched == {"id": kept, "outputs": [{"path": "x", "target": str(seen / "kept")}]}
    (pruned,) = check("prune", jobctl("prune", "--dry-run"))
    assert pruned["dryRun"] is True
    assert DONE in pruned["removed"]


def test_a_run_prints_its_id_first(daemon: Daemon, worker_image: str, job_id: str) -> None:
    done = daemon.jobctl("run", "--json", "--name", job_id, worker_image, "echo", "hello")
    first, line, end = check("run", done.stdout)
    assert first["id"] == job_id
    assert first["uid"]
    assert line["line"] == "hello"
    assert end["end"]["status"] == "completed"


def test_sets_have_their_own_shapes(daemon: Daemon, worker_image: str, job_id: str, tmp_path: Path) -> None:
    def printed(name: str, *arguments: str, code: int = 0) -> Any:
        done = daemon.jobctl("--json", *arguments)
        assert done.returncode == code, done.stderr
        return check(name, done.stdout)[-1]

    swept = ("--set", job_id, "--each", "n=1,2", "--sh", "exit {n}", worker_image)
    assert len(printed("sweep --dry-run", "sweep", "--dry-run", *swept)["jobs"]) == 2
    assert printed("sweep", "sweep", *swept, code=1)["failed"] == 2
    assert printed("sweep -d", "sweep", "-d", *swept)["jobs"] == [f"{job_id}-1", f"{job_id}-2"]
    assert printed("wait", "wait", "--set", job_id, code=1)["id"] == job_id
    assert job_id in [one["id"] for one in printed("sets", "sets")["sets"]]
    (tmp_path / "f.yaml").write_text(f"jobs: {{a: {{image: '{worker_image}', command: sleep 100}}}}")
    file = ("-f", f"{tmp_path}/f.yaml", "--set", f"{job_id}-file")
    assert printed("run -d", "run", "-d", *file)["jobs"] == [f"{job_id}-file-a"]
    assert printed("submit", "submit", *file)["set"] == f"{job_id}-file"
    assert printed("cancel", "cancel", "--grace", "0", f"{job_id}-file")["cancelling"] == [f"{job_id}-file"]
    assert printed("run", "run", *file, code=121)["cancelled"] == 1


def test_a_watched_list_is_a_stream_of_jobs(daemon: Daemon, worker_image: str, job_id: str) -> None:
    daemon.submit(id=job_id, image=worker_image, command="true")
    command = [
        sys.executable,
        "-m",
        "jobctl",
        "--host",
        f"unix://{daemon.socket}",
        "ls",
        "-w",
        "-a",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        check("ls --watch", program.stdout.readline())
        program.kill()


def test_received_events_are_lines(
    daemon: Daemon, worker_image: str, tmp_path: Path, make_daemon: Callable[..., Daemon]
) -> None:
    command = [sys.executable, "-m", "jobctl", "listen", "--json", "-n", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        url = program.stderr.readline().split()[-1]
        daemon.jobctl("run", "--callback", url, "--callback-events", "complete", worker_image, "true")
        out, _ = program.communicate(timeout=DEADLINE_S)
    assert len(check("listen", out)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "-a"], ["top"], ["show", DONE], ["explain", FAILED], ["events", "--job", DONE], ["deliveries", DONE],
        pytest.param(["doctor"], marks=MEASURES), ["version"], ["prune", "--dry-run"], ["replay", "--job", DONE], ["cancel", DONE],
        ["validate", "-f", "job.yaml"], ["verify", "--key-file", "key", "-H", "@headers", "body"],
    ],
)  # fmt: skip
def test_yaml_is_the_same_tree_as_json(daemon: Daemon, seen: Path, arguments: list[str]) -> None:
    trees = list(yaml.safe_load_all(daemon.jobctl(*arguments, "-o", "yaml", cwd=seen).stdout))
    text = daemon.jobctl(*arguments, "-o", "json", cwd=seen).stdout
    found = (
        [json.loads(line) for line in text.splitlines()] if arguments[0] == "events" else [json.loads(text)]
    )
    assert [set(tree) for tree in trees] == [set(tree) for tree in found]


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "-a"], ["top"], ["show", DONE], ["events", "--job", DONE], ["deliveries", DONE], ["wait", DONE],
        ["prune", "--dry-run"],
    ],
)  # fmt: skip
def test_names_are_printed_one_a_line(daemon: Daemon, seen: Path, arguments: list[str]) -> None:
    lines = daemon.jobctl(*arguments, "-o", "name").stdout.splitlines()
    assert lines
    assert all(len(line.split()) == 1 for line in lines)


def test_a_tar_has_no_other_format(daemon: Daemon, seen: Path) -> None:
    done = daemon.jobctl("cp", "--json", f"{DONE}:x", "-")
    assert (done.returncode, done.stdout) == (2, "")
