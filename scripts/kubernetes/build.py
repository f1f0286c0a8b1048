"""Fills the cache: Kubernetes from its Go module, etcd and network plugins from Debian's packages, and a pause program.

The module of Kubernetes replaces its own libraries by folders that the published module lacks. Only the main module's replacements
count, so that a module made here names the published versions of the same libraries.

Source: Go documentation, `replace`.
"""

import json
import os
import re
import shutil
import time
from pathlib import Path

from scripts.kubernetes.commands import Failed, run, say
from scripts.kubernetes.places import BIN, CACHE, DEBIAN, GO, KUBERNETES, LIBRARIES

PROGRAMS = ("kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "kubectl")
_PACKAGES = ("containernetworking-plugins", "etcd-server")
_OPTIONAL = ("containerd", "runc")
_PAUSE = r"""
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void reap(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0); }
static void end(int number) { (void)number; _exit(0); }
int main(void) {
    struct sigaction action = {0};
    action.sa_handler = end; sigaction(SIGINT, &action, 0); sigaction(SIGTERM, &action, 0);
    action.sa_handler = reap; action.sa_flags = SA_NOCLDSTOP; sigaction(SIGCHLD, &action, 0);
    reap(0);
    for (;;) pause();
}
"""


def build() -> None:
    """Builds and unpacks what the cache lacks. The first time takes some six minutes on two idle cores."""
    BIN.mkdir(parents=True, exist_ok=True)
    _unpack_packages()
    _build_pause()
    _build_kubernetes()


def program(name: str) -> str:
    """Returns the path of a program: the machine's own, or the cache's."""
    own = shutil.which(name)
    places = [DEBIAN / folder / name for folder in ("usr/bin", "usr/sbin", "bin", "sbin")]
    found = own or next((str(place) for place in places if place.exists()), None)
    if found is None:
        raise Failed(f"{name} is not here; run: make kubernetes")
    return found


def _unpack_packages() -> None:
    wanted = [*_PACKAGES, *(name for name in _OPTIONAL if shutil.which(name) is None)]
    marker = DEBIAN / f".{'-'.join(wanted)}"
    if marker.exists():
        return
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Failed(f"{tool} is not here: the cluster of the tests needs Debian or Ubuntu")
    say(f"unpacking {', '.join(wanted)}")
    folder = CACHE / "packages"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        run("apt-get", "-q", "download", *wanted, folder=folder)
    except Failed:
        run("apt-get", "-q", "update")
        run("apt-get", "-q", "download", *wanted, folder=folder)
    for package in folder.glob("*.deb"):
        run("dpkg-deb", "-x", package, DEBIAN)
    shutil.rmtree(folder)
    marker.touch()


def _build_pause() -> None:
    if (BIN / "pause").exists():
        return
    new = BIN / "pause.new"
    run("gcc", "-Os", "-static", "-s", "-x", "c", "-o", new, "-", data=_PAUSE.encode())
    new.rename(BIN / "pause")


def _build_kubernetes() -> None:
    missing = [name for name in PROGRAMS if not (BIN / name).exists()]
    if not missing:
        return
    if shutil.which("go") is None:
        raise Failed(f"Go {GO} or newer is not here: the cluster of the tests is built from Go modules")
    folder = CACHE / "build"
    folder.mkdir(parents=True, exist_ok=True)
    environ = {
        **os.environ,
        "GOMODCACHE": str(CACHE / "go-modules"),
        "GOCACHE": str(CACHE / "go-build"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod",
        "CGO_ENABLED": "0",
    }
    _write_module(folder, environ)
    for name in missing:
        began = time.monotonic()
        new = BIN / f"{name}.new"
        command = [
            "go",
            "build",
            "-p",
            "2",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags",
            _link_flags(),
            "-o",
            new,
        ]
        run("nice", "-n", "19", *command, f"k8s.io/kubernetes/cmd/{name}", folder=folder, environ=environ)
        new.rename(BIN / name)
        say(f"{name} built in {time.monotonic() - began:.0f} s")
    if not os.environ.get("JOBD_KUBERNETES_KEEP_GO"):
        # Some 4 GB, which only another build needs.
        run("go", "clean", "-modcache", "-cache", folder=folder, environ=environ)


def _write_module(folder: Path, environ: dict[str, str]) -> None:
    module = folder / "go.mod"
    module.write_text(f"module cluster\n\ngo {GO}\n")
    answer = run(
        "go", "mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}", folder=folder, environ=environ
    )
    source = Path(json.loads(answer)["Dir"])
    libraries = re.findall(r"^\t(\S+) => \./staging/", (source / "go.mod").read_text(), re.MULTILINE)
    lines = [
        f"module cluster\n\ngo {GO}\n\ngodebug default=go1.24\n\nrequire k8s.io/kubernetes {KUBERNETES}\n\nreplace ("
    ]
    lines += [f"\t{library} => {library} {LIBRARIES}" for library in libraries]
    module.write_text("\n".join([*lines, ")\n"]))
    sums = folder / "go.sum"
    shutil.copyfile(source / "go.sum", sums)
    sums.chmod(0o644)


def _link_flags() -> str:
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    marks = [f"-X {package}.{name}={value}" for package in packages for name, value in values.items()]
    return " ".join(["-s", "-w", *marks])
