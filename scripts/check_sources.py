"""Checks that every `Source:` in a docstring cites a published specification or a file of this repository.

Semicolons separate the citations of a paragraph. A citation of a file is its path, and optionally one of its headings in quotes.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PUBLISHED = re.compile(
    r"""
    RFC\ \d+ | POSIX\.1-2017 | ECMA-48 | XTerm\ Control\ Sequences | Fetch\ Metadata\ Request\ Headers\ \(W3C\) | IANA\ IPv[46]
    | \b[a-z_]\w*\([1-8]\)                                    # a manual page of Linux or systemd
    | Kubernetes\ API\ v1,\ [A-Z] | Kubernetes\ documentation,\ "
    | Docker\ Engine\ API,\ [\w"] | Docker\ Registry\ HTTP\ API\ V2 | docker\ docs,\ "
    | Unicode\ Standard\ Annex\ \d+ | JSON\ Schema\ 2020-12 | CloudEvents\ 1\.0\.2 | Standard\ Webhooks\ 1\.0 | OpenAPI\ Specification\ 3 | package\ URL\ specification
    | W3C\ Trace\ Context\ Level\ [12] | OpenTelemetry\ Specification\ 1 | SQLite\ documentation,\ | PKWARE\ APPNOTE | GNU\ tar\ manual | AWS\ Architecture\ Blog
    | (?:Python|Go)\ documentation,\ ` | httptools,\ `
    """,
    re.VERBOSE,
)
"""The known publications. To cite another one, add it here, with its version."""
_PAGE = re.compile(
    r"\b((?:docs|man|jobd|jobctl|sidecar|examples)/[\w./-]+\.(?:md|py|sql|yaml|json|[158]))(?:, \"([^\"]+)\")?"
)
_HEADING = re.compile(r"^(?:#+\s+|\.S[HS] )(.*)$", re.MULTILINE)
_SOURCE = re.compile(r"\bSource:\s(.*?)(?:\n\s*\n|\Z)", re.DOTALL)


def citations(text: str) -> list[str]:
    """Returns the citations of a docstring, each on one line."""
    found = (re.sub(r"\s+", " ", match) for match in _SOURCE.findall(text))
    return [one.strip().rstrip(".") for paragraph in found for one in paragraph.split(";")]


def problem(citation: str, root: Path) -> str | None:
    """Returns why a reader cannot open the citation, None where a reader can."""
    pages = _PAGE.findall(citation)
    for path, heading in pages:
        if not (root / path).is_file():
            return f"there is no {path}"
        if heading and heading not in _HEADING.findall((root / path).read_text()):
            return f'{path} has no heading "{heading}"'
    if pages or PUBLISHED.search(citation):
        return None
    return "neither a published specification nor a page of this repository"


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yields the docstrings of modules, classes, functions and constants, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value


def problems(root: Path, files: list[Path]) -> Iterator[str]:
    """Yields the invalid citations in these Python files."""
    for file in files:
        text = file.read_text()
        if "Source: " not in text:
            continue
        for line, docstring in docstrings(text):
            for citation in citations(docstring):
                if why := problem(citation, root):
                    yield f"{file.relative_to(root).as_posix()}:{line}: Source: {citation}: {why}"
