"""Shows that the security tests can fail: takes away one defence at a time and expects its test to be red.

    python -m scripts.mutate_security [WORD ...]  only mutations whose name holds one of them; --list names all

Works on a copy of the tree with a sidecar image of its own, so that neither this tree nor the shared image changes. Needs the engine,
takes minutes, is not part of CI. A mutation that no longer fits the code is an error: the list is kept with the code.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.security_mutations import MUTATIONS, Mutation
from scripts.tree_copy import copy_tree

LIMIT_S = 240
IMAGE = "job-sidecar-mutant:latest"


def red(mutation: Mutation, tree: Path) -> str:
    """Returns what came of the test without this defence: `red`, or why that is not shown."""
    file = tree / mutation.file
    before = file.read_text()
    if before.count(mutation.old) != 1:
        return f"does not fit: {before.count(mutation.old)} places"
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
        return "no end"
    finally:
        file.write_text(before)
    if done.returncode == 1 and " failed" in done.stdout:
        return "red"
    return "GREEN" if done.returncode == 0 else f"pytest ended with {done.returncode}: {done.stdout[-300:]}"


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
            result = red(mutation, tree)
            wrong += result != "red"
            print(
                f"{mutation.row:8} {mutation.name:62} {result} ({time.monotonic() - began:.0f} s)", flush=True
            )
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)
    print(f"{len(chosen) - wrong} of {len(chosen)} defences are missed when they are gone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
