"""Generates man pages, completion scripts, schemas, jobctl's table of parameters and the fields of the Python client from the code; with --check, fails if a file differs.

    python -m scripts.generate_docs [--check]

Owns the list of files. `scripts/manual` makes the man pages, `jobctl/completion/shells.py` the completions.
"""

import re
import sys
from pathlib import Path

from jobctl.completion.describe import words
from jobctl.completion.shells import script
from jobctl.completion.words import SHELLS
from scripts.manual.job_file_schema import FILE as JOB_FILE_SCHEMA
from scripts.manual.job_file_schema import job_file_schema
from scripts.manual.job_page import job_page
from scripts.manual.jobctl_page import jobctl_page
from scripts.manual.jobd_page import jobd_page
from scripts.manual.output_schema import FILE as OUTPUT_SCHEMA
from scripts.manual.output_schema import output_schema
from scripts.manual.parameter_table import FILE as PARAMETER_TABLE
from scripts.manual.parameter_table import parameter_table
from scripts.manual.python_fields import FILE as PYTHON_FIELDS
from scripts.manual.python_fields import python_fields

ROOT = Path(__file__).resolve().parent.parent
COMPLETION_FILES = {"bash": "jobctl.bash", "zsh": "_jobctl", "fish": "jobctl.fish"}
_SECOND_BREAK = re.compile(r"(^\.S[HS] .*\n)\.PP\n", re.MULTILINE)


def pages() -> dict[Path, str]:
    """Returns every generated file with its content."""
    made = {Path("completions") / COMPLETION_FILES[shell]: script(shell, words()) for shell in SHELLS}
    for name, page in (("jobctl.1", jobctl_page()), ("jobd.8", jobd_page()), ("job.5", job_page())):
        made[Path("man") / name] = _SECOND_BREAK.sub(r"\1", page)
    made |= {Path(OUTPUT_SCHEMA): output_schema(), Path(PARAMETER_TABLE): parameter_table()}
    return {**made, Path(PYTHON_FIELDS): python_fields(), Path(JOB_FILE_SCHEMA): job_file_schema()}


def main(arguments: list[str]) -> int:
    """Writes the files, or with --check compares them; returns the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__, file=sys.stderr)
        return 2
    drifted = []
    for path, content in pages().items():
        target = ROOT / path
        if target.is_file() and target.read_text(encoding="utf-8") == content:
            continue
        drifted.append(str(path))
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
    if drifted:
        print(("these differ from the code; run make docs: " if check else "written: ") + ", ".join(drifted))
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
