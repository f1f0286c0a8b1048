"""Checks the documents against the code: links, tables, commands, versions and words. `make lint` runs it; `--write` updates tables.

Each check yields its problems as lines that name the file.
"""

import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from jobctl.command_table import ALIASES, COMMANDS, HELP
from jobd.metrics.deliveries import DeliveryMetrics
from jobd.metrics.metrics import Metrics
from jobd.metrics.queue import QueueMetrics
from jobd.settings.variables import VARIABLES
from jobd.wire.event import SOURCES
from scripts import check_sources

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "docs" / "configuration.md"
DEPENDENCIES = ROOT / "docs" / "dependencies.md"
EVENTS = ROOT / "docs" / "events.md"
METRICS = ROOT / "docs" / "metrics.md"
MISSPELT = ROOT / "docs" / "cli" / "errors.md"
"""Shows what jobctl says to a misspelt command."""
BEGIN, END = "<!-- made from jobd/settings/variables.py: make docs -->", "<!-- end -->"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"^([a-z0-9-]+):", re.MULTILINE)
_MAKE = re.compile(r"^(?:\$ )?\s*make ([a-z0-9-]+)|`make ([a-z0-9-]+)", re.MULTILINE)
_JOBCTL = re.compile(r"(?:^|[`$(] ?|\s{4})jobctl ([a-z-]+)\b", re.MULTILINE)
_UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "WI" + "P")) + r")\b")
_HOME_PATH = re.compile(r"(?<![\w.:/-])/(?:root|home/[a-z]+|Users/\w+)/")
_TICKET = re.compile(r"(?<![&\w/])#\d{1,6}\b(?!;)")
_TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", ".sql", ".service", ".socket", ""}


def documents() -> list[Path]:
    """Returns the Markdown files of the project."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def links() -> Iterator[str]:
    """Every relative link names an existing file, and its anchor an existing heading."""
    for document in documents():
        for target in _LINK.findall(_CODE.sub("", document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            if not file.exists():
                yield f"{_name(document)}: the target of the link {target} does not exist"
            elif anchor and anchor not in map(_anchor, _HEADING.findall(file.read_text())):
                yield f"{_name(document)}: {target} has no such heading"


def variables() -> Iterator[str]:
    """The table of variables matches the code."""
    if _table(CONFIGURATION.read_text()) != variable_table():
        yield f"{_name(CONFIGURATION)}: the table of variables is not jobd/settings/variables.py's; run: make docs"


def variable_table() -> str:
    """Returns the table of all settings as Markdown."""
    rows = ["| variable | default | flag | SIGHUP | meaning |", "|---|---|---|---|---|"]
    for variable in VARIABLES:
        default = f"`{variable.default}`" if variable.default else ""
        flag = f"`{variable.flag}`" if variable.flag else ""
        reloads = "yes" if variable.reloads else ""
        rows.append(f"| `{variable.name}` | {default} | {flag} | {reloads} | {variable.help} |")
    return "\n".join(rows)


def dependencies() -> Iterator[str]:
    """The table of dependencies names every dependency and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split(r"[<>=!~;\[ ]", text)[0] for text in declared}
    explained = set(re.findall(r"^\| `([A-Za-z0-9_-]+)`", DEPENDENCIES.read_text(), re.MULTILINE))
    for name in sorted(wanted ^ explained):
        where = "pyproject.toml" if name in explained else _name(DEPENDENCIES)
        yield f"{_name(DEPENDENCIES)}: {name} is not in {where}"


def event_types() -> Iterator[str]:
    """The table of events has exactly one row for each event type."""
    documented = re.findall(r"^\| `(orchestrator\.[a-z.]+)` \|", EVENTS.read_text(), re.MULTILINE)
    if sorted(documented) != sorted(SOURCES):
        differing = ", ".join(sorted(set(documented) ^ set(SOURCES))) or "a type has two rows"
        yield f"{_name(EVENTS)}: the table of types differs from jobd/wire/event.py: {differing}"


@functools.cache
def event_fields() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Returns for each type in the table of events all fields of its data, and the fields that are always present."""
    found: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for kind, data in re.findall(
        r"^\| `(orchestrator\.[a-z.]+)` \|[^|]*\|([^|]*)\|", EVENTS.read_text(), re.MULTILINE
    ):
        fields = re.findall(r"`(\w+)`(\??)", re.sub(r"\([^)]*\)", "", data))
        always = frozenset(name for name, optional in fields if not optional)
        found[kind] = frozenset(name for name, _ in fields), always
    return found


def metrics() -> Iterator[str]:
    """The table of metrics matches the code's metrics and their labels."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]*)\|", METRICS.read_text(), re.MULTILINE)
    documented = {name: tuple(re.findall(r"`([a-z]+)`", labels)) for name, labels in rows}
    known = metric_labels()
    for name in sorted(known.keys() | documented.keys()):
        if documented.get(name) != known.get(name):
            yield f"{_name(METRICS)}: {name} has the labels {known.get(name)}, not {documented.get(name)}"


def metric_labels() -> dict[str, tuple[str, ...]]:
    """Returns the names of jobd's own metrics, as exposed, with the names of their labels."""
    registry = Metrics().registry
    DeliveryMetrics(registry)
    QueueMetrics(registry, tuple, lambda: 0)
    found: dict[str, tuple[str, ...]] = {}
    for metric in list(registry._collector_to_names):
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if isinstance(metric, Counter) else "")
            found[name] = tuple(metric._labelnames)
    return found


def commands() -> Iterator[str]:
    """Every make target and jobctl command in a document exists."""
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    for document in documents():
        text = document.read_text()
        for name in {a or b for a, b in _MAKE.findall(text)} - targets:
            yield f"{_name(document)}: there is no `make {name}`"
        if document == MISSPELT:
            continue
        for name in set(_JOBCTL.findall(text)) - {*COMMANDS, *ALIASES, HELP}:
            yield f"{_name(document)}: there is no `jobctl {name}`"


def version() -> Iterator[str]:
    """The changelog has a heading for the version in pyproject.toml."""
    current = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if f"## {current}" not in (ROOT / "CHANGELOG.md").read_text():
        yield f"CHANGELOG.md: has no heading for {current}"


def words() -> Iterator[str]:
    """No file contains marks of unfinished work, paths of a home directory, or numbers of tickets."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=20)
    for name in listed.stdout.split():
        file = ROOT / name
        if file.suffix not in _TEXT or not file.is_file() or name == "LICENSE":
            continue
        text = file.read_text(errors="replace")
        outside_tests = [] if name.startswith("tests/") else [_HOME_PATH]
        for pattern in (_UNFINISHED, *outside_tests, *([_TICKET] if file.suffix == ".md" else [])):
            for match in pattern.finditer(text):
                yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r} does not belong here"


def sources() -> Iterator[str]:
    """Readers can open every citation in a docstring."""
    files = [
        file
        for folder in ("jobd", "jobctl", "sidecar", "scripts", "tests", "examples")
        for file in (ROOT / folder).rglob("*.py")
    ]
    # The check's own tests contain invalid citations.
    return check_sources.problems(
        ROOT, [file for file in sorted(files) if file.name != "test_check_sources.py"]
    )


def write_tables() -> None:
    """Writes the current tables into the documents."""
    before, begin, rest = CONFIGURATION.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    CONFIGURATION.write_text(f"{before}{begin}\n{variable_table()}\n{END}{after}")


def problems() -> list[str]:
    """Returns the problems of all checks."""
    checks = (links, variables, event_types, metrics, dependencies, commands, version, words, sources)
    return [problem for check in checks for problem in check()]


def _table(text: str) -> str:
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def main() -> int:
    if "--write" in sys.argv[1:]:
        write_tables()
    found = problems()
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
