"""The JSON Schema of job files says what the parser of job files says, where JSON Schema can."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobctl.errors import Misuse
from jobctl.job.spec import job_fields, job_file
from jobctl.job.spec.file_check import check_file
from jobd.wire.container import ULIMITS
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.job import CAPABILITIES, RETRY_REASONS
from jobd.wire.job_file_schema import job_file_schema
from jobd.wire.validation import limits
from scripts.manual import job_file_rules as rules

ROOT = Path(__file__).resolve().parents[5]
Tree = dict[str, Any]


@cache
def schema() -> Any:
    return jsonschema_rs.validator_for(json.loads(job_file_schema()))


def says(tree: Tree) -> tuple[bool, bool]:
    """Whether the schema and the parser take a file."""
    try:
        parsed = not check_file(job_file.parse(json.dumps(tree), "job.json")).problems
    except Misuse:
        parsed = False
    return bool(schema().is_valid(tree)), parsed


words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
maps = st.dictionaries(words, texts, max_size=3)
pairs = st.lists(st.tuples(words, texts).map("=".join), max_size=2, unique_by=lambda pair: pair.split("=")[0])
named = st.one_of(maps, pairs, st.none())
sizes = st.one_of(
    st.integers(6, 9999),
    st.just(0),
    st.from_regex(r"[1-9][0-9]{1,3}(m|g|M|MiB|mb)", fullmatch=True),
    st.none(),
)
durations = st.one_of(
    st.integers(0, 3600),
    st.from_regex(r"([1-9]d)?[1-9][0-9]?h[1-9]m[1-9]s|[1-9][0-9]?|[1-3]w", fullmatch=True),
)
dependencies = st.one_of(
    words, st.tuples(words, st.sampled_from([":any", ":failed", ":completed"])).map("".join),
    st.builds(lambda job, on: {"job": job, "on": on}, words, st.sampled_from(["any", "failed"])),
)  # fmt: skip
artifacts = st.one_of(
    st.builds(lambda path: {"type": "read", "in": path, "depends": "job"}, words),
    st.builds(lambda path, text: {"type": "write", "in": text, "out": path, "mode": "0644"}, words, texts),
    st.builds(
        lambda path: {"type": "download", "in": f"https://x/{path}", "out": path, "maxBytes": 5}, words
    ),
    st.builds(
        lambda path: {"type": "archive", "in": path, "out": "a", "depends": "job", "when": "always"}, words
    ),
    st.builds(lambda path: {"type": "list", "in": path, "excludes": ["*.o"], "recursive": False}, words),
    st.builds(lambda job: {"type": "job", "job": job, "in": ".", "out": "d"}, words),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": words, "meta": named, "command": st.one_of(texts, st.lists(texts, min_size=1, max_size=3)), "environment": named,
    "cpu": st.one_of(st.just(0), st.floats(0.01, 64)), "memory": sizes, "timeoutSeconds": durations, "pids": st.integers(0, 99),
    "workspace": st.sampled_from(["", "/w", "/w/x", None]), "labels": named, "user": st.sampled_from(["me", "1:1", "nobody", None]),
    "pull": st.sampled_from(["missing", "always", "never", None]), "platform": st.sampled_from(["linux/amd64", None]),
    "runtime": words, "readOnly": st.booleans(), "capDrop": st.lists(st.sampled_from(["ALL", *sorted(CAPABILITIES)]), max_size=3),
    "capAdd": st.lists(st.sampled_from(sorted(CAPABILITIES)), max_size=3), "secrets": st.dictionaries(words, texts, max_size=2),
    "retries": st.integers(0, 10), "priority": st.integers(-100, 100), "group": st.one_of(words, st.just("")),
    "retryOn": st.lists(st.one_of(st.integers(1, 255), st.sampled_from(sorted(RETRY_REASONS))), max_size=3),
    "set": st.one_of(words, st.just("")), "gpus": st.one_of(st.integers(0, 64), st.just("all")), "init": st.booleans(),
    "after": st.lists(dependencies, max_size=2, unique_by=lambda one: str(one if isinstance(one, str) else one["job"]).split(":")[0]),
    "stopSignal": st.sampled_from(["SIGINT", "int", "TERM", "15", "sigusr1"]), "stopTimeoutSeconds": durations, "shmSize": sizes,
    "tmpfs": st.sampled_from([{"/t": ""}, {"/t": "size=64m,ro"}, ["/t:mode=1777"], ["/t"]]),
    "hostname": st.sampled_from(["h", "a.b", ""]), "network": st.sampled_from(["none", "bridge", "n", ""]),
    "extraHosts": st.sampled_from([["a:1.2.3.4"], ["b=::1"], ["c:host-gateway"]]), "dns": st.just(["1.1.1.1"]),
    "ulimits": st.builds(lambda name: [f"{name}=1:2", {"name": name, "soft": 1, "hard": 1}][:1], st.sampled_from(sorted(ULIMITS))),
    "outputs": st.lists(st.builds(lambda path: {"path": path}, words), max_size=2, unique_by=lambda one: str(one["path"])),
    "callback": st.sampled_from(["http://x/", {"url": "https://x/", "events": ["orchestrator.job.exit"], "key": "k"}, None]),
    "artifacts": st.lists(artifacts, max_size=3).map(lambda found: [{"id": f"a{n}", **one} for n, one in enumerate(found)]),
    "mounts": st.sampled_from([["/a:/b:ro"], ["./a:/b"], [{"source": "/a", "target": "/b", "readOnly": True}]]),
    "ports": st.sampled_from([["8080:80"], ["0.0.0.0:8080:80/udp", {"containerPort": 1, "hostPort": 1024}]]),
    "devices": st.sampled_from([["/dev/fuse"], ["/dev/fuse:/dev/x:rw"], [{"source": "/dev/a", "target": "/dev/b", "permissions": "r"}]]),
}  # fmt: skip


@st.composite
def jobs(draw: st.DrawFn) -> Tree:
    chosen = draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=6))
    tree: Tree = {"image": draw(st.sampled_from(["busybox", "r:5000/team/tool:1.2", f"a@sha256:{'0' * 64}"]))}
    for field in chosen:
        names = [field, *(flag for flag, name in FLAG_NAMES.items() if name == field)]
        tree[draw(st.sampled_from(names))] = draw(FIELDS[field])
    return tree


def test_what_the_parser_takes_is_valid() -> None:
    taken: list[bool] = []

    @given(job=jobs())
    def check(job: Tree) -> None:
        valid, parsed = says(job)
        assert valid or not parsed
        taken.append(parsed)

    check()
    assert sum(taken) > len(taken) / 2


def test_several_jobs_that_the_parser_takes_are_valid() -> None:
    taken: list[bool] = []

    @given(entries=st.dictionaries(words, jobs(), min_size=1, max_size=3), matrix=st.booleans())
    def check(entries: dict[str, Tree], matrix: bool) -> None:
        valid, parsed = says(several(entries, matrix))
        assert valid or not parsed
        taken.append(parsed)

    check()
    assert sum(taken) > len(taken) / 4


def several(entries: dict[str, Tree], matrix: bool) -> Tree:
    """A file with these jobs: the further ones come after the first, which may have a matrix."""
    own = {"id", "name", "set", "after"}
    for number, job in enumerate(entries.values()):
        for field in own & job.keys():
            del job[field]
        if number:
            job["after"] = [f"{next(iter(entries))}:any"] if matrix else next(iter(entries))
        elif matrix:
            job |= {"matrix": {"n": [1, "two", True], "m": "1..3"}, "labels": {"n": "{n}"}, "timeout": "{m}m"}
            job.pop("label", None)
            job.pop("timeoutSeconds", None)
    return {"jobs": entries, "set": "s", "x-y": {"any": ["thing"]}}


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"image": "busybox", "memroy": "2g"},
        {"image": "busy box"},
        {"image": 7},
        {"image": "b", "id": "a b"},
        {"image": "b", "id": "x" * (limits.MAX_ID + 1)},
        {"image": "b", "memory": "2"},
        {"image": "b", "memory": 5},
        {"image": "b", "cpu": -1},
        {"image": "b", "timeout": "2x"},
        {"image": "b", "timeout": -1},
        {"image": "b", "env": {"A": "1"}, "environment": {"A": "1"}},
        {"image": "b", "env": {"A": 1}},
        {"image": "b", "env": ["A"]},
        {"image": "b", "command": 7},
        {"image": "b", "entrypoint": []},
        {"image": "b", "retries": 11},
        {"image": "b", "retryOn": ["never"]},
        {"image": "b", "retryOn": [0]},
        {"image": "b", "pull": "sometimes"},
        {"image": "b", "capAdd": ["CAP_CHOWN"]},
        {"image": "b", "capAdd": ["ALL"]},
        {"image": "b", "readOnly": "yes"},
        {"image": "b", "workspace": "w"},
        {"image": "b", "network": "host"},
        {"image": "b", "stopSignal": "SIGSTOP"},
        {"image": "b", "user": "a b"},
        {"image": "b", "callback": "ftp://x"},
        {"image": "b", "callback": {"url": "http://x/", "events": ["exit"]}},
        {"image": "b", "after": ["x:never"]},
        {"image": "b", "after": [{"job": "x", "when": "any"}]},
        {"image": "b", "ports": ["80"]},
        {"image": "b", "ports": [{"containerPort": 1, "hostPort": 80}]},
        {"image": "b", "mounts": ["data:/x"]},
        {"image": "b", "ulimits": ["nofile"]},
        {"image": "b", "ulimits": [{"name": "nice", "soft": 1, "hard": 1}]},
        {"image": "b", "devices": [{"source": "/etc/x", "target": "/dev/x"}]},
        {"image": "b", "outputs": [{"path": "/x"}]},
        {"image": "b", "outputs": [{"path": "x"}] * (limits.MAX_OUTPUTS + 1)},
        {"image": "b", "artifacts": [{"id": "a", "type": "wrote"}]},
        {"image": "b", "artifacts": [{"id": "a", "type": "write", "in": "x"}]},
        {"image": "b", "artifacts": [{"id": "a", "type": "write", "in": "x", "out": "y", "mode": "9"}]},
        {"image": "b", "artifacts": [{"id": "a", "type": "download", "in": "x", "out": "y"}]},
        {"image": "b", "matrix": {}},
        {"image": "b", "matrix": {"n": []}, "command": "{n}"},
        {"image": "b", "matrix": {"set": [1]}, "command": "{set}"},
        {"jobs": {}},
        {"jobs": {"a": {"image": "b", "id": "x"}}},
        {"jobs": {"a b": {"image": "b"}}},
        {"jobs": {"a": {"image": "b"}}, "image": "b"},
        {"jobs": {"a": {"image": "b", "memory": "2"}}},
        {"jobs": {"a": {"image": "b", "after": [7]}}},
    ],
    ids=lambda tree: json.dumps(tree)[:60],
)
def test_a_wrong_file_fails_both_ways(tree: Tree) -> None:
    assert says(tree) == (False, False)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*.[yj][as][mo][ln]")), ids=lambda path: path.name
)
def test_an_example_is_valid(path: Path) -> None:
    assert says(yaml.safe_load(path.read_text())) == (True, True)


def test_every_form_that_the_parser_converts_has_a_rule() -> None:
    assert rules.FORMS.keys() == job_fields._CONVERSIONS.keys()
    assert (
        json.loads(job_file_schema())["$defs"]["Job"]["properties"].keys()
        >= FLAG_NAMES.keys() | FIELDS.keys()
    )


def test_a_pattern_keeps_its_meaning_in_the_other_dialect() -> None:
    assert rules.ecma(re.compile(r"^(?P<n>\d+)[ab]x\Z", re.IGNORECASE)) == r"^(\d+)[aAbB][xX]$"


def test_each_field_is_described_for_people() -> None:
    for name, struct in json.loads(job_file_schema())["$defs"].items():
        for field, part in struct.get("properties", {}).items():
            inner = "description" in part or "$ref" in part or part.get("enum")
            assert inner or field in ("id", "type", "in", "out", "jobs", "set"), (name, field)
