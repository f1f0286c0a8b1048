"""Shows that the fault tests can fail: takes away, one at a time, what a row of the matrix depends on, and expects its test to be red.

    python -m scripts.mutate_faults [WORD]      only mutations whose name holds WORD

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
    """Runs the mutations whose names hold all the words; 0 where each one was noticed."""
    unnoticed, green = 0, set[str]()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder) / "tree"
        copy_tree(copy)
        for mutation in MUTATIONS:
            if all(word in mutation.name for word in words):
                verdict = tried(copy, mutation, green)
                unnoticed += verdict != "noticed"
                print(f"{verdict:<12} {mutation.name:<56} {mutation.test}", flush=True)
    return min(unnoticed, 1)


def tried(copy: Path, mutation: Mutation, green: set[str]) -> str:
    """Returns whether the mutation was noticed: the test passes without it and fails with it. `green`: known to pass without."""
    path = copy / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        return "OUT OF DATE"
    if mutation.test not in green:
        if passes(copy, mutation.test) is not True:
            return "RED BEFORE"
        green.add(mutation.test)
    path.write_text(text.replace(mutation.old, mutation.new))
    try:
        return {True: "UNNOTICED", False: "noticed", None: "NOT RUN"}[passes(copy, mutation.test)]
    finally:
        path.write_text(text)


def passes(copy: Path, test: str) -> bool | None:
    """Returns how the test ends in the copy; None where it could not be run, or does not end."""
    where = test if test.startswith("tests/") else f"tests/faults/{test}"
    pytest = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", where]
    try:
        ended = subprocess.run(pytest, cwd=copy, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None  # a test that hangs has noticed nothing
    return {0: True, 1: False}.get(ended.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
