"""P10: 1 GiB into a workspace and 1 GiB out of it, by the sidecar and by curl, over the same route.

Both run in a container on the network of jobd's instance, with the memory limit of the sidecar, and write to and read from a volume. Both
reach the server on this machine by the engine's address of the host. The server measures, so that no start of a container counts. Between
the way in and the way out the file is written to the disk. curl is this machine's, in a container that sees the machine's files read-only.
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import docker
from docker.types import Mount

from jobd.docker.mapping import labels
from jobd.docker.mapping.container_spec import SIDECAR_MEMORY_BYTES
from jobd.wire.host_alias import HOST_ALIAS
from scripts.bench.pairs import Budget, Result, Row, Skipped, measure
from scripts.bench.support.job_runs import IMAGE, JobRuns
from scripts.bench.support.processes import MEGABYTE, peak_resident_mb
from scripts.bench.support.progress import begin
from scripts.daemon import ROOT, Daemon

SMALL, LARGE = 64 << 20, 1 << 30
TRANSFER_S = 180
SERVER_S = 10

IN = Budget("P10-in", "download artifact of 1 GiB", "curl in a container", 0.8, "at-least", "MB/s")
OUT = Budget("P10-out", "upload artifact of 1 GiB", "curl in a container", 0.8, "at-least", "MB/s")
MEMORY = Budget("P10-memory", "the sidecar's peak memory, 1 GiB", "the same with 64 MiB", 1.1, unit="MB")
BUDGETS = (IN, OUT, MEMORY)

CURL = """
host=$(awk '$2 == "{alias}" {{ print $1; exit }}' /etc/hosts)
curl() {{ chroot /host {curl} --silent --show-error --fail --resolve "{alias}:{port}:$host" "$@"; }}
curl --output {folder}/file {url}/{size} && sync && curl --upload-file {folder}/file {url}
"""


class FileServer:
    """The server's process."""

    def __enter__(self) -> Self:
        self.prefix = secrets.token_urlsafe(16)
        self._seen = {"GET": 0, "PUT": 0}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.bench.programs.file_server", self.prefix],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def url(self) -> str:
        """The address for containers."""
        return f"http://{HOST_ALIAS}:{self.port}/{self.prefix}"

    def new_seconds(self) -> tuple[float, float]:
        """Returns the seconds of the one GET and the one PUT since the last call."""
        deadline = time.monotonic() + SERVER_S
        while True:
            address = f"http://127.0.0.1:{self.port}/{self.prefix}/seconds"
            with urllib.request.urlopen(address, timeout=SERVER_S) as answer:
                seconds: dict[str, list[float]] = json.load(answer)
            new = {method: seconds[method][before:] for method, before in self._seen.items()}
            if all(new.values()) or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self._seen = {method: len(found) for method, found in seconds.items()}
        if [len(found) for found in new.values()] != [1, 1]:
            raise RuntimeError(f"the server expected one GET and one PUT, and saw {new}")
        return new["GET"][0], new["PUT"][0]


class Transfers:
    """Transfers by a job, and the same by curl; each returns the seconds of the file's way in and out."""

    def __init__(self, jobd: Daemon, server: FileServer) -> None:
        self.runs, self.server = JobRuns(jobd), server
        self.peaks_mb: dict[int, list[float]] = {SMALL: [], LARGE: []}
        """The peak memory of each sidecar, by the size of its file."""

    def by_job(self, size: int) -> tuple[float, float]:
        """Runs a job that downloads a file and uploads the same file."""
        name = self.runs.submit(
            {
                "image": IMAGE,
                "command": ["sync"],
                "artifacts": [
                    {"id": "in", "type": "download", "in": f"{self.server.url}/{size}", "out": "file"},
                    {"id": "out", "type": "upload", "in": "file", "out": self.server.url, "depends": "job"},
                ],
            }
        )
        if (peak_mb := self._peak_mb(f"job-{name}-sidecar")) is not None:
            self.peaks_mb[size].append(peak_mb)
        self.runs.wait(name)
        seconds = self.server.new_seconds()
        self.runs.sweep()
        return seconds

    def by_curl(self, size: int) -> tuple[float, float]:
        """Runs a container in which curl downloads a file and uploads the same file."""
        jobd = self.runs.jobd
        api = jobd.engine
        owned = labels.instance_labels(jobd.instance)  # the end of the daemon removes what an error leaves
        volume = api.volumes.create(f"bench-curl-{uuid.uuid4().hex[:8]}", labels=owned)
        with tempfile.TemporaryDirectory() as folder:  # the volume's place among the machine's files
            script = CURL.format(
                alias=HOST_ALIAS,
                curl=shutil.which("curl"),
                port=self.server.port,
                folder=folder,
                url=self.server.url,
                size=size,
            )
            container = api.containers.create(
                IMAGE,
                ["sh", "-c", script],
                labels=owned,
                network=labels.network_name(jobd.instance),
                extra_hosts={HOST_ALIAS: "host-gateway"},
                mem_limit=SIDECAR_MEMORY_BYTES,
                memswap_limit=SIDECAR_MEMORY_BYTES,
                mounts=[
                    Mount("/host", "/", type="bind", read_only=True),
                    Mount(f"/host{folder}", volume.name, type="volume"),
                ],
            )
            try:
                container.start()
                code = container.wait(timeout=TRANSFER_S)["StatusCode"]
                if code:
                    raise RuntimeError(f"curl ended with {code}: {container.logs()[-400:]!r}")
            finally:
                container.remove(force=True)
                volume.remove(force=True)
        return self.server.new_seconds()

    def _peak_mb(self, container: str) -> float | None:
        """Returns the container's peak memory once its process has ended; None if this machine does not see the process."""
        deadline, peak_mb = time.monotonic() + TRANSFER_S, None
        pid = self._pid(container, deadline)
        while pid and time.monotonic() < deadline:
            try:
                peak_mb = peak_resident_mb(pid)
            except ProcessLookupError:
                break
            time.sleep(0.01)
        return peak_mb

    def _pid(self, container: str, deadline: float) -> int:
        """Returns the machine's id of the container's process; 0 if the process has ended."""
        while time.monotonic() < deadline:
            try:
                state = self.runs.jobd.engine.api.inspect_container(container)["State"]
            except docker.errors.NotFound:
                state = {"Status": "created", "Pid": 0}
            if state["Pid"] or state["Status"] not in ("created", "running"):
                return int(state["Pid"])
            time.sleep(0.01)
        return 0


def benchmarks(wanted: frozenset[str]) -> Iterator[Row]:
    """Takes all measurements in one run, since each job and each curl moves its file in and out."""
    if shutil.which("curl") is None:
        yield from (Skipped(name, "this machine has no curl") for name in wanted)
        return
    begin(IN)
    with FileServer() as server, Daemon() as jobd:
        transfers = Transfers(jobd, server)
        transfers.by_job(SMALL), transfers.by_curl(SMALL)  # warms both up
        transfers.peaks_mb[SMALL].clear()

        def job() -> tuple[float, float]:
            transfers.by_job(SMALL)  # for its memory alone
            return transfers.by_job(LARGE)

        out = Result(OUT)
        ours, theirs = _rates(job, out.ours), _rates(lambda: transfers.by_curl(LARGE), out.theirs)
        into = measure(IN, ours, theirs, 3, 60)
    for result in (into, out, Result(MEMORY, transfers.peaks_mb[LARGE], transfers.peaks_mb[SMALL])):
        if result.budget.name in wanted:
            yield (
                result
                if result.ours
                else Skipped(MEMORY.name, "this machine does not see the sidecar's process")
            )


def _rates(transfer: Callable[[], tuple[float, float]], outs: list[float]) -> Callable[[], float]:
    """Returns a measurement of the way in, in MB/s; each run adds the way out to `outs`."""

    def run() -> float:
        in_s, out_s = transfer()
        outs.append(LARGE / MEGABYTE / out_s)
        return LARGE / MEGABYTE / in_s

    return run
