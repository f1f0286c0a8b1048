"""Provides the images of demo, tests and benchmarks on the engine.

Pulls missing images from the registry if it responds within seconds, otherwise builds them from this machine's packages (Debian and
Ubuntu). `jobd.docker.images.images` builds the sidecar image on the base image from here.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker
import docker.errors
import requests

from jobd.docker.images.sidecar_context import PYTHON_LABEL
from jobd.jobs.port.errors import EngineError
from scripts.engine_client import connect
from scripts.images.imports import find, import_root
from scripts.images.packages import Failed, build_base, build_worker

WORKER = "busybox:latest"
BASE = "job-sidecar-base"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

STALL_S = 8
"""A registry that does not respond for this long counts as absent."""
PULL_S = 300


def say(message: str) -> None:
    print(f"images: {message}", file=sys.stderr, flush=True)


def pull(client: docker.DockerClient, reference: str) -> str | None:
    """Pulls an image. Returns why that failed, or None."""
    repository, tag = reference.split(":")
    impatient = connect(STALL_S)
    deadline = time.monotonic() + PULL_S
    try:
        for frame in impatient.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in frame:
                return str(frame["error"])
            if time.monotonic() > deadline:
                return f"not done within {PULL_S} s"
    except docker.errors.APIError as error:
        return str(error.explanation or error).rpartition(": ")[2]
    except (requests.RequestException, OSError):
        return f"no answer from a registry within {STALL_S} s"
    finally:
        impatient.close()
    return None if find(client, reference) else "the engine does not have it after the pull"


def ensure_worker(client: docker.DockerClient) -> None:
    if find(client, WORKER):
        return
    why = pull(client, WORKER)
    if why is None:
        say(f"{WORKER} pulled")
        return
    say(f"{WORKER} cannot be pulled ({why}): building it from this machine's packages")
    with tempfile.TemporaryDirectory() as scratch:
        import_root(client, build_worker(Path(scratch)), WORKER, 'CMD ["sh"]')
    say(f"{WORKER} built")


def ensure_base(client: docker.DockerClient) -> None:
    """Provides a base image with this Python's version, so that the sidecar image can use the packages installed here."""
    wanted = f"{BASE}:{HERE}"
    if find(client, wanted):
        return
    python = f"python:{HERE}-slim"
    local = find(client, python)
    why = None if local else pull(client, python)
    if why is None:
        (local or client.images.get(python)).tag(BASE, HERE)
        say(f"{wanted} is {python}")
        return
    if find(client, f"{BASE}:latest"):
        return  # an earlier run has built it, with Debian's Python version
    say(f"{python} cannot be pulled ({why}): building a base from this machine's packages")
    with tempfile.TemporaryDirectory() as scratch:
        path, version = build_base(Path(scratch))
        import_root(client, path, f"{BASE}:{version}", 'CMD ["python3"]', f"LABEL {PYTHON_LABEL}={version}")
    if version != HERE:
        # Debian's Python version differs from that of jobd: jobd finds the image by this tag, and its version by its label.
        client.images.get(f"{BASE}:{version}").tag(BASE, "latest")
    say(f"{BASE}:{version} built")


def build_sidecar() -> int:
    """Runs jobd's build of the sidecar image; prints its messages, but not that the image is up to date."""
    command = [sys.executable, "-m", "jobd.docker.images.images"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = False
        for line in process.stderr or ():
            if said or not line.rstrip().endswith(" is ready"):
                say(line.rstrip())
                said = True
        return process.wait(timeout=10)


def main() -> int:
    try:
        client = connect()
        ensure_worker(client)
        ensure_base(client)
    except Failed as error:
        say(str(error))
        return 1
    except (docker.errors.DockerException, requests.RequestException, EngineError) as error:
        say(f"the engine has refused a request: {error}")
        return 1
    return build_sidecar()


if __name__ == "__main__":
    sys.exit(main())
