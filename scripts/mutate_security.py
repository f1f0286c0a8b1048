"""Mutation testing of the security tests: removes one defence at a time and expects its test to fail.

    python -m scripts.mutate_security [WORD ...]  only mutations whose names contain one of the words; --list prints all

Works on a copy of the tree with its own sidecar image, so that this tree and the shared image do not change. Needs the engine,
takes minutes, is not part of CI. A mutation whose text is no longer in the code is an error.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.mutations.mutation import SecurityMutation
from scripts.security_mutations import MUTATIONS
from scripts.tree_copy import copy_tree

LIMIT_S = 240
IMAGE = "job-sidecar-mutant:latest"


def run(mutation: SecurityMutation, tree: Path) -> str:
    """Returns the result of the test without this defence: `detected`, or what happened instead."""
    file = tree / mutation.file
    before = file.read_text()
    if before.count(mutation.old) != 1:
        return f"OUT OF DATE: the old text is there {before.count(mutation.old)} times"
    file.write_text(before.replace(mutation.old, mutation.new))
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "--no-header",
                "-p",
                "no:cacheprovider",
                mutation.test,
            ],
            cwd=tree,
            env={**os.environ, "SIDECAR_IMAGE": IMAGE, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return "NO END"
    finally:
        file.write_text(before)
    if done.returncode == 1 and " failed" in done.stdout:
        return "detected"
    if done.returncode == 0:
        return "UNDETECTED"
    return f"pytest ended with {done.returncode}: {done.stdout[-300:]}"


def main() -> int:
    words = sys.argv[1:]
    if words == ["--list"]:
        for mutation in MUTATIONS:
            print(f"{mutation.row:8} {mutation.name}: {mutation.test}")
        return 0
    chosen = [m for m in MUTATIONS if not words or any(word in f"{m.row} {m.name}" for word in words)]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="jobd-mutants-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        for mutation in chosen:
            began = time.monotonic()
            result = run(mutation, tree)
            wrong += result != "detected"
            print(
                f"{mutation.row:8} {mutation.name:62} {result} ({time.monotonic() - began:.0f} s)", flush=True
            )
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)
    print(f"tests detect the removal of {len(chosen) - wrong} of {len(chosen)} defences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
