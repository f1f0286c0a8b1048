"""Mutation testing of the fault tests: applies one mutation of the code at a time and expects its test to fail.

    python -m scripts.mutate_faults [WORD ...]      only mutations whose names contain all the words

Works on a temporary copy of the tree. Takes minutes and needs the engine; not part of CI.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.fault_mutations import MUTATIONS
from scripts.mutations.mutation import Mutation
from scripts.tree_copy import copy_tree

LIMIT_S = 400


def main(words: list[str]) -> int:
    """Runs the mutations whose names contain all the words; returns 0 if tests have detected all of them."""
    undetected, passing = 0, set[str]()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder) / "tree"
        copy_tree(copy)
        for mutation in MUTATIONS:
            if all(word in mutation.name for word in words):
                result = run(copy, mutation, passing)
                undetected += result != "detected"
                print(f"{result:<14} {mutation.name:<56} {mutation.test}", flush=True)
    return min(undetected, 1)


def run(copy: Path, mutation: Mutation, passing: set[str]) -> str:
    """Returns whether the test detects the mutation: it passes without and fails with it. `passing`: tests known to pass without."""
    path = copy / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        return "OUT OF DATE"
    if mutation.test not in passing:
        if passes(copy, mutation.test) is not True:
            return "FAILS BEFORE"
        passing.add(mutation.test)
    path.write_text(text.replace(mutation.old, mutation.new))
    try:
        return {True: "UNDETECTED", False: "detected", None: "NOT RUN"}[passes(copy, mutation.test)]
    finally:
        path.write_text(text)


def passes(copy: Path, test: str) -> bool | None:
    """Returns whether the test passes in the copy; None where it cannot run or does not end."""
    where = test if test.startswith("tests/") else f"tests/faults/{test}"
    pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", where]
    try:
        ended = subprocess.run(pytest, cwd=copy, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None  # a test that hangs has detected nothing
    return {0: True, 1: False}.get(ended.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
