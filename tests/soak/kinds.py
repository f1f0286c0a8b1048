"""The kinds of jobs: the spec and the expected result of each. Pure.

A kind is a function of the job's id, its number in the plan and the addresses of the harness.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.soak.plan import PlannedJob
from tests.soak.records import Expect

HOST = "host.docker.internal"
IMAGE = "busybox:latest"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GIVEN = "given by the client\n"
SECRET = "a word that only the job may see"
LIMIT_S = 40
"""The timeout of jobs that the user cancels."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of the harness for jobs and jobd: the port and the folder of its file server, which containers reach at HOST.

    `callbacks`: receiver's name -> URL, to which the job's id is appended. `api_ports`: the ports that an intruder tries.
    """

    port: int
    folder: str
    callbacks: dict[str, str]
    api_ports: tuple[int, ...] = ()

    @property
    def inside(self) -> str:
        """The folder's path in sidecars."""
        return f"http://{HOST}:{self.port}{self.folder}"


@dataclass(frozen=True, slots=True)
class Made:
    """A job as submitted. `files`: local files of the submission, by name. `valid`: the API must accept the job."""

    spec: dict[str, Any]
    expect: Expect
    files: dict[str, str] = field(default_factory=dict)
    valid: bool = True


Kind = Callable[[str, int, Addresses], Made]


def make(planned: PlannedJob, job_id: str, at: Addresses) -> Made:
    """Returns the job of one line of the plan."""
    made = _TABLE[planned.kind](job_id, planned.value, at)
    spec = {"id": job_id, "image": IMAGE, "labels": {"kind": planned.kind}, **made.spec}
    if made.valid and planned.receiver != "none":
        spec["callback"] = {
            "url": at.callbacks[planned.receiver] + job_id,
            "key": KEY,
            "batch": planned.batch,
        }
    return replace(made, spec=spec)


def _get(port: int, path: str) -> str:
    """A request by `nc`: not every busybox can resolve names, so the address comes from /etc/hosts."""
    return f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' | nc -w 8 $host {port}"


def _started(job_id: str, at: Addresses) -> str:
    address = f"host=$(awk '/{HOST}/ {{print $1; exit}}' /etc/hosts)"
    return f"{address}; {_get(at.port, f'{at.folder}/started/{job_id}')} >/dev/null; "


def _lines(count: int, pause: str = "") -> str:
    return f'i=1; while [ $i -le {count} ]; do echo "line $i"; echo "line $i" >&2; i=$((i+1)); {pause}done; printf "the end"; '


def _shell(job_id: str, at: Addresses, script: str, trap: str = "", **more: Any) -> dict[str, Any]:
    return {"command": f"{trap}{_started(job_id, at)}{script}", **more}


def zero(job_id: str, value: int, at: Addresses) -> Made:
    count = value % 300
    pause = "sleep 0.05; " if value % 3 == 0 and count < 100 else ""
    return Made(_shell(job_id, at, _lines(count, pause) + "exit 0"), Expect(out=count, err=count, tail=True))


def code(job_id: str, value: int, at: Addresses) -> Made:
    count, number = value % 20, 1 + value % 125
    expect = Expect("failed", "exit-code", number, out=count, err=count, tail=True)
    return Made(_shell(job_id, at, _lines(count) + f"sleep 0.{value % 9}; exit {number}"), expect)


def killed(job_id: str, value: int, at: Addresses) -> Made:
    number = (137, 255, 143)[value % 3]
    expect = Expect("failed", "exit-code", number, out=3, err=3, tail=True)
    return Made(_shell(job_id, at, _lines(3) + f"sleep {value % 4}; exit {number}"), expect)


def out_of_memory(job_id: str, value: int, at: Addresses) -> Made:
    return Made(
        {"command": ["tail", "/dev/zero"], "memory": 16}, Expect("failed", "oom-killed", 137, reports=False)
    )


def timeout(job_id: str, value: int, at: Addresses) -> Made:
    limit_s = 2 + value % 4
    expect = Expect("failed", "timeout", 3, out=2, err=2, tail=True, timeout_s=limit_s)
    script = _lines(2) + "sleep 300 & wait"
    return Made(_shell(job_id, at, script, "trap 'exit 3' TERM; ", timeoutSeconds=limit_s), expect)


def timeout_ignored(job_id: str, value: int, at: Addresses) -> Made:
    limit_s = 1 + value % 3
    expect = Expect("failed", "timeout", 137, timeout_s=limit_s)
    script = "while true; do sleep 1; done"
    return Made(_shell(job_id, at, script, "trap '' TERM; ", timeoutSeconds=limit_s), expect)


def long(job_id: str, value: int, at: Addresses) -> Made:
    expect = Expect("failed", "timeout", 9, out=5, err=5, tail=True, timeout_s=LIMIT_S)
    script = _lines(5) + "sleep 300 & wait"
    return Made(_shell(job_id, at, script, "trap 'exit 9' TERM; ", timeoutSeconds=LIMIT_S), expect)


def long_ignores(job_id: str, value: int, at: Addresses) -> Made:
    expect = Expect("failed", "timeout", 137, timeout_s=LIMIT_S)
    script = "while true; do sleep 1; done"
    return Made(_shell(job_id, at, script, "trap '' TERM; ", timeoutSeconds=LIMIT_S), expect)


def retried(job_id: str, value: int, at: Addresses) -> Made:
    retries = 1 + value % 2
    expect = Expect("failed", "exit-code", 75, attempts=1 + retries)
    return Made(_shell(job_id, at, "exit 75", retries=retries, retryOn=[75]), expect)


def artifacts(job_id: str, value: int, at: Addresses) -> Made:
    listed = [
        {"id": "source", "type": "download", "in": f"{at.inside}/data.tar.gz", "out": "data.tar.gz"},
        {"id": "data", "type": "unarchive", "in": "data.tar.gz", "out": ".", "depends": "source"},
        {"id": "word", "type": "write", "in": f"{value}", "out": "word.txt"},
        {"id": "sum", "type": "read", "in": "sum.txt", "depends": "job"},
        {"id": "names", "type": "list", "in": "out", "depends": "job"},
        {"id": "bundle", "type": "archive", "in": "out", "out": "out.tar.gz", "depends": "job"},
        {
            "id": "sent",
            "type": "upload",
            "in": "result.txt",
            "out": f"{at.inside}/put/{job_id}",
            "depends": "sum",
        },
    ]
    script = (
        "mkdir out; cp data/numbers.txt out/; "
        "n=$(awk '{s+=$1} END {print s}' data/numbers.txt); echo $((n + $(cat word.txt))) > sum.txt; "
        f"echo '{job_id}' $(cat sum.txt) > result.txt; " + _lines(3)
    )
    total = value + 55
    expect = Expect(out=3, err=3, tail=True, uploads={job_id: f"{job_id} {total}\n"}, reads={"sum": total})
    return Made(_shell(job_id, at, script, artifacts=listed), expect)


def on_failure(job_id: str, value: int, at: Addresses) -> Made:
    listed = [
        {"id": "none", "type": "read", "in": "none", "depends": "job", "when": "always", "optional": True},
        {"id": "kept", "type": "read", "in": "why.txt", "depends": "job", "when": "failure"},
        {
            "id": "not",
            "type": "upload",
            "in": "why.txt",
            "out": f"{at.inside}/put/not-{job_id}",
            "depends": "job",
        },
    ]
    expect = Expect("failed", "exit-code", 4, reads={"kept": f"because {value}"})
    return Made(_shell(job_id, at, f"printf 'because {value}' > why.txt; exit 4", artifacts=listed), expect)


def output_missing(job_id: str, value: int, at: Addresses) -> Made:
    listed = [{"id": "gone", "type": "read", "in": "no-such-file", "depends": "job"}]
    return Made(_shell(job_id, at, "exit 0", artifacts=listed), Expect("failed", "output-failed", 0))


def input_missing(job_id: str, value: int, at: Addresses) -> Made:
    listed = [{"id": "gone", "type": "download", "in": f"{at.inside}/no-such-file", "out": "x"}]
    return Made(_shell(job_id, at, "exit 0", artifacts=listed), Expect("failed", "input-failed", None))


def upload_refused(job_id: str, value: int, at: Addresses) -> Made:
    listed = [
        {"id": "sent", "type": "upload", "in": "x", "out": f"{at.inside}/refused/{job_id}", "depends": "job"}
    ]
    return Made(_shell(job_id, at, "echo x > x", artifacts=listed), Expect("failed", "output-failed", 0))


def local_files(job_id: str, value: int, at: Addresses) -> Made:
    listed = [{"id": "back", "type": "read", "in": "given", "depends": "job"}]
    content = GIVEN + "x" * (value % 50_000)
    script = f"test $(wc -c < given) -eq {len(content)} || exit 21; " + _lines(1)
    expect = Expect(out=1, err=1, tail=True, reads={"back": content} if len(content) < 1000 else {})
    spec = _shell(job_id, at, script, artifacts=listed if expect.reads else [])
    return Made(spec, expect, files={"given": content})


def secret(job_id: str, value: int, at: Addresses) -> Made:
    text = f"{SECRET} {value}"
    script = f"test \"$(cat /run/secrets/word)\" = '{text}' || exit 22; " + _lines(1)
    return Made(_shell(job_id, at, script, secrets={"word": text}), Expect(out=1, err=1, tail=True))


def flood(job_id: str, value: int, at: Addresses) -> Made:
    return Made(_shell(job_id, at, "yes | head -c 3000000; exit 0"), Expect(fills_log=True))


def no_image(job_id: str, value: int, at: Addresses) -> Made:
    spec = {"image": "soak-has-no-such-image:1", "pull": "never", "command": "true"}
    return Made(spec, Expect("failed", "image-not-found", None))


def no_command(job_id: str, value: int, at: Addresses) -> Made:
    init = value % 2 == 0
    expect = Expect("failed", "start-failed", 127, reports=False, init_says="[FATAL tini (" if init else "")
    return Made({"command": ["no-such-command"], "init": init}, expect)


def big(job_id: str, value: int, at: Addresses) -> Made:
    environment = {f"V{n}": "x" * 100_000 for n in range(6)}
    script = "test ${#V5} -eq 100000 || exit 23; " + _lines(1)
    return Made(_shell(job_id, at, script, environment=environment), Expect(out=1, err=1, tail=True))


def intruder(job_id: str, value: int, at: Addresses) -> Made:
    # First a reachable port: without that, unreachable ports would prove nothing.
    script = f"{_get(at.port, '/')} | grep -q HTTP || exit 34; "
    for port in at.api_ports:
        script += f"{_get(port, '/livez').replace('-w 8', '-w 2')} 2>/dev/null | grep -q HTTP && exit 33; "
    return Made(_shell(job_id, at, script + "exit 5"), Expect("failed", "exit-code", 5))


def invalid(job_id: str, value: int, at: Addresses) -> Made:
    wrong: tuple[dict[str, Any], ...] = (
        {"memory": -1},
        {"timeoutSeconds": 10**9},
        {"environment": {"a": "nul \0"}},
        {"workspace": "/proc"},
        {"no-such-field": 1},
        {"artifacts": [{"id": "a", "type": "write", "in": "", "out": "../x"}]},
        {"callback": {"url": "ftp://x"}},
        {"cpu": "a lot"},
        {"retries": 99},
        {"secrets": {"../x": "y"}},
    )
    return Made({"command": "true", **wrong[value % len(wrong)]}, Expect(), valid=False)


_TABLE: dict[str, Kind] = {
    "zero": zero,
    "code": code,
    "killed": killed,
    "out-of-memory": out_of_memory,
    "timeout": timeout,
    "timeout-ignored": timeout_ignored,
    "long": long,
    "long-ignores": long_ignores,
    "retried": retried,
    "artifacts": artifacts,
    "on-failure": on_failure,
    "output-missing": output_missing,
    "input-missing": input_missing,
    "upload-refused": upload_refused,
    "local-files": local_files,
    "secret": secret,
    "flood": flood,
    "no-image": no_image,
    "no-command": no_command,
    "big": big,
    "intruder": intruder,
    "invalid": invalid,
}
