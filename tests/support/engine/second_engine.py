"""A second engine for faults that would disturb other tests: with its own network namespace and folders."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from http.client import HTTPException
from pathlib import Path

import docker

from tests.support.daemon import DEADLINE_S, until
from tests.support.wire import over_unix


class SecondEngine:
    """One dockerd, which `start` starts again on the same data. Needs root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.namespace = f"engine-{uuid.uuid4().hex[:8]}"
        self.process: subprocess.Popen[bytes] | None = None
        self.live_restore = False
        """Whether containers outlive this dockerd; applies from the next `start` on."""
        (self.folder / "config").write_text("{}")
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        subprocess.run(["ip", "-n", self.namespace, "link", "set", "lo", "up"], check=True)

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.url, timeout=60)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{self.namespace}", "dockerd"),
                    *("--data-root", self.folder / "data", "--exec-root", self.folder / "exec"),
                    *(
                        "--pidfile",
                        self.folder / "pid",
                        "--host",
                        self.url,
                        "--config-file",
                        self.folder / "config",
                    ),
                    *("--cgroup-parent", f"/{self.namespace}"),
                    *(("--live-restore",) if self.live_restore else ()),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "the second engine answers")

    def load(self, client: docker.DockerClient, image: str) -> None:
        """Copies an image from another engine."""
        mine = self.client()
        mine.images.load(b"".join(client.images.get(image).save(named=image)))
        mine.close()

    def restart(self, number: signal.Signals) -> None:
        """Ends this dockerd by a signal and starts it again; returns when it answers."""
        self.signal(number)
        self.ended()
        self.start()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to this dockerd alone: `nsenter` has become it."""
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> None:
        """Returns once dockerd has ended, and with it its containerd: the next dockerd would wait for one that is dying."""
        assert self.process is not None
        self.process.wait(DEADLINE_S)
        kept = self.folder / "exec" / "containerd" / "containerd.pid"
        if kept.exists():
            number = kept.read_text().strip()
            until(lambda: _is_dead(number), "the second engine's containerd has ended")
            kept.unlink()

    def in_volume(self, volume: str, path: str) -> Path:
        """Returns where a file of a volume lies on this machine: readable also while no container has the volume."""
        return self.folder / "data" / "volumes" / volume / "_data" / path

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self.ended()
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            # The leftovers of a killed dockerd: its containerd and shims, whose command lines name this folder.
            try:
                if str(self.folder).encode() in entry.read_bytes():
                    os.kill(int(entry.parent.name), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed([m for m in mounts if m.startswith(str(self.folder))]):
            subprocess.run(["umount", "--lazy", mount], check=False)
        for controller in Path("/sys/fs/cgroup").glob(f"*/{self.namespace}"):
            for folder in [*sorted(controller.rglob("*/"), reverse=True), controller]:
                if folder.is_dir():
                    try:
                        folder.rmdir()
                    except OSError:
                        pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        try:
            return over_unix(self.folder / "docker.sock", "GET", "/_ping").status == 200
        except (OSError, HTTPException):
            return False


def _is_dead(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
