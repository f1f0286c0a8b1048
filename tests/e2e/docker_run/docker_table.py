"""README's table from `docker run` to `jobctl run`: its rows as command lines."""

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parents[3] / "README.md"
_HEADING = "### From docker run to jobctl run\n"
_ROW = re.compile(
    r"^\| `(?P<docker>.+?)` \| (?:`(?P<jobctl>.+?)`|(?P<word>same|refused)) \| (?P<note>.*?) ?\|$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Row:
    """What follows `docker run --rm` and `jobctl run`. `jobctl` None: jobctl refuses the flags."""

    docker: str
    jobctl: str | None
    note: str


def rows() -> list[Row]:
    """Returns the rows in their order. A line that is no row and no heading is an error."""
    part = README.read_text().partition(_HEADING)[2].partition("\n### ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    found = []
    for line in lines:
        row = _ROW.match(line)
        assert row is not None, line
        docker = row["docker"].replace("\\|", "|")
        jobctl = {"same": docker, "refused": None}.get(
            row["word"] or "", (row["jobctl"] or "").replace("\\|", "|")
        )
        found.append(Row(docker, jobctl, row["note"]))
    return found
