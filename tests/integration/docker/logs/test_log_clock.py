"""A container's log on the real engine after the engine's clock was set, and after the log file was damaged.

The engine uses the machine's clock, so the tests rewrite the stored times: in files of the driver `json-file`, which are text.
"""

from pathlib import PurePath
from typing import Any

import pytest

from jobd.docker.logs.log_cursors import PositionedLine, positions_after
from jobd.docker.logs.stream_lines import GAP
from jobd.docker.mapping import container_spec
from jobd.jobs.port.errors import LogUnreadable

STEPS = {
    "set back": [0, 0, -3600, -3600, -3600, -3600],
    "set forth": [0, 0, 3600, 3600, 3600, 3600],
    "set forth and back": [0, 3600, 3600, 0, 0, 0],
    "set back and forth": [0, 0, -3600, -3600, 0, 0],
    "set back a little at each line": [0, -1, -2, -3, -4, -5],
}
COMMAND = "; ".join(
    f"echo {n}{' >&2' if n % 3 == 2 else ''}; sleep 0.02" for n in range(len(STEPS["set back"]))
)
# Moves the time of day of entry n by steps[n] seconds; the hour is set to noon first, so that no day begins or ends.
REWRITE = r"""
BEGIN { split(steps, by, ",") }
{
    match($0, /T[0-9:]+\./)
    split(substr($0, RSTART + 1, 8), was, ":")
    s = 43200 + was[2] * 60 + was[3] + by[NR]
    now = sprintf("%02d:%02d:%02d", int(s / 3600), int(s / 60) % 60, s % 60)
    print substr($0, 1, RSTART) now substr($0, RSTART + 9)
}
"""


@pytest.fixture(autouse=True)
def log_files_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_spec, "WORKER_LOG_DRIVER", "json-file")


def edit_log(bench: Any, command: str) -> None:
    """Runs shell commands on the file in which the engine keeps the log of the bench's worker, as `$LOG`."""
    path = PurePath(bench.inspect()["LogPath"])
    bench.client.containers.run(
        "busybox:latest",
        ["sh", "-ec", command],
        environment={"LOG": f"/log/{path.name}"},
        volumes={str(path.parent): {"bind": "/log"}},
        remove=True,
    )


def set_clock(bench: Any, steps: list[int]) -> None:
    """Rewrites the stored times as if the clock was `steps` seconds ahead when each line was printed."""
    numbers = ",".join(map(str, steps))
    edit_log(bench, f"awk -v steps={numbers} '{REWRITE}' $LOG > $LOG.new; cat $LOG.new > $LOG; rm $LOG.new")


def shown(lines: list[PositionedLine]) -> list[tuple[str, str, str | None]]:
    return [(line.stream, line.text, line.gap) for line in lines]


@pytest.mark.parametrize("steps", STEPS.values(), ids=[name.replace(" ", "-") for name in STEPS])
async def test_a_clock_that_is_set_loses_and_repeats_no_line(bench: Any, steps: list[int]) -> None:
    await bench.run(command=COMMAND)
    set_clock(bench, steps)
    whole = await bench.lines()
    assert sorted(line.text for line in whole) == [str(number) for number in range(len(steps))]
    for read in range(len(whole) + 1):
        positions = positions_after({}, whole[:read])
        for follow in (False, True):
            rest = await bench.lines(positions=positions, follow=follow)
            assert shown(rest) == shown(whole[read:]), (read, follow)


@pytest.mark.parametrize("harm", [": > $LOG", "rm $LOG"], ids=["emptied", "deleted"])
async def test_a_log_whose_file_was_harmed_is_marked_or_cannot_be_read(bench: Any, harm: str) -> None:
    await bench.run(command=COMMAND)
    whole = await bench.lines()
    edit_log(bench, harm)
    try:
        rest = await bench.lines(positions=positions_after({}, whole[:3]))
    except LogUnreadable:
        return
    assert rest
    assert all(line.gap == GAP and line.text == "" for line in rest)


async def test_lines_that_were_taken_out_of_a_log_are_marked_where_they_were(bench: Any) -> None:
    await bench.run(command=COMMAND)
    whole = await bench.lines()
    edit_log(bench, "sed -i 1,4d $LOG")
    rest = await bench.lines(positions=positions_after({}, whole[:2]))
    assert shown(rest) == [(line.stream, line.text, GAP) for line in whole[4:]]
