"""The main job, end to end, on real public data: `make demo`.

A year of hourly temperatures is downloaded, unpacked, averaged by month in a container, read back, archived and uploaded,
while signed events arrive - once over the HTTP API, once from the command line. Exits with 0 only where every result is
what Python computes from the same file and nothing is left behind.
"""

import hashlib
import secrets
import sys
import tempfile
from pathlib import Path

import docker

from scripts.daemon import Daemon, DaemonFailed
from scripts.demo.command_line import from_the_command_line
from scripts.demo.data import SHA256, dataset
from scripts.demo.over_http import over_http
from scripts.demo.story import Difference, Story, wait_for


def leftovers(engine: docker.DockerClient, jobs: tuple[str, ...]) -> list[str]:
    """Returns the containers and volumes of these jobs that the engine has."""
    found = engine.containers.list(all=True, filters={"label": "job.id"}, ignore_removed=True)
    containers = [str(container.name) for container in found if container.labels.get("job.id") in jobs]
    return containers + [
        v.name for v in engine.volumes.list() if v.name in {f"job-{job}-workspace" for job in jobs}
    ]


def run(story: Story, engine: docker.DockerClient, jobs: tuple[str, str, str]) -> None:
    """Tells the whole story.

    Raises:
        Difference, DaemonFailed: something is not as it must be.
    """
    data = dataset()
    story.section("Real data")
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    size = f"{data.stat().st_size:,} bytes"
    story.check(
        digest == SHA256,
        f"{data.name}: a year of hourly temperatures, NOAA, {size}, sha256 {digest[:12]}...",
        digest,
    )
    with Daemon() as jobd, tempfile.TemporaryDirectory() as folder:
        try:
            story.section(
                "Over HTTP: download, unarchive, write -> awk in a container -> read, list, archive, upload"
            )
            over_http(story, jobd, jobs[0], data)
            story.section("From the command line, with local files")
            from_the_command_line(story, jobd, jobs[1:], data, Path(folder))
            story.section("Nothing is left")
            answers = [jobd.request("DELETE", f"/v1/jobs/{job}")[0] for job in jobs]
            story.check(answers == [204] * len(jobs), "DELETE: 204 for each job", answers)
            wait_for(lambda: not leftovers(engine, jobs), "removal of the containers and volumes")
            story.check(not leftovers(engine, jobs), "no container and no volume of these jobs on the engine")
        except Difference as error:
            raise Difference(f"{error}\n\njobd said last:\n{jobd.last_words()}") from None
    story.check(jobd.process.returncode == 0, "jobd ended in order on SIGTERM", jobd.process.returncode)


def sweep(engine: docker.DockerClient, jobs: tuple[str, ...]) -> None:
    """Removes what a demo that failed has left."""
    for name in leftovers(engine, jobs):
        if name.endswith("-workspace"):
            engine.volumes.get(name).remove(force=True)
        else:
            engine.containers.get(name).remove(force=True, v=True)


def main() -> int:
    story = Story()
    run_id = secrets.token_hex(3)
    jobs = (f"demo-{run_id}-http", f"demo-{run_id}-files", f"demo-{run_id}-exit")
    engine = docker.from_env(timeout=30)
    try:
        run(story, engine, jobs)
    except (Difference, DaemonFailed) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    finally:
        sweep(engine, jobs)
        engine.close()
    story.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
