"""Globs beside Go's `path/filepath.Match`, by which the Go service leaves names out."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from jobd.wire.files.globs import glob_of

PAIRS = 20_000
PROGRAM = """
package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

func main() {
	var pairs [][2]string
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		panic(err)
	}
	answers := make([]string, len(pairs))
	for i, pair := range pairs {
		matched, err := filepath.Match(pair[0], pair[1])
		base, _ := filepath.Match(pair[0], filepath.Base(pair[1]))
		switch {
		case err != nil:
			answers[i] = "bad"
		case matched || base:
			answers[i] = "yes"
		default:
			answers[i] = "no"
		}
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}
"""


def test_fields_that_go_omits_are_absent(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go here")
    (tmp_path / "main.go").write_text(PROGRAM)
    (tmp_path / "go.mod").write_text("module globs\n\ngo 1.19\n")
    program = tmp_path / "program"
    subprocess.run([go, "build", "-o", program, "."], cwd=tmp_path, check=True, timeout=300)
    draw = random.Random(7)
    pairs: list[tuple[str, str]] = []
    for _ in range(PAIRS):
        pieces = draw.choices(["a", "b", ".", "é", "/", "*", "**", "?", "[ab]", "[^a/]", "[a-c]", "\\*"], k=5)
        names = ["".join(draw.choices("ab*.é", k=draw.randint(1, 3))) for _ in range(draw.randint(1, 3))]
        if not {".", ".."} & set(names):
            pairs.append(("".join(pieces[: draw.randint(1, 5)]), "/".join(names)))
    done = subprocess.run(
        [program], input=json.dumps(pairs).encode(), capture_output=True, check=True, timeout=60
    )
    answers = json.loads(done.stdout)
    assert len(set(answers)) >= 2
    for (pattern, path), answer in zip(pairs, answers, strict=True):
        try:
            glob = glob_of(pattern)
        except ValueError:
            # What is refused here leaves nothing out there, since no path has such a part.
            assert answer == "no", (pattern, path)
            continue
        if glob.folders_alone:
            assert answer == "no", (pattern, path)
        else:
            assert glob.matches(path, is_folder=False) == (answer == "yes"), (pattern, path)
