"""Faults of the cluster and of jobd: no job is lost, each attempt starts at most once, codes are true, events come once, no Pod is left."""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.kubernetes.places import NAMESPACE, NODE
from tests.kubernetes.conftest import from_pods, pods
from tests.kubernetes.test_jobs import SLOW_S, running, submit
from tests.support.daemon import Daemon, Receiver, until
from tests.support.kubernetes.api_proxy import ApiProxy
from tests.support.kubernetes.cluster import jobds_kubeconfig
from tests.support.kubernetes.kubectl import apply, kubectl, pods_of
from tests.support.kubernetes.losing_proxy import LosingProxy

AWAY_S = 20.0
LONG_S = 400.0


def component(*arguments: str) -> None:
    """Stops or starts a component of the cluster."""
    subprocess.run([sys.executable, "-m", "scripts.kubernetes", *arguments], check=True, timeout=120)


@contextmanager
def away(name: str) -> Iterator[None]:
    """The component is killed, and started again at the end."""
    component("stop", name, "SIGKILL")
    try:
        yield
    finally:
        component("start", name)


def checked(
    daemon: Daemon, receiver: Receiver, expected: dict[str, int], *, may_not_start: bool = False
) -> None:
    """Waits for the jobs' ends and checks codes, starts, events and what is left. `may_not_start`: a start may fail that a fault of the node
    interrupts, and says so.
    """
    for name, code in expected.items():
        view = daemon.ended(name, LONG_S)
        if may_not_start and view.get("reason") == "start-failed":
            assert not receiver.raw(f"/started/{name}"), view
            continue
        assert view.get("exitCode") == code, (view.get("error"), view)
        events = receiver.complete(f"/{name}")
        unique = {event["id"]: event for event in events}
        sequence = [event["jobsequence"] for event in unique.values()]
        assert sequence == list(range(1, len(sequence) + 1))
        kinds = [event["type"].rpartition(".")[2] for event in unique.values()]
        assert [kinds.count(kind) for kind in ("start", "exit", "complete")] == [1, 1, 1]
        starts = [body for _, body in receiver.raw(f"/started/{name}")]
        assert len(starts) == 1, f"{name} ran {len(starts)} times"
    for name in expected:
        assert daemon.jobctl("rm", name).returncode == 0
    until(lambda: not pods(daemon), "no Pod is left", SLOW_S)


def telling(receiver: Receiver, name: str, code: int, runs_s: float) -> str:
    """A command that tells the receiver that it runs, then takes its time."""
    url = from_pods(receiver, f"/started/{name}")
    return f"wget -q -O - --post-data x {url} >/dev/null 2>&1; sleep {runs_s}; exit {code}"


def begin(daemon: Daemon, receiver: Receiver, image: str, name: str, code: int, runs_s: float) -> None:
    submit(
        daemon, name, image, telling(receiver, name, code, runs_s),
        callback={"url": receiver.url(f"/{name}"), "key": "whsec_" + "00" * 24},
        artifacts=[{"id": "w", "type": "write", "in": "x", "out": "f"}] if code % 4 == 0 else [],
    )  # fmt: skip


def test_jobd_is_killed_at_random_over_thirty_jobs(
    make_cluster_daemon: Callable[..., Daemon], image: str, job_id: str, receiver: Receiver
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    daemon = make_cluster_daemon(MAX_CONCURRENT_JOBS="8").start()
    expected = {f"{job_id}-{n}": n % 5 for n in range(30)}
    for name, code in expected.items():
        begin(daemon, receiver, image, name, code, runs_s=chance.uniform(0, 2))
    for _ in range(8):
        time.sleep(chance.uniform(0.3, 4))
        daemon.kill()
        daemon.start()
    checked(daemon, receiver, expected)


@pytest.mark.parametrize("name", ["kubelet", "containerd", "apiserver", "etcd"])
def test_a_component_is_killed_and_away_for_a_while(
    daemon: Daemon, image: str, job_id: str, receiver: Receiver, name: str
) -> None:
    expected = {f"{job_id}-{n}": 3 + n for n in range(4)}
    for number, (job, code) in enumerate(expected.items()):
        begin(daemon, receiver, image, job, code, runs_s=number * 6)
    running(daemon, f"{job_id}-2")
    with away(name):
        time.sleep(AWAY_S)
    checked(daemon, receiver, expected, may_not_start=name in ("kubelet", "containerd"))


def test_the_watch_is_cut_every_second(
    make_cluster_daemon: Callable[..., Daemon], image: str, job_id: str, receiver: Receiver, tmp_path: Path
) -> None:
    stopped = threading.Event()
    with ApiProxy() as proxy:

        def cut() -> None:
            while not stopped.wait(1):
                proxy.cut()

        daemon = make_cluster_daemon(KUBECONFIG=str(jobds_kubeconfig(tmp_path, proxy.port))).start()
        cutting = threading.Thread(target=cut)
        cutting.start()
        try:
            expected = {f"{job_id}-{n}": n for n in range(10)}
            for job, code in expected.items():
                begin(daemon, receiver, image, job, code, runs_s=code % 3)
            for job in expected:
                daemon.ended(job, LONG_S)
        finally:
            stopped.set()
            cutting.join(10)
        checked(daemon, receiver, expected)
        daemon.kill()


@pytest.mark.parametrize(
    "request_line",
    [f"POST /api/v1/namespaces/{NAMESPACE}/pods ", f"PATCH /api/v1/namespaces/{NAMESPACE}/pods/"],
    ids=["create", "change"],
)
def test_the_answer_to_a_request_is_lost(
    make_cluster_daemon: Callable[..., Daemon],
    image: str,
    job_id: str,
    receiver: Receiver,
    tmp_path: Path,
    request_line: str,
) -> None:
    with LosingProxy() as proxy:
        daemon = make_cluster_daemon(KUBECONFIG=str(proxy.kubeconfig(tmp_path))).start()
        proxy.lose(request_line.encode(), 3)
        expected = {f"{job_id}-{n}": n for n in range(5)}
        for job, code in expected.items():
            begin(daemon, receiver, image, job, code, runs_s=0)
        checked(daemon, receiver, expected)
        daemon.kill()


def ended_by(daemon: Daemon, job_id: str) -> dict[str, Any]:
    view = daemon.ended(job_id, LONG_S)
    assert daemon.jobctl("rm", job_id).returncode == 0
    until(lambda: not pods_of(job_id), "no Pod is left", SLOW_S)
    return view


def test_a_pod_that_somebody_deletes_ends_its_job_with_the_reason(
    daemon: Daemon, image: str, job_id: str
) -> None:
    submit(daemon, job_id, image, "trap 'exit 9' TERM; sleep 600 & wait", stopTimeoutSeconds=5)
    running(daemon, job_id)
    kubectl("delete", "pods", "-l", f"job.id={job_id}", "--wait=false")
    view = ended_by(daemon, job_id)
    assert (view["status"], view.get("exitCode")) == ("failed", 9), view


def test_a_pod_that_is_deleted_by_force_is_lost_or_killed(daemon: Daemon, image: str, job_id: str) -> None:
    submit(daemon, job_id, image, "sleep 600", stopTimeoutSeconds=1)
    running(daemon, job_id)
    kubectl("delete", "pods", "-l", f"job.id={job_id}", "--grace-period=0", "--force", "--wait=false")
    kubectl("patch", "pod", _name(job_id), "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    view = ended_by(daemon, job_id)
    assert (view["status"], view["reason"]) in (("failed", "lost"), ("failed", "killed")), view


def test_an_evicted_job_is_repeated(daemon: Daemon, image: str, job_id: str, receiver: Receiver) -> None:
    line = f"[ -e /proc/1/nothing ]; wget -q -O - --post-data x {from_pods(receiver, '/ran')} >/dev/null; sleep 8"
    submit(daemon, job_id, image, line, retries=1, retryOn=["lost"], stopTimeoutSeconds=1)
    running(daemon, job_id)
    until(lambda: receiver.raw("/ran"), "the command runs", SLOW_S)
    metadata = {"name": _name(job_id), "namespace": NAMESPACE}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{metadata['name']}/eviction"
    kubectl("create", "--raw", path, "-f", "-", text=json.dumps(body))
    view = daemon.ended(job_id, LONG_S)
    assert (view["status"], len(view["attempts"])) == ("completed", 2), view
    assert len(receiver.raw("/ran")) == 2


def test_a_job_waits_for_room_in_the_quota(daemon: Daemon, image: str, job_id: str) -> None:
    quota = {"name": "test-quota", "namespace": NAMESPACE}
    apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota, "spec": {"hard": {"pods": "0"}}})
    try:
        time.sleep(2)  # the controller counts
        submit(daemon, job_id, image, "true")
        until(lambda: "quota" in daemon.jobctl("explain", job_id).stdout, "explain names the quota", SLOW_S)
    finally:
        kubectl("delete", "resourcequota", "test-quota")
    assert daemon.ended(job_id, SLOW_S)["status"] == "completed"


def test_the_node_is_deleted_under_a_job(daemon: Daemon, image: str, job_id: str) -> None:
    submit(daemon, job_id, image, "sleep 300", stopTimeoutSeconds=1)
    running(daemon, job_id)
    component("stop", "kubelet", "SIGKILL")
    try:
        kubectl("delete", "node", NODE)
        view = daemon.ended(job_id, LONG_S)
    finally:
        component("start", "kubelet")
        component("up")
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "lost", None), view
    assert daemon.jobctl("rm", job_id).returncode == 0
    until(lambda: not pods_of(job_id), "no Pod is left", SLOW_S)


def _name(job_id: str) -> str:
    return str(pods_of(job_id)[0]["metadata"]["name"])
