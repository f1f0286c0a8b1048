"""`jobctl doctor` shows what jobd keeps: its database, uploads, and its own containers and volumes with their sizes."""

import json
import re
from collections.abc import Callable

import pytest

from tests.support.daemon import Daemon, until

pytestmark = pytest.mark.takes("disk usage")  # the engine refuses to measure it twice at once

MB = 1 << 20


def found(daemon: Daemon) -> dict[str, str]:
    """What `jobctl doctor` says, by the name of the check; all must be well."""
    done = daemon.jobctl("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {check["name"]: check["found"] for check in json.loads(done.stdout)["checks"]}


def mib(text: str) -> float:
    size = re.search(r"([\d.]+) MiB", text)
    return float(size[1]) if size else 0.0


def test_doctor_shows_the_disk_use(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    before = found(daemon)
    assert before["containers"] == before["volumes"] == "0, 0 B"
    assert before["uploads"] == "0, 0 B"
    assert str(daemon.folder / "state") in before["database"]
    assert not before["database"].startswith("0 B")
    assert "free in" in before["disk"]
    write = "dd if=/dev/zero of=kept bs=1M count=5; dd if=/dev/zero of=/tmp/beside bs=1M count=3"
    daemon.submit(id=job_id, image=worker_image, command=write)
    assert daemon.ended(job_id)["status"] == "completed"
    after = found(daemon)
    assert after["volumes"].startswith("1, ")
    assert 5 <= mib(after["volumes"]) < 6
    assert after["containers"].startswith("1, ")
    assert 3 <= mib(after["containers"]) < 4
    daemon.call("DELETE", f"/v1/jobs/{job_id}")
    until(lambda: found(daemon)["volumes"] == "0, 0 B", "the volume is gone")
    text = daemon.jobctl("doctor").stdout
    for name in ("database", "uploads", "containers", "volumes"):
        assert re.search(rf"^ok +{name} ", text, re.MULTILINE), text
