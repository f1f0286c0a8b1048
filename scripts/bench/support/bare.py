"""The same containers without jobd: a plain script on the docker SDK.

The create bodies are jobd's own (`jobd.docker.mapping.container_spec`), network and limits included, so that both sides request the same
work of the engine. Stores nothing, follows nothing, survives no error.
"""

import json
import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import docker

from jobd.docker.mapping import container_spec, labels
from jobd.docker.mapping.container_options import Body
from jobd.docker.mapping.settings import DockerSettings
from jobd.jobs.port.model import JobRef, WorkOrder
from jobd.wire.job import JobSpec
from jobd.wire.report import SUCCEEDED_SIGNAL, SidecarOrder, encode_order
from jobd.wire.validation.job_spec import convert_spec
from scripts import leftovers
from scripts.engine_client import connect

TIMEOUT_S = 60


class Bare:
    """Runs jobs on one engine under an instance name of its own; `sweep` removes all created objects."""

    def __init__(self) -> None:
        self.settings = DockerSettings(instance=f"bench-{uuid.uuid4().hex[:8]}")
        self.local = threading.local()
        self.api.create_network(
            labels.network_name(self.settings.instance),
            options={"com.docker.network.bridge.enable_icc": "false"},
            labels=labels.instance_labels(self.settings.instance),
        )

    @property
    def api(self) -> docker.APIClient:
        """This thread's own client: the SDK's connections are not shared between threads."""
        if not hasattr(self.local, "api"):
            self.local.api = connect(TIMEOUT_S).api
        return cast(docker.APIClient, self.local.api)

    def job(self, tree: dict[str, Any]) -> None:
        """Runs one job without artifacts to its end and reads its log."""
        order = self._order(tree, sidecar=False)
        worker = self._create(order, "worker", container_spec.worker_body(order, self.settings, "bench"))
        self.api.start(worker)
        self._expect_zero(worker)
        self.api.logs(worker)

    def jobs(self, tree: dict[str, Any], count: int, at_once: int) -> None:
        """Runs `count` such jobs, `at_once` at a time."""
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda _: self.job(tree), range(count)))

    def job_with_artifacts(self, tree: dict[str, Any]) -> list[dict[str, Any]]:
        """Runs one job with its sidecar, in the required order, and returns the sidecar's reports."""
        order = self._order(tree, sidecar=True)
        worker = self._create(order, "worker", container_spec.worker_body(order, self.settings, "bench"))
        sidecar = self._create(order, "sidecar", container_spec.sidecar_body(order, self.settings, "bench"))
        params = {"stdin": 1, "stdout": 1, "stderr": 0, "stream": 1}
        attached = self.api.attach_socket(sidecar, params)
        self.api.start(sidecar)
        raw: socket.socket = getattr(attached, "_sock", attached)
        sidecar_order = SidecarOrder(
            job_id=order.ref.id, job_uid=order.ref.uid, artifacts=order.spec.artifacts
        )
        raw.sendall(encode_order(sidecar_order))
        raw.shutdown(socket.SHUT_WR)
        reports: list[dict[str, Any]] = []
        for report in _reports(raw):
            reports.append(report)
            if report["type"] == "ready":
                self.api.start(worker)
                self._expect_zero(worker)
                self.api.kill(sidecar, SUCCEEDED_SIGNAL)
            if report["type"] == "done":
                break
        attached.close()
        self._expect_zero(sidecar)
        self.api.logs(worker)
        return reports

    def sweep(self) -> None:
        """Removes all containers and volumes of this instance."""
        leftovers.remove(self.api, self.settings.instance)

    def close(self) -> None:
        """Removes everything, the network too."""
        self.sweep()
        leftovers.remove_network(self.api, self.settings.instance)

    def _order(self, tree: dict[str, Any], sidecar: bool) -> WorkOrder:
        job: JobSpec = convert_spec({**tree, "id": f"bench-{uuid.uuid4().hex[:12]}"})
        return WorkOrder(ref=JobRef(uid=uuid.uuid4().hex, id=job.id), spec=job, sidecar=sidecar)

    def _create(self, order: WorkOrder, role: str, body: Body) -> str:
        name = f"job-{order.ref.id}-{role}"
        return str(self.api.create_container_from_config(body, name)["Id"])  # type: ignore[no-untyped-call]

    def _expect_zero(self, container: str) -> None:
        code = self.api.wait(container, timeout=TIMEOUT_S)["StatusCode"]
        if code != 0:
            raise RuntimeError(f"a bare container ended with {code}: {self.api.logs(container)[-400:]!r}")


def _reports(raw: socket.socket) -> Iterator[dict[str, Any]]:
    """Yields the JSON lines of an attached stream, which comes in frames of an 8 byte header and a payload."""
    raw.settimeout(TIMEOUT_S)
    stream = raw.makefile("rb")
    text = b""
    while header := stream.read(8):
        text += stream.read(int.from_bytes(header[4:], "big"))
        *lines, text = text.split(b"\n")
        yield from (json.loads(line) for line in lines)
