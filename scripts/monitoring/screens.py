"""Pictures of a terminal as SVG: what jobctl shows of a jobd under load."""

import io
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from scripts.transcripts.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = 100, 26
_FONT_FACES = re.compile(r"\s*@font-face \{\{.*?\}\}", re.DOTALL)
_FONTS = re.compile(r"Fira Code,\s*monospace")


@dataclass(frozen=True, slots=True)
class Screen:
    """A picture: the file's name, and the command line. `until`: the text after which the picture is taken, before `keys` are pressed."""

    name: str
    command: str
    until: str = ""
    keys: str = ""


TOP = Screen("top", "jobctl top", until="running", keys="q")
SWEEP = Screen("sweep", "jobctl sweep -d --set shown --priority 5 --each n=1..16 --sh 'sleep 1.{n}' busybox")
PROGRESS = Screen("progress", "jobctl wait shown", until="[#########", keys="C-c")
STATS = Screen("stats", "jobctl stats --since 2m --by group")
SHOWN_STATE = "/run/user/1000/jobd"


class Screens:
    """Takes pictures on one terminal. `address`: where jobctl finds jobd; `folder`: an empty folder."""

    def __init__(self, address: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._state = str(Path(address.removeprefix("unix://")).parent)
        self._terminal = Terminal(COLUMNS, LINES, _environment(address, folder), folder)

    def __enter__(self) -> Self:
        self._terminal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._terminal.__exit__(kind, error, trace)

    def take(self, screen: Screen) -> str:
        """Returns the SVG of a screen."""
        raw = self._terminal.capture(screen.command, until=screen.until, keys=screen.keys)
        return picture(screen.command, raw.replace(self._state, SHOWN_STATE))


def picture(command: str, raw: str) -> str:
    """Returns a screen as SVG, without fonts from the network. Pure."""
    lines = raw.rstrip().splitlines()
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text.from_ansi(f"$ {command}\n" + "\n".join(lines)), no_wrap=True, overflow="crop")
    layout = _FONTS.sub("monospace", _FONT_FACES.sub("", CONSOLE_SVG_FORMAT))
    svg = console.export_svg(title="jobctl", code_format=layout, unique_id="screen")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def _environment(address: str, folder: Path) -> Mapping[str, str]:
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "jobctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m jobctl "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(folder), "LANG": "C.UTF-8",
        "JOBCTL_HOST": address, "TERM": "xterm-256color", "XDG_STATE_HOME": str(folder / "state"),
    }  # fmt: skip
