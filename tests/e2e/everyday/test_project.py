"""What stands around the programs: typed packages, examples of the manual that work twice, what README tells to install."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from tests.support.daemon import Daemon

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("package", ["jobd", "jobctl", "sidecar"])
def test_a_package_says_that_it_is_typed(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert (Path(spec.origin).parent / "py.typed").is_file()


def test_the_manuals_examples_of_submit_work_twice(daemon: Daemon, worker_image: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(f"image: {worker_image}\ncommand: 'true'\n")
    text = daemon.jobctl("submit", "--help").stdout.partition("Examples:")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("jobctl submit -f")]
    assert lines
    for line in lines:
        for _ in range(2):
            done = daemon.jobctl(*shlex.split(line)[1:], cwd=tmp_path)
            assert done.returncode == 0, done.stderr


def test_the_readme_has_all_steps_of_an_installation() -> None:
    text = (ROOT / "README.md").read_text()
    install = re.split(r"^## ", text.partition("## Install\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for words in (
        "Python 3.11",
        "loginctl enable-linger",
        "jobctl daemon install --system",
        "jobctl daemon start",
        "usermod -aG jobd",
    ):
        assert words in install, words
