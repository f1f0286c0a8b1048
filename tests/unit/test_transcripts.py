"""The transcripts of `docs/cli`: what a terminal shows becomes text, and what varies does not count."""

import pytest

from jobctl.command_table import COMMANDS
from scripts.transcripts.normal import normal
from scripts.transcripts.pages import NARROW, PIPE, WIDE, index_text, page_normal, page_text
from scripts.transcripts.scenes import PAGES
from scripts.transcripts.step import Page, Step
from scripts.transcripts.terminal import Seen, seen_of


def test_colours_become_a_list_and_the_text_is_plain() -> None:
    raw = "\x1b[1mID  STATUS\x1b[0m\nweb  \x1b[32mcompleted\x1b[39m  \nold  \x1b[1;31mFAIL\x1b[0m\n\n\n"
    assert seen_of(raw) == Seen(
        "ID  STATUS\nweb  completed\nold  FAIL",
        (("ID STATUS", "bold"), ("completed", "green"), ("FAIL", "bold red")),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Created:  2030-01-31T08:00:00.123Z (5s ago)", "Created: 2031-02-01T09:10:00Z (12s ago)"),
        ("fetching x  1.5 MiB  512 KiB/s", "fetching x  20.1 MiB  3 B/s"),
        ("listening at 127.0.0.1:4711", "listening at 127.0.0.1:80"),
        ("hello  completed  3s  busybox", "hello   completed   0.4s   busybox"),
    ],
)
def test_times_sizes_and_ports_do_not_count(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"), [("exit code 3", "exit code 4"), ("2 of 3", "1 of 3"), ("train-1", "train-2")]
)
def test_results_count(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_a_view_is_shown_only_where_it_differs() -> None:
    page = Page(
        "x",
        "Title",
        (Step("jobctl ls", "Lists."), Step("hidden", hidden=True), Step("jobctl top")),
    )
    same, wide = Seen("ID  5s", (("ID", "bold"),)), Seen("ID  IMAGE  5s")
    text = page_text(
        page, {0: {NARROW: same, WIDE: wide, PIPE: Seen("ID 12s")}, 2: {NARROW: same, WIDE: same}}
    )
    assert text == (
        "# Title\n\nLists.\n\n```console\n$ jobctl ls\nID  5s\n```\n\nColours: `ID` bold.\n\nOn a terminal of 120 x 40:\n\n"
        "```console\nID  IMAGE  5s\n```\n\n```console\n$ jobctl top\nID  5s\n```\n\nColours: `ID` bold.\n"
    )


def test_screens_that_differ_from_machine_to_machine_do_not_count() -> None:
    one = "# T\n\n```console\n$ jobctl doctor\nok disk a\n```\n\nIn a pipe:\n\n```console\nok disk b\n```\n\n```console\n$ jobctl ls\nID\n```\n"
    assert page_normal(one) == page_normal(one.replace("disk a", "memory").replace("disk b", "cpu"))
    assert page_normal(one) != page_normal(one.replace("\nID\n", "\nNAME\n"))


def test_every_command_has_a_transcript() -> None:
    shown = " ".join(step.command for page in PAGES for step in page.steps if not step.hidden)
    assert [name for name in COMMANDS if f"jobctl {name} " not in f"{shown} "] == []
    assert all(f"({page.name}.md)" in index_text() for page in PAGES)
