"""docs/architecture.md is true: its paths exist, every folder has a row, and the places of a change are those that the code has."""

import dataclasses
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec
import pytest

from jobctl.command_table import COMMANDS
from jobd.api.openapi import document
from jobd.api.routes import ROUTES
from jobd.events.delivery.settings import DispatcherSettings
from jobd.settings.config import Config
from jobd.settings.variables import VARIABLES
from jobd.wire.artifact import KINDS, Artifact
from jobd.wire.job import JobSpec
from scripts.manual.output_types import OUTPUTS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PROGRAMS = ("jobd", "jobctl", "sidecar")
READ = (
    *PROGRAMS,
    "scripts/manual",
    "man",
    "completions",
    "docs",
    "deploy",
    "pyproject.toml",
    "tests/contract",
)
"""Where places are looked for: the programs and what is made of them. Other tests name members by chance."""
PROSE = {"docs/architecture.md", "docs/bounds.md"}
JSON_PLACES = {"scripts/manual/output_types.py", "docs/jobctl-output.schema.json"}
FIELDS = {field.name: field.encode_name for field in msgspec.structs.fields(JobSpec)}
SCHEMAS = document(ROUTES, "1.0.0")["components"]["schemas"]


@cache
def page() -> str:
    return (DOCS / "architecture.md").read_text()


@cache
def words() -> dict[str, frozenset[str]]:
    """The words of every file in `READ`, also as quoted strings, as headings of a man page, and as modules of jobd."""
    paths = [path for name in READ for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()]
    found: dict[str, frozenset[str]] = {}
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if name not in PROSE and "__pycache__" not in path.parts:
            text = path.read_text().replace("\\fB", " ")
            special = re.findall(r'"\w+"|^\.SS \w+$|\bjobd\.\w+', text, re.MULTILINE)
            found[name] = frozenset([*re.findall(r"\w+", text), *special])
    return found


def listed(change: str) -> set[str]:
    """The places in bold of one list under "The cost of change"."""
    part = page().partition(f"\n### {change}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    assert part, change
    return {place for bold in re.findall(r"\*\*(.+?)\*\*", part) for place in re.findall(r"`([^`]+)`", bold)}


def named(members: Iterable[str | set[str]]) -> set[str]:
    """The files that name each of these members; a set holds the names of one member."""
    wanted = [{member} if isinstance(member, str) else member for member in members]
    return {name for name, found in words().items() if all(member & found for member in wanted)}


def modules(folder: str, names: Iterable[str]) -> bool:
    return all((ROOT / folder / f"{name}.py").is_file() for name in names)


def test_a_new_artifact_kind() -> None:
    assert set(KINDS.values()) == set(Artifact.__args__)
    places = named({struct.__name__, f'"{kind}"', f".SS {kind}"} for kind, struct in KINDS.items())
    assert modules("sidecar/artifacts", KINDS)
    assert places | {"sidecar/artifacts/<kind>.py"} == listed("A new artifact kind")
    assert all(f'"{kind}"' in json.dumps(SCHEMAS) for kind in KINDS)


def test_a_new_field_of_the_job_spec() -> None:
    places = named({name, encoded} for name, encoded in FIELDS.items())
    assert places == listed("A new field of the job spec")
    assert set(SCHEMAS["JobSpec"]["properties"]) == set(FIELDS.values())


def test_a_field_of_the_job_spec_has_an_effect() -> None:
    """A field is read outside the wire contract, by its name or by a property of the spec."""
    properties = {
        name: set(value.fget.__code__.co_names)
        for name, value in vars(JobSpec).items()
        if isinstance(value, property) and value.fget is not None
    }
    readers = [name for name in words() if name.startswith("jobd/") and not name.startswith("jobd/wire/")]
    read = {word for name in readers for word in re.findall(r"\bspec\.(\w+)", (ROOT / name).read_text())}
    for field in FIELDS:
        assert read & {field, *(name for name, fields in properties.items() if field in fields)}, field


def test_a_new_command_of_jobctl() -> None:
    places = named(COMMANDS)
    assert modules("jobctl/commands", (module.replace(".", "/") for module, _ in COMMANDS.values()))
    assert places - JSON_PLACES | {"jobctl/commands/<folder>/<command>.py"} == listed(
        "A new command of jobctl"
    )
    assert named({output.split()[0] for output in OUTPUTS}) >= JSON_PLACES


def test_a_new_setting() -> None:
    assert named(variable.name for variable in VARIABLES) == listed("A new setting")
    row = (ROOT / "tests/unit/jobd/settings/test_config.py").read_text()
    assert all(f'"{variable.name}"' in row for variable in VARIABLES)


def test_a_setting_has_an_effect() -> None:
    """A field of the settings is read outside `jobd/settings`."""
    readers = [name for name in words() if name.startswith("jobd/") and "settings" not in name]
    read = {word for name in readers for word in re.findall(r"\.(\w+)", (ROOT / name).read_text())}
    fields = {
        field.name for settings in (Config, DispatcherSettings) for field in dataclasses.fields(settings)
    }
    assert fields - read == set()


def test_a_new_engine() -> None:
    places = {name for name in named(["jobd.docker"]) if not name.startswith(("docs/", "jobd/docker/"))}
    assert places == listed("A new engine")


@pytest.mark.parametrize("name", ["architecture.md", "logs.md", "storage.md"])
def test_every_path_of_a_page_exists(name: str) -> None:
    folders = "jobd|jobctl|sidecar|scripts|tests|man|completions|docs|deploy"
    found = re.findall(rf"`((?:{folders})/[\w./-]+)`", (DOCS / name).read_text())
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_every_file_of_a_picture_exists() -> None:
    pictures = re.findall(r"```mermaid\n(.*?)```", page(), re.DOTALL)
    assert len(pictures) == 5
    for file in re.findall(r"[\w/]+\.py", "".join(pictures)):
        found = [path for program in PROGRAMS for path in (ROOT / program).rglob(f"*{Path(file).name}")]
        assert [path for path in found if path.as_posix().endswith(f"/{file}")], file


def test_every_function_beside_a_path_is_in_its_file() -> None:
    found = re.findall(r"`([\w/]+\.py)` \(`(\w+)`\)", page())
    assert found
    for path, name in found:
        assert f"def {name}(" in (ROOT / path).read_text(), (path, name)


def folders_of(cell: str) -> list[str]:
    """The folders that a cell names: `a/b`, and `a/{b,c}` for `a/b` and `a/c`."""
    found = re.findall(r"`([\w/]+)(?:\{([\w,]+)\})?`", cell)
    return [folder + name for folder, names in found for name in names.split(",")]


def test_every_folder_has_a_row() -> None:
    table = page().partition("\n## The folders\n")[2].lstrip().partition("\n\n")[0]
    rows = {folder for line in table.splitlines() for folder in folders_of(line.split("|")[1])}
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for program in PROGRAMS
        for path in (ROOT / program).rglob("*.py")
        if path.name != "__init__.py" and path.parent != ROOT / "jobd"
    }
    assert rows == folders


def test_the_pages_are_short_enough_to_be_read() -> None:
    words = len(re.sub(r"```.*?```", "", page(), flags=re.DOTALL).split())
    assert words <= 3000, "ten minutes"
