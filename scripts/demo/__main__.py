"""`make demo`: runs a job with all kinds of artifacts on public data.

The job downloads and unpacks a year of hourly temperatures, computes averages by month in a container, and reads, archives and
uploads the result, while signed events arrive: once over the HTTP API, once from the command line. The exit code is 0 only if every
result equals Python's own computation and no container or volume remains.
"""

import hashlib
import secrets
import sys
import tempfile
from pathlib import Path

from scripts.daemon import Daemon, DaemonFailed
from scripts.demo.command_line import from_the_command_line
from scripts.demo.data import SHA256, dataset
from scripts.demo.over_http import over_http
from scripts.demo.story import Difference, Story, wait_for


def run(story: Story, jobs: tuple[str, str, str]) -> None:
    """Runs the whole demo.

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
            wait_for(lambda: not jobd.left(), "removal of the containers and volumes")
            story.check(
                not jobd.left(), "no container and no volume of these jobs on the engine", jobd.left()
            )
        except Difference as error:
            raise Difference(f"{error}\n\nthe end of jobd's log:\n{jobd.log_tail()}") from None
    story.check(jobd.process.returncode == 0, "jobd ended in order on SIGTERM", jobd.process.returncode)


def main() -> int:
    story = Story()
    run_id = secrets.token_hex(3)
    try:
        run(story, (f"demo-{run_id}-http", f"demo-{run_id}-files", f"demo-{run_id}-exit"))
    except (Difference, DaemonFailed) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    story.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
