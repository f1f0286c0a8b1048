"""Runs commands on a real terminal of a given size (tmux), and in a pipe; returns what a user sees.

Owns a tmux server of its own, which ends with the block.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

LIMIT_S = 60.0
POLL_S = 0.02
SETTLE_S = 0.1
"""A display is complete this long after its expected text has appeared."""
NAMES = {
    1: "bold",
    2: "dim",
    7: "reverse",
    31: "red",
    32: "green",
    33: "yellow",
    34: "blue",
    35: "magenta",
    36: "cyan",
}
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


class CommandFailed(Exception):
    """A command did not end, or tmux failed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a user sees: the text, and the styles of its words in the order of their appearance."""

    text: str
    styles: tuple[tuple[str, str], ...] = ()


class Terminal:
    """A terminal of `columns` and `lines`. `env`: the variables of the commands; `folder`: where they run."""

    def __init__(self, columns: int, lines: int, env: Mapping[str, str], folder: Path) -> None:
        self._size = (columns, lines)
        self._env = dict(env)
        self._folder = folder
        self._socket = folder / f".tmux-{columns}"
        self._ended = folder / f".ended-{columns}"

    def __enter__(self) -> Self:
        columns, lines = self._size
        self._tmux("new-session", "-d", "-s", "s", "-x", str(columns), "-y", str(lines), "sleep 100000")
        for option, value in (
            ("default-terminal", "xterm-256color"),
            ("status", "off"),
            ("history-limit", "5000"),
        ):
            self._tmux("set-option", "-g", option, value)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server")

    def run(
        self,
        command: str,
        *,
        until: str = "",
        keys: str = "",
        at_end: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> Seen:
        """Returns what a user sees of `capture`."""
        return seen_of(self.capture(command, until=until, keys=keys, at_end=at_end, env=env))

    def capture(
        self,
        command: str,
        *,
        until: str = "",
        keys: str = "",
        at_end: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Runs a shell's command line and returns its screen at the end, with its sequences. `until`: presses `keys` once this text appears, and
        without `at_end` returns the screen of that moment.
        """
        self._ended.unlink(missing_ok=True)
        variables = [f"{name}={value}" for name, value in (env or {}).items()]
        wrapped = f"trap : INT\n{command}\necho $? > {self._ended}\nexec sleep 100000"
        pane = self._tmux(
            "new-window",
            "-P",
            "-F",
            "#{pane_id}",
            "-c",
            str(self._folder),
            "env",
            *variables,
            "sh",
            "-c",
            wrapped,
        ).strip()
        try:
            if until:
                try:
                    self._wait(lambda: until in self._screen(pane), f"{command}: {until!r} does not appear")
                except CommandFailed as error:
                    raise CommandFailed(
                        f"{error}; the screen has:\n{seen_of(self._screen(pane)).text}"
                    ) from None
                time.sleep(SETTLE_S)
                raw = self._screen(pane)
                if keys:
                    self._tmux("send-keys", "-t", pane, keys)
            self._wait(self._ended.exists, f"{command} does not end")
            if not until or at_end:
                raw = self._screen(pane)
        finally:
            self._tmux("kill-pane", "-t", pane)
        return raw

    def _screen(self, pane: str) -> str:
        return self._tmux("capture-pane", "-p", "-e", "-J", "-S", "-", "-t", pane)

    def _wait(self, condition: Callable[[], bool], problem: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > deadline:
                raise CommandFailed(problem)
            time.sleep(POLL_S)

    def _tmux(self, *arguments: str) -> str:
        program = shutil.which("tmux")
        if program is None:
            raise CommandFailed(
                "tmux is not installed; on Debian: apt-get install --no-install-recommends tmux"
            )
        done = subprocess.run(
            [program, "-S", str(self._socket), "-f", os.devnull, *arguments],
            env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        if done.returncode and arguments[0] != "kill-pane":
            raise CommandFailed(f"tmux {arguments[0]}: {done.stderr.strip()}")
        return done.stdout


def in_pipe(command: str, env: Mapping[str, str], folder: Path) -> Seen:
    """Runs a command line whose standard output and standard error are one pipe."""
    done = subprocess.run(
        ["sh", "-c", command],
        env=dict(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    return seen_of(done.stdout)


def seen_of(raw: str) -> Seen:
    """Returns the text without sequences and blanks at the ends, and the styles. Pure."""
    text, style, at = "", "", 0
    styles: list[tuple[str, str]] = []
    joins = False  # whether only blanks of the same line stand before the next words
    for match in [*_SGR.finditer(raw), None]:
        piece = raw[at : match.start() if match else len(raw)]
        text += piece
        if style and piece.strip():
            if joins and styles and styles[-1][1] == style:
                piece = f"{styles.pop()[0]} {piece}"
            styles.append((" ".join(piece.split()), style))
        joins = "\n" not in piece and (bool(style) or (joins and not piece.strip()))
        if match:
            at, style = match.end(), _styled(style, match[1])
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return Seen("\n".join(lines), tuple(dict.fromkeys(styles)))


def _styled(before: str, codes: str) -> str:
    """Returns the style after a sequence."""
    words = before.split()
    for code in map(int, filter(None, (codes or "0").split(";"))):
        if code == 0:
            words = []
        elif code == 39:
            words = [word for word in words if word in ("bold", "dim", "reverse")]
        elif code in NAMES:
            words.append(NAMES[code])
    return " ".join(dict.fromkeys(words))
