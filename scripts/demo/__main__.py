"""`make demo`: runs a job with all kinds of artifacts on public data, and a pipeline of three jobs.

The job downloads and unpacks a year of hourly temperatures, computes averages by month in a container, and reads, archives and
uploads the result, while signed events arrive: once over the HTTP API, once from the command line. The pipeline hands the same data from
job to job, and once a job of it fails on purpose. The exit code is 0 only if every result equals Python's own computation and no
container or volume remains.
"""

import hashlib
import secrets
import sys
import tempfile
from pathlib import Path

from scripts.cluster_daemon import daemon_of_engine
from scripts.daemon import DaemonFailed
from scripts.demo.command_line import from_the_command_line
from scripts.demo.data import SHA256, dataset
from scripts.demo.over_http import over_http
from scripts.demo.pipeline import jobs_of, pipelines
from scripts.demo.story import Difference, Story, wait_for


def run(story: Story, jobs: tuple[str, str, str], sets: tuple[str, str]) -> None:
    """Runs the whole demo. `jobs`: the ids of the single jobs; `sets`: those of the two pipelines.

    Raises:
        Difference, DaemonFailed: a check fails.
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
    with daemon_of_engine() as jobd, tempfile.TemporaryDirectory() as folder:
        try:
            story.section(
                "Over HTTP: download, unarchive, write -> awk in a container -> read, list, archive, upload"
            )
            over_http(story, jobd, jobs[0], data)
            story.section("From the command line, with local files")
            from_the_command_line(story, jobd, jobs[1:], data, Path(folder))
            story.section("Download -> clean -> report: files handed from job to job")
            pipelines(story, jobd, *sets, data, Path(folder))
            story.section("Nothing is left")
            made = [*jobs, *(job for set_id in sets for job in jobs_of(set_id))]
            answers = [jobd.request("DELETE", f"/v1/jobs/{job}")[0] for job in made]
            story.check(answers == [204] * len(made), "DELETE: 204 for each job", answers)
            wait_for(lambda: not jobd.left(), "removal of the containers and volumes")
            story.check(
                not jobd.left(), "no container and no volume of these jobs on the engine", jobd.left()
            )
        except Difference as error:
            raise Difference(f"{error}\n\nthe end of jobd's log:\n{jobd.log_tail()}") from None
    story.check(jobd.process.returncode == 0, "jobd ended in order on SIGTERM", jobd.process.returncode)


def main() -> int:
    story = Story()
    name = f"demo-{secrets.token_hex(3)}"
    try:
        run(
            story,
            (f"{name}-http", f"{name}-files", f"{name}-exit"),
            (f"{name}-good", f"{name}-bad"),
        )
    except (Difference, DaemonFailed) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    story.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
