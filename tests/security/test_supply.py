"""The lock file and the bill of materials match the installed packages completely."""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import sbom

LOCK = (sbom.ROOT / "requirements" / "ci.txt").read_text()


def test_every_locked_package_has_hashes_and_nothing_comes_from_elsewhere() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.strip())
    packages = [entry for entry in entries if "==" in entry.splitlines()[0]]
    assert len(packages) > 50
    assert not [entry.splitlines()[0] for entry in packages if "--hash=sha256:" not in entry]
    assert not re.findall(r"^\s*(?:-e|--index-url|--extra-index-url|--find-links|\S+ @)", LOCK, re.MULTILINE)


def test_every_dependency_is_locked_within_its_bounds() -> None:
    locked = dict(sbom.locked_hashes(LOCK).keys())
    project = distribution(sbom.PROJECT)
    for text in project.requires or []:
        wanted = Requirement(text)
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), text


def test_the_bill_of_materials_names_each_package_once_with_its_dependencies() -> None:
    bill = sbom.bill(LOCK)
    refs = [c["bom-ref"] for c in bill["components"]] + [bill["metadata"]["component"]["bom-ref"]]
    assert len(refs) == len(set(refs))
    names = {c["name"] for c in bill["components"]}
    assert {"aiohttp", "docker", "msgspec", "urllib3", "typer"} <= names
    assert not {"pytest", "ruff", "mypy"} & names
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= set(refs)
    assert sbom.bill(LOCK) == bill


def test_ci_installs_the_lock_and_stops_at_a_wrong_file() -> None:
    script = Path(sbom.ROOT / "scripts" / "venv").read_text()
    assert "--require-hashes" in script
    assert script.index("DO NOT MATCH THE HASHES") < script.index("exit 1", script.index("DO NOT MATCH"))
