"""Line charts as SVG: one picture of all panels of a dashboard. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, GAP, COLUMNS = 320, 190, 12, 3
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 28, 46
COLOURS = ("#2f6fde", "#d1495b", "#2a9d5c", "#c98a00", "#7b4fc9", "#008b9a")
MOST_NAMED = 4
LONGEST_NAME = 22

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name and its points, by time. A value may be no number."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. `unit`: Grafana's name of the unit."""

    title: str
    unit: str
    lines: Sequence[Line]


def dashboard(panels: Sequence[Panel], start: float, end: float) -> str:
    """Returns the charts from `start` to `end`, side by side."""
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP
    drawn = "".join(
        f'<g transform="translate({GAP + n % COLUMNS * (WIDTH + GAP)},{GAP + n // COLUMNS * (HEIGHT + GAP)})">\n'
        f"{_panel(panel, start, end)}</g>\n"
        for n, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="system-ui, sans-serif" font-size="10">\n'
        f'<rect width="{width}" height="{height}" fill="#eef0f3"/>\n{drawn}</svg>\n'
    )


def _panel(panel: Panel, start: float, end: float) -> str:
    finite = [value for line in panel.lines for _, value in line.points if math.isfinite(value)]
    top = max(finite, default=0.0) * 1.1 or 1.0
    inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#fff"/>\n',
        f'<text x="10" y="18" font-size="12" font-weight="600" fill="#222">{escape(panel.title)}</text>\n',
    ]
    for share in (0.0, 0.5, 1.0):
        y = TOP + inner_h * (1 - share)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e6ea"/>\n')
        label = escape(_amount(top * share, panel.unit))
        parts.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end" fill="#777">{label}</text>\n')
    for seconds, anchor in ((0.0, "start"), (end - start, "end")):
        x = LEFT if anchor == "start" else WIDTH - RIGHT
        parts.append(
            f'<text x="{x}" y="{TOP + inner_h + 12}" text-anchor="{anchor}" fill="#777">{seconds:.0f} s</text>\n'
        )
    for n, line in enumerate(panel.lines):
        points = " ".join(
            f"{LEFT + inner_w * (at - start) / (end - start):.1f},{TOP + inner_h * (1 - value / top):.1f}"
            for at, value in line.points
            if math.isfinite(value)
        )
        colour = COLOURS[n % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>\n')
    parts += _legend(panel.lines)
    return "".join(parts)


def _legend(lines: Sequence[Line]) -> list[str]:
    found = []
    for n, line in enumerate(lines[:MOST_NAMED]):
        x, y = 10 + n % 2 * (WIDTH // 2), HEIGHT - 18 + n // 2 * 12
        name = line.name if len(line.name) <= LONGEST_NAME else line.name[: LONGEST_NAME - 1] + "…"
        more = f" +{len(lines) - MOST_NAMED}" if n == MOST_NAMED - 1 and len(lines) > MOST_NAMED else ""
        found.append(f'<rect x="{x}" y="{y - 7}" width="7" height="7" fill="{COLOURS[n % len(COLOURS)]}"/>\n')
        found.append(f'<text x="{x + 11}" y="{y}" fill="#444">{escape(name + more)}</text>\n')
    return found


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / (1 << 20):.0f} MiB" if value >= 1 << 20 else f"{value / 1024:.0f} KiB"
    if unit == "Bps":
        return f"{value / 1024:.1f} KiB/s" if value >= 1024 else f"{value:.0f} B/s"
    suffix = {"s": " s", "percentunit": "", "reqps": "/s"}.get(unit, "")
    text = f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"
    return text + suffix
