"""docs/python.md is true: each example runs as it stands, and passes the type checker."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobctl import client
from tests.support.daemon import DEADLINE_S, Daemon

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_a_hundred_jobs_take_at_most_ten_lines() -> None:
    assert len(EXAMPLES) == 4
    assert "range(100)" in EXAMPLES[0]
    assert len(EXAMPLES[0].splitlines()) <= 10


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, r"(\S+ completed \d+\n){100}"),
        (1, r"done\n\n"),
        (
            2,
            r"1 stdout step 1\n2 stdout step 2\n3 stdout step 3\nstart None\n(log None\n)+exit 0\ncomplete 0\n",
        ),
        (3, r"(\S+ completed\n){10}0\n"),
    ],
)
def test_an_example_runs(
    daemon: Daemon, worker_image: str, tmp_path: Path, number: int, expected: str
) -> None:
    (tmp_path / "words.txt").write_text("to\nbe\nto\n")
    environ = {**os.environ, "JOBCTL_HOST": f"unix://{daemon.socket}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLES[number]],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=5 * DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(expected, done.stdout), done.stdout
    assert done.stderr == ""
    if number == 0:
        assert sorted(int(line.split()[2]) for line in done.stdout.splitlines()) == list(range(100))
    if number == 1:
        assert (tmp_path / "counts.txt").read_text().split() == ["1", "be", "2", "to"]


def test_the_examples_have_the_right_types(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        (tmp_path / f"example_{number}.py").write_text(example)
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from jobctl.client import Client\n"
        'Client().submit("busybox", memroy="2g")\n'
        'Client().submit("busybox", retries="many")\n'
        'Client().submit("busybox").wait("soon")\n'
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", "."],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=8 * DEADLINE_S,
    )
    errors = re.findall(r"^(\S+):(\d+): error", checked.stdout, re.MULTILINE)
    assert errors == [("wrong.py", "2"), ("wrong.py", "3"), ("wrong.py", "4")], checked.stdout


def test_the_page_names_every_public_error_and_method() -> None:
    errors = {
        name
        for name in client.__all__
        if isinstance(value := getattr(client, name), type) and issubclass(value, client.JobctlError)
    }
    assert {name for name in errors if f"`{name}`" not in PAGE} == set()
    for owner, prefix in ((client.Client, "client"), (client.Job, "job")):
        methods = {
            name for name, value in vars(owner).items() if not name.startswith("_") and callable(value)
        }
        assert {name for name in methods - {"close", "version"} if f"{prefix}.{name}(" not in PAGE} == set()
    assert f"now {client.__version__}." in PAGE
