"""Writes `docs/cli`: what each command of jobctl prints on a real terminal and in a pipe. `--check` compares, and writes nothing.

Starts a jobd of its own, and for the commands that change something another one, so that a pipe sees the same jobs as a terminal.
"""

import difflib
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jobd.docker.mapping.labels import ROLES, container_name
from scripts.daemon import ROOT, Daemon
from scripts.engine_client import connect
from scripts.transcripts.pages import NARROW, PIPE, WIDE, index_text, page_normal, page_text
from scripts.transcripts.scenes import FILES, PAGES
from scripts.transcripts.step import Page, Step
from scripts.transcripts.terminal import CommandFailed, Seen, Terminal, in_pipe

CLI = ROOT / "docs" / "cli"
SIZES = {NARROW: (80, 24), WIDE: (120, 40)}
SHOWN_FOLDER = "/tmp/demo"  # noqa: S108 - only shown
SHOWN_STATE = "/run/user/1000/jobd"
SHOWN_RUNTIME, SHOWN_HOME = "/run/user/1000", "~"
QUICK = {"DISPATCHER_MAX_RETRIES": "0", "DISPATCHER_MAX_REQUEUES": "0", "MAX_CONCURRENT_JOBS": "4"}

_NAMES = re.compile(r"--name ([a-z0-9-]+)")

Shown = dict[str, dict[int, dict[str, Seen]]]
"""By page, step and view."""


def main() -> int:
    """Returns 1 with `--check` if a page differs."""
    begun = time.monotonic()
    shown: Shown = {page.name: {} for page in PAGES}
    try:
        _check_names()
        for in_pipes in (False, True):
            _record(in_pipes, shown)
            sys.stderr.write(f"{'pipes' if in_pipes else 'terminals'}: {time.monotonic() - begun:.0f} s\n")
    except CommandFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    texts = {
        "README.md": index_text(),
        **{f"{page.name}.md": page_text(page, shown[page.name]) for page in PAGES},
    }
    changed = [name for name, text in texts.items() if page_normal(text) != page_normal(_stored(name))]
    unknown = [path.name for path in CLI.glob("*.md") if path.name not in texts]
    if "--check" in sys.argv:
        for name in changed:
            before, after = page_normal(_stored(name)).splitlines(), page_normal(texts[name]).splitlines()
            sys.stdout.write(
                "\n".join(difflib.unified_diff(before, after, f"docs/cli/{name}", "now", lineterm="")) + "\n"
            )
        for name in unknown:
            sys.stdout.write(f"docs/cli/{name} is no page of scripts/transcripts\n")
        if changed or unknown:
            sys.stdout.write("docs/cli differs from what jobctl prints; run: make transcripts\n")
        return 1 if changed or unknown else 0
    CLI.mkdir(exist_ok=True)
    for name in changed:
        (CLI / name).write_text(texts[name])
    for name in unknown:
        (CLI / name).unlink()
    sys.stdout.write(f"written: {', '.join(changed) or 'nothing, all pages are up to date'}\n")
    return 0


def _check_names() -> None:
    """Raises CommandFailed if the engine has containers with names of the transcripts' jobs, whose creation the engine would refuse."""
    ids = {found for page in PAGES for step in page.steps for found in _NAMES.findall(step.command)}
    wanted = {container_name(job_id, role) for job_id in ids for role in ROLES}
    found = {one["Names"][0].lstrip("/") for one in connect().api.containers(all=True)}
    if taken := sorted(wanted & found):
        raise CommandFailed(
            f"containers of another jobd have the names of the transcripts' jobs; run: docker rm -f {' '.join(taken)}"
        )


def _stored(name: str) -> str:
    path = CLI / name
    return path.read_text() if path.exists() else ""


def _record(in_pipes: bool, shown: Shown) -> None:
    """Runs all steps of all pages on terminals, or those that change something again in pipes."""
    folder = Path(tempfile.mkdtemp(prefix="transcripts-"))
    try:
        work = folder / "work"
        work.mkdir()
        for name, text in FILES.items():
            (work / name).write_text(text)
        with Daemon(QUICK) as daemon:
            env = _environment(folder, daemon)
            paths = {str(work): SHOWN_FOLDER, str(daemon.folder): SHOWN_STATE}
            paths |= {env["XDG_RUNTIME_DIR"]: SHOWN_RUNTIME, str(folder): SHOWN_HOME}
            with (
                Terminal(*SIZES[NARROW], env, work) as narrow,
                Terminal(*SIZES[WIDE], env, work) as wide,
                _stopped_at_end(env, work),
            ):
                for page in PAGES:
                    own = {**env, **page.environ}
                    for number, step in enumerate(page.steps):
                        views = (
                            _in_pipe(step, own, work)
                            if in_pipes
                            else _on_terminals(step, page, narrow, wide, own, work)
                        )
                        known = shown[page.name].setdefault(number, {})
                        known |= {name: _with_shown_paths(seen, paths) for name, seen in views.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _stopped_at_end(env: Mapping[str, str], work: Path) -> Iterator[None]:
    """Stops a jobd that a step has started in the background, also after a failure."""
    try:
        yield
    finally:
        in_pipe("jobctl daemon stop", env, work)


def _on_terminals(
    step: Step, page: Page, narrow: Terminal, wide: Terminal, env: Mapping[str, str], work: Path
) -> dict[str, Seen]:
    """`env`: the variables of a pipe; the terminals have those of all pages."""
    if step.hidden:
        in_pipe(step.command, env, work)
        return {}

    def on(terminal: Terminal, more: Mapping[str, str]) -> Seen:
        return terminal.run(
            step.command, until=step.until, keys=step.keys, at_end=step.at_end, env={**page.environ, **more}
        )

    views = {NARROW: on(narrow, {})}
    if step.reads:
        views[WIDE] = on(wide, {})
        if not step.until:
            views[PIPE] = in_pipe(step.command, env, work)
    if step.no_color:
        _check_no_color(step, on(narrow, {"NO_COLOR": "1"}), views[NARROW])
    return views


def _in_pipe(step: Step, env: Mapping[str, str], work: Path) -> dict[str, Seen]:
    if step.hidden or step.instead:
        in_pipe(step.instead or step.command, env, work)
    elif not step.reads and not step.until:
        return {PIPE: in_pipe(step.command, env, work)}
    return {}


def _check_no_color(step: Step, plain: Seen, coloured: Seen) -> None:
    if plain.styles:
        raise CommandFailed(f"{step.command} has colours with NO_COLOR: {plain.styles[:3]}")
    if len(plain.text.splitlines()) != len(coloured.text.splitlines()):
        raise CommandFailed(
            f"{step.command} prints another text with NO_COLOR:\n{plain.text}\n{coloured.text}"
        )


def _environment(folder: Path, daemon: Daemon) -> dict[str, str]:
    """Returns the variables of a user whose `jobctl` is this tree's."""
    programs = folder / "bin"
    programs.mkdir()
    (folder / "runtime").mkdir(
        mode=0o700
    )  # without a systemd, which could have a jobd of the user who runs this
    program = programs / "jobctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m jobctl "$@"\n')
    program.chmod(0o755)
    address = re.search(r"http://127\.0\.0\.1:\d+", daemon.log.read_text())
    return {
        "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(folder), "LANG": "C.UTF-8",
        "JOBCTL_HOST": daemon.url, "JOBD_URL": address[0] if address else "", "TERM": "xterm-256color", "XDG_STATE_HOME": str(folder / ".local/state"), "XDG_RUNTIME_DIR": str(folder / "runtime"),
    }  # fmt: skip


def _with_shown_paths(seen: Seen, paths: Mapping[str, str]) -> Seen:
    def shown(text: str) -> str:
        for path, name in paths.items():
            text = text.replace(path, name)
        return text

    return Seen(shown(seen.text), tuple((shown(word), style) for word, style in seen.styles))


if __name__ == "__main__":
    sys.exit(main())
