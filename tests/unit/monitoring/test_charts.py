"""Charts are well-formed SVG, whatever the series hold; rules become seconds, and nothing else of them changes."""

import math
import re
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.monitoring.charts import Line, Panel, dashboard
from scripts.monitoring.prometheus import ALERTS, queries, scaled
from scripts.monitoring.screens import picture

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(min_value=0, max_value=1e12) | st.just(math.nan) | st.just(math.inf)
LINES = st.lists(
    st.builds(
        Line,
        st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=40),
        st.lists(st.tuples(st.floats(0, 10), VALUES), max_size=5),
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(Panel, st.just("A < B & C"), st.sampled_from(["s", "bytes", "Bps", "reqps", ""]), LINES),
        min_size=1,
        max_size=5,
    )
)
def test_charts_are_well_formed(panels: list[Panel]) -> None:
    root = ET.fromstring(dashboard(panels, 0.0, 10.0))
    assert len(root.findall(f"{SVG}g")) == len(panels)
    assert len(root.findall(f".//{SVG}polyline")) == sum(len(panel.lines) for panel in panels)
    assert "nan" not in "".join(line.get("points", "") for line in root.iter(f"{SVG}polyline"))


def test_a_screen_is_well_formed_and_takes_nothing_from_the_network() -> None:
    svg = picture("jobctl <top>", "\x1b[1mID\x1b[0m  \x1b[36mrunning\x1b[0m\n")
    ET.fromstring(svg)
    assert "running" in svg
    assert re.findall(r"https?://(?!www\.w3\.org)\S+", svg.replace("https://www.textualize.io", "")) == []


def test_scaled_rules_have_seconds_and_the_same_alerts() -> None:
    shipped, quick = ALERTS.read_text(), scaled(ALERTS.read_text())
    assert not re.search(r"\b\d+m\b", quick)
    assert "> 600" not in quick
    assert "> 10000" not in quick
    assert len(quick.splitlines()) == len(shipped.splitlines())
    assert re.findall(r"alert: (\w+)", quick) == re.findall(r"alert: (\w+)", shipped)


def test_every_panel_has_its_queries() -> None:
    assert len(queries()) > 25
