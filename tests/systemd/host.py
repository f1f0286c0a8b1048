"""A machine with systemd, in a container: started, asked and ended. jobd on it uses the engine of the machine that runs the tests."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from scripts import leftovers
from tests.support.daemon import until
from tests.support.engine.execution import Done, execute
from tests.systemd.host_image import LABEL, START

ENGINE_SOCKET = Path("/var/run/docker.sock")
CALL_S = 120
USERS = {"ann": 1001, "bob": 1002}
"""ann may use the engine, bob may not."""


class Host:
    """The machine. All calls are made as root unless `user` is given."""

    def __init__(self, client: docker.DockerClient, container: Container) -> None:
        self._client = client
        self.container = container

    def call(self, *command: str, user: str = "root", **environ: str) -> Done:
        """Runs a command to its end, with what a login gives the user."""
        home = "/root" if user == "root" else f"/home/{user}"
        given = {
            "HOME": home,
            "USER": user,
            "LANG": "C.UTF-8",
            "PATH": f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        }
        if user != "root":
            given["XDG_RUNTIME_DIR"] = f"/run/user/{USERS[user]}"
        bounded = ["timeout", str(CALL_S), *command]
        return execute(self.container, bounded, user=user, environ={**given, **environ})

    def ok(self, *command: str, user: str = "root", **environ: str) -> str:
        """Runs a command that must succeed, and returns its output."""
        done = self.call(*command, user=user, **environ)
        assert done.code == 0, f"{shlex.join(command)}: {done.code}\n{done.out}\n{done.err}"
        return done.out

    def send(self, signal: str, pid: str) -> None:
        """Sends a signal to a process. The shell does that: the machine has no program `kill`."""
        self.ok("sh", "-c", f"kill -{signal} {pid}")

    def write(self, path: str, text: str, user: str = "root", mode: str = "0644") -> None:
        """Writes a file, and its folders."""
        script = 'install -d "$(dirname "$1")" && printf %s "$2" > "$1" && chmod "$3" "$1"'
        self.ok("sh", "-c", script, "sh", path, text, mode, user=user)

    def copy_in(self, source: Path, folder: str) -> None:
        """Copies a file or a folder into a folder of the machine."""
        import io
        import tarfile

        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            tar.add(source, arcname=source.name, filter=_of_root)
        assert self.container.put_archive(folder, data.getvalue())

    def property(self, name: str, *, user: str | None = None, unit: str = "jobd.service") -> str:
        """Returns a property of a unit; with `user` of that user's."""
        scope = ["--user"] if user else []
        return self.ok(
            "systemctl", *scope, "show", "--value", f"--property={name}", unit, user=user or "root"
        ).strip()

    def journal(self, unit: str = "jobd.service") -> str:
        """Returns the log of a unit."""
        return self.ok("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def jobctl(self, *arguments: str, user: str = "ann") -> Done:
        """Runs jobctl."""
        return self.call("jobctl", *arguments, user=user)

    def status(self, *arguments: str, user: str = "root") -> dict[str, Any]:
        """Returns what `jobctl daemon status --json` says."""
        found: dict[str, Any] = json.loads(
            self.jobctl("daemon", "status", "--json", *arguments, user=user).out
        )
        return found

    def files(self) -> set[str]:
        """Returns all files and folders that a package or an installation might leave, and the lines of the accounts."""
        found = self.call(
            "find", "/etc", "/usr", "/opt", "/var/lib", "/run/jobd", "/home", "/root", "-xdev"
        ).out.split("\n")
        accounts = self.ok("cat", "/etc/passwd", "/etc/group").split("\n")
        return {*found, *accounts}

    def remove(self) -> None:
        """Removes the machine, and what its daemons have left on the engine."""
        instances = self.call(
            "sh", "-c", "cat /var/lib/jobd/instance /home/*/.local/state/jobd/instance"
        ).out.split()
        self.container.remove(force=True, v=True)
        for instance in instances:
            leftovers.remove(self._client.api, instance)
            leftovers.remove_network(self._client.api, instance)


def _of_root(member: Any) -> Any:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


@contextmanager
def booted(client: docker.DockerClient, image: str, settings: Mapping[str, str]) -> Iterator[Host]:
    """Gives a machine whose systemd has started all units. `settings`: variables of every jobd on it.

    The container has the rights that systemd needs to set up control groups and the units' name spaces, and no others: /proc/sys and
    the devices of this machine stay out of its reach.
    """
    container = client.containers.run(
        image,
        ["/bin/sh", "-c", START],
        detach=True,
        cap_add=["SYS_ADMIN"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        cgroupns="private",
        network_mode="none",
        tmpfs={"/run": "exec,mode=755", "/run/lock": "", "/tmp": "exec,mode=1777"},
        volumes={str(ENGINE_SOCKET): {"bind": "/run/docker.sock"}},
        labels={LABEL: "1"},
        stop_signal="SIGRTMIN+3",
        hostname="test-host",
    )
    host = Host(client, container)
    try:
        until(
            lambda: host.call("systemctl", "is-system-running").out.strip() in ("running", "degraded"),
            "systemd has started",
        )
        _furnish(host, settings)
        yield host
    except BaseException:
        if os.environ.get("KEEP_HOST"):
            raise
        host.remove()
        raise
    host.remove()


def _furnish(host: Host, settings: Mapping[str, str]) -> None:
    """Makes the users, and gives the group docker the engine's socket."""
    host.ok("groupadd", "--gid", str(ENGINE_SOCKET.stat().st_gid), "docker")
    for name, uid in USERS.items():
        host.ok("useradd", "--create-home", "--uid", str(uid), "--shell", "/bin/bash", name)
    host.ok("usermod", "-aG", "docker", "ann")
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    host.write("/etc/jobd/environment", text)
    host.write("/home/ann/.config/jobd/environment", text, user="ann")
