"""How ended jobs in numbers are printed: sentences, tables, and on a terminal plots."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jobctl.output import drawing, output, plots
from jobctl.output.table import Table
from jobctl.units import parse_time, short_duration

PHASES = ("waiting", "pulling", "inputs", "running", "outputs")
TIMES = Table(("PHASE", "JOBS", "P50", "P90", "P99", "MAX", "SHARE"), ("SHARE", "JOBS"))
GROUP_COLUMNS = ("JOBS", "FAILED", "SUCCESS", "WAIT-P50", "WAIT-P90", "RUN-P50", "RUN-P90", "RUN-P99")
DROPPED = ("RUN-P99", "WAIT-P50", "FAILED", "WAIT-P90")
OTHERS = "(others)"
SHARE_WIDTH = 16
NAME_WIDTH = 8
"""The width of a plot's name."""

Numbers = Mapping[str, Any]


def sentence(found: Numbers) -> str:
    """Returns how many jobs ended, and how."""
    total, since = found["total"], parse_time(found.get("since"))
    until = parse_time(found["until"])
    period = f" in the last {_span(since, until)}" if since and until else ""
    if not total["jobs"]:
        return f"no jobs ended{period}"
    ended = f"{total['jobs']} job{'' if total['jobs'] == 1 else 's'} ended{period}"
    counts = ", ".join(f"{total[status]} {status}" for status in ("completed", "failed", "cancelled"))
    return f"{ended}: {counts}; success {_rate(total)}"


def known(found: Numbers) -> str:
    """Returns what bounds these numbers."""
    kept = short_duration(found["retentionSeconds"])
    text = f"jobd keeps a job's record for {kept} after its end; removed jobs are not counted"
    if found.get("truncated"):
        return f"{text}; only the latest {found['total']['jobs']} jobs are counted, back to {found['oldest']}"
    return text


def over_time(intervals: Sequence[Numbers]) -> str:
    """Returns the plots of the ended and the failed jobs over time."""
    plain = _is_plain()
    width = max(10, shutil.get_terminal_size().columns - NAME_WIDTH - 24)
    ended = plots.joined([sum(_counts(one)) for one in intervals], width)
    failed = plots.joined([one.get("failed", 0) for one in intervals], width)
    most = max(ended, default=0)
    starts = [parse_time(one["start"]) for one in intervals[:2]]
    joined = -(-len(intervals) // max(len(ended), 1))
    each = _span(starts[0], starts[1], joined) if len(starts) == 2 else ""
    rows = [("ended", ended, "", f"  most {most} in {each}"), ("failed", failed, "red", "")]
    return "".join(
        name.ljust(NAME_WIDTH) + _styled(plots.columns(values, most, plain=plain), style) + note + "\n"
        for name, values, style, note in rows
    )


def show_times(total: Numbers) -> None:
    """Prints the percentiles of each phase."""
    all_s = sum(total[phase]["total"] for phase in PHASES if phase in total)
    rows = []
    for phase in PHASES:
        times = total.get(phase)
        if times is not None:
            share = times["total"] / all_s if all_s else 0.0
            shown = [_seconds(times[name]) for name in ("p50", "p90", "p99", "max")]
            rows.append([phase, str(times["jobs"]), *shown, _share(share)])
    drawing.table(TIMES, rows)


def show_groups(by: str, groups: Sequence[Numbers], others: Numbers | None) -> None:
    """Prints a row for each key."""
    rows = [[one["key"], *_row(one)] for one in groups]
    if others:
        rows.append([OTHERS, *_row(others)])
    drawing.table(Table((by.upper(), *GROUP_COLUMNS), DROPPED), rows)


def reasons(counts: Mapping[str, int]) -> str:
    """Returns why jobs failed, the most frequent reason first."""
    return (
        "failed: " + ", ".join(f"{count} {output.printable(name)}" for name, count in counts.items()) + "\n"
    )


def _row(one: Numbers) -> list[str]:
    waiting, running = one.get("waiting"), one.get("running")
    return [
        str(one["jobs"]),
        str(one["failed"]),
        _rate(one),
        *(_seconds(waiting[name]) if waiting else "-" for name in ("p50", "p90")),
        *(_seconds(running[name]) if running else "-" for name in ("p50", "p90", "p99")),
    ]


def _share(share: float) -> str:
    percent = f"{share * 100:.0f}%"
    if not sys.stdout.isatty():
        return percent
    return f"{plots.bar(share, SHARE_WIDTH, plain=_is_plain())} {percent}"


def _rate(numbers: Numbers) -> str:
    rate = numbers.get("successRate")
    # Rounded down: 100% means that no job failed.
    return "-" if rate is None else f"{int(rate * 1000) / 10:g}%"


def _seconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms" if seconds < 1 else short_duration(seconds)


def _span(start: datetime | None, end: datetime | None, times: int = 1) -> str:
    return "-" if start is None or end is None else short_duration((end - start).total_seconds() * times)


def _counts(one: Numbers) -> tuple[int, ...]:
    return tuple(one.get(status, 0) for status in ("completed", "failed", "cancelled"))


def _styled(text: str, style: str) -> str:
    return output.styled(text, style) if style else text


def _is_plain() -> bool:
    return "utf" not in (sys.stdout.encoding or "").lower()
