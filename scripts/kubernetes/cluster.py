"""Starts and stops the cluster, gives jobd its account, and copies images into it.

Everything is made in the state folder, on one bridge and under two cgroups, and all of it is removed at the stop.
"""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

from scripts.kubernetes.build import build, program
from scripts.kubernetes.commands import Failed, run, say, succeeds, wait
from scripts.kubernetes.components import COMPONENTS
from scripts.kubernetes.keys import make_keys, write_kubeconfig
from scripts.kubernetes.places import (
    ACCOUNT,
    ADMIN,
    BIN,
    BRIDGE,
    GATEWAY,
    JOBD,
    LOGS,
    MARK,
    NAMESPACE,
    NODE,
    PAUSE_IMAGE,
    PROCESSES,
    SOCKET,
    STATE,
)
from scripts.kubernetes.processes import INIT, explain, pid_of, start, start_namespaces, stop

MANIFESTS = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base"
_CGROUPS = ("kubepods", "k8s.io")


def up() -> None:
    """Starts what does not run, and waits until the node takes Pods."""
    if os.geteuid() != 0:
        raise Failed("the cluster of the tests needs root: its node runs on this machine")
    build()
    if pid_of(INIT) is None:
        down()  # what a crash has left
    for folder in (STATE, LOGS, PROCESSES):
        folder.mkdir(parents=True, exist_ok=True)
    MARK.touch()
    make_keys()
    _make_bridge()
    start_namespaces()
    for name in ("etcd", "containerd", "apiserver"):
        start_component(name)
    wait("containerd", lambda: succeeds(*ctr("version")), lambda: explain("containerd"))
    if PAUSE_IMAGE not in run(*ctr("images", "ls", "-q")).split():
        run(*ctr("images", "import", "-"), data=_pause_image())
    wait(
        "the API server",
        lambda: succeeds(*kubectl("get", "--raw", "/readyz")),
        lambda: explain("etcd", "apiserver"),
    )
    for name in ("controllers", "scheduler", "kubelet"):
        start_component(name)
    wait("the node", _node_is_ready, lambda: explain("kubelet", "containerd", "apiserver"))
    _make_account()


def down() -> None:
    """Ends all processes and removes all state; the cache stays."""
    stop(INIT, signal.SIGKILL)  # the kernel ends every process of the namespaces, containers too
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        run("ip", "link", "del", BRIDGE)
    wait("the removal of cgroups", _remove_cgroups, lambda: "", 20)
    if STATE.exists() and any(STATE.iterdir()):
        if not MARK.exists():
            raise Failed(f"{STATE} was not made here, and stays")
        shutil.rmtree(STATE)


def start_component(name: str) -> None:
    """Starts one component, unless it runs."""
    start(name, COMPONENTS[name]())


def kubectl(*arguments: object) -> list[object]:
    """Returns a command of kubectl as the administrator."""
    return [BIN / "kubectl", "--kubeconfig", ADMIN, *arguments]


def ctr(*arguments: object) -> list[object]:
    """Returns a command of ctr on the node's containerd."""
    return [program("ctr"), "--address", SOCKET, "--namespace", "k8s.io", *arguments]


def load(images: list[str]) -> None:
    """Copies images from the Docker engine to the node."""
    for image in images:
        saving = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
        importing = subprocess.run(
            list(map(str, ctr("images", "import", "-"))),
            stdin=saving.stdout,
            capture_output=True,
            check=False,
        )
        if saving.wait() or importing.returncode:
            raise Failed(f"{image} was not loaded: {importing.stderr.decode('utf-8', 'replace').strip()}")
        say(f"{image} loaded")


def status() -> dict[str, int | None]:
    """Returns the pid of each component on this machine."""
    return {name: pid_of(name) for name in (INIT, *COMPONENTS)}


def _node_is_ready() -> bool:
    question = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    words = list(map(str, kubectl("get", "node", NODE, "-o", question)))
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30).stdout == "True"


def _make_bridge() -> None:
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "addr", "replace", f"{GATEWAY}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")


def _make_account() -> None:
    """Applies what the project ships for jobd's rights, and writes a kubeconfig that has exactly them."""
    run(*kubectl("apply", "-f", MANIFESTS / "rights.yaml"))
    # A Pod is refused until its namespace has this account.
    account = kubectl("get", "serviceaccount", "default", "-n", NAMESPACE)
    wait("the service accounts", lambda: succeeds(*account), lambda: explain("controllers"), 60)
    token = run(*kubectl("create", "token", ACCOUNT, "-n", NAMESPACE, "--duration", "720h")).strip()
    write_kubeconfig(JOBD, {"token": token}, NAMESPACE)


def _remove_cgroups() -> bool:
    """Removes the cgroups of Pods; returns whether none is left."""
    left = False
    for top in (top for name in _CGROUPS for top in Path("/sys/fs/cgroup").glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                left = True
    return not left


def _pause_image() -> bytes:
    """Returns an image of the pause program, as ctr imports it."""
    layer = _tar({"pause": ((BIN / "pause").read_bytes(), 0o755)})
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created_by": "jobd"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    return _tar({name: (content, 0o644) for name, content in files.items()})


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return output.getvalue()
