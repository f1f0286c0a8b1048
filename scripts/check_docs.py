"""Checks that the documents are true: links, tables, commands, versions and words. `make lint` runs it; `--write` renews tables.

Owns what is compared with what. Each check returns its problems as lines that name the file.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from jobctl.lazy import ALIASES, COMMANDS, HELP
from jobd.variables import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "docs" / "configuration.md"
DEPENDENCIES = ROOT / "docs" / "dependencies.md"
BEGIN, END = "<!-- made from jobd/variables.py: make docs -->", "<!-- end -->"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"^([a-z0-9-]+):", re.MULTILINE)
_MAKE = re.compile(r"^(?:\$ )?\s*make ([a-z0-9-]+)|`make ([a-z0-9-]+)", re.MULTILINE)
_JOBCTL = re.compile(r"(?:^|[`$(] ?|\s{4})jobctl ([a-z-]+)\b", re.MULTILINE)
_UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "WI" + "P")) + r")\b")
_SOMEBODYS_PATH = re.compile(r"(?<![\w.:/-])/(?:root|home/[a-z]+|Users/\w+)/")
_TICKET = re.compile(r"(?<![&\w/])#\d{1,6}\b(?!;)")
_TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sh", ".sql", ".service", ".socket", ""}


def documents() -> list[Path]:
    """Returns the Markdown files of the project."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def links() -> Iterator[str]:
    """A relative link leads to a file that exists, its anchor to a heading."""
    for document in documents():
        for target in _LINK.findall(_CODE.sub("", document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / path).resolve() if path else document
            if not file.exists():
                yield f"{_name(document)}: the link {target} leads nowhere"
            elif anchor and anchor not in map(_anchor, _HEADING.findall(file.read_text())):
                yield f"{_name(document)}: {target} has no such heading"


def variables() -> Iterator[str]:
    """The table of variables is the one that the code has."""
    if _table(CONFIGURATION.read_text()) != variable_table():
        yield f"{_name(CONFIGURATION)}: the table of variables is not jobd/variables.py's; run: make docs"


def variable_table() -> str:
    """Returns the table of all settings as Markdown."""
    rows = ["| variable | default | flag | meaning |", "|---|---|---|---|"]
    for variable in VARIABLES:
        default = f"`{variable.default}`" if variable.default else ""
        flag = f"`{variable.flag}`" if variable.flag else ""
        rows.append(f"| `{variable.name}` | {default} | {flag} | {variable.help} |")
    return "\n".join(rows)


def dependencies() -> Iterator[str]:
    """Every dependency has its reason, and no other is named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split(r"[<>=!~;\[ ]", text)[0] for text in declared}
    explained = set(re.findall(r"^\| `([A-Za-z0-9_-]+)`", DEPENDENCIES.read_text(), re.MULTILINE))
    for name in sorted(wanted ^ explained):
        where = "pyproject.toml" if name in explained else _name(DEPENDENCIES)
        yield f"{_name(DEPENDENCIES)}: {name} is not in {where}"


def commands() -> Iterator[str]:
    """Every make target and jobctl command that a document names exists."""
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    for document in documents():
        text = document.read_text()
        for name in {a or b for a, b in _MAKE.findall(text)} - targets:
            yield f"{_name(document)}: there is no `make {name}`"
        for name in set(_JOBCTL.findall(text)) - {*COMMANDS, *ALIASES, HELP}:
            yield f"{_name(document)}: there is no `jobctl {name}`"


def version() -> Iterator[str]:
    """The changelog speaks of the version that pyproject names."""
    current = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if f"## {current}" not in (ROOT / "CHANGELOG.md").read_text():
        yield f"CHANGELOG.md: says nothing of {current}"


def words() -> Iterator[str]:
    """Nothing unfinished, nobody's own paths, no numbers of tickets that a reader cannot look up."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=20)
    for name in listed.stdout.split():
        file = ROOT / name
        if file.suffix not in _TEXT or not file.is_file() or name == "LICENSE":
            continue
        text = file.read_text(errors="replace")
        outside_tests = [] if name.startswith("tests/") else [_SOMEBODYS_PATH]
        for pattern in (_UNFINISHED, *outside_tests, *([_TICKET] if file.suffix == ".md" else [])):
            for match in pattern.finditer(text):
                yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r} does not belong here"


def write_tables() -> None:
    """Puts the current tables into the documents."""
    before, begin, rest = CONFIGURATION.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    CONFIGURATION.write_text(f"{before}{begin}\n{variable_table()}\n{END}{after}")


def problems() -> list[str]:
    """Returns all that is wrong."""
    checks = (links, variables, dependencies, commands, version, words)
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
