"""jobd is killed while it keeps outputs of detached jobs: kept whole, once, and removed with their job."""

from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from tests.support.daemon import Daemon, until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.starts import Starts
from tests.support.invariants import delete

BYTES = 3_000_000
ARCHIVE = r"GET .*/archive\?path=.*big"


@pytest.mark.fast
@pytest.mark.parametrize("fault", ["stall", "cut"])
@pytest.mark.fault(
    row="Crash",
    injection="kill -9 while an output of a detached job is copied into the state folder, or the engine breaks off",
    invariant="copied again, whole; the worker has run once; deleting the job removes all copies",
)
def test_killed_while_an_output_is_kept(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    daemon = behind_proxy().start()
    rule = proxy.on(ARCHIVE, "stall" if fault == "stall" else "cut", 1, keep=1_500_000)
    script = f"head -c {BYTES} /dev/zero | tr '\\0' x > big"
    run = daemon.jobctl(
        "run", "-d", "--name", job_id, "--sh", script, "--out", f"big={tmp_path}/big", worker_image
    )
    assert run.returncode == 0, run.stderr
    until(lambda: rule.hits, "jobd reads the output")
    if fault == "stall":
        daemon.kill()
        rule.lifted.set()
        daemon.start()
    view = daemon.ended(job_id)
    assert (view["status"], view["outputs"][0]["status"]) == ("completed", "kept")
    assert daemon.jobctl("wait", job_id).returncode == 0
    assert (tmp_path / "big").read_bytes() == b"x" * BYTES
    kept = daemon.folder / "state" / "outputs"
    assert [path.suffix for path in kept.iterdir()] == [".tar"]
    delete(docker_client, daemon, job_id)
    until(lambda: not list(kept.iterdir()), "the kept output is removed")
    assert starts.of(job_id) == 1
