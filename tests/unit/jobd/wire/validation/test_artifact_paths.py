"""Paths of artifacts: beneath the workspace, with a file name where a file is written; refusals name the field."""

from collections.abc import Callable

import pytest

from jobd.wire.artifact import Unarchive
from jobd.wire.job import JobSpec
from jobd.wire.problem import Problem
from jobd.wire.validation.names import path_problem
from tests.unit.jobd.wire.validation.test_artifacts import artifact

Accept = Callable[..., JobSpec]
Refuse = Callable[..., list[Problem]]


BAD_PATHS = [
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "a\0",
    "x" * 256,
    "é" * 128,
    "/".join("x" * 41 for _ in range(100)),
]


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("download", "out"),
        ("write", "out"),
        ("unarchive", "in"),
        ("unarchive", "out"),
        ("unarchive", "subdir"),
        ("upload", "in"),
        ("read", "in"),
        ("archive", "in"),
        ("archive", "out"),
        ("list", "in"),
        ("job", "in"),
        ("job", "out"),
    ],
)
def test_a_path_never_leaves_the_workspace(refuse: Refuse, kind: str, name: str, path: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact(kind, **{name: path})])] == [f"artifacts[0].{name}"]


@pytest.mark.parametrize("path", ["a", ".", "a/b.c", "...", "..a", "a..", "a/./b", "a//b", "ä ö", "x" * 255])
def test_a_path_beneath_the_workspace_is_accepted(path: str) -> None:
    assert path_problem(path) is None


@pytest.mark.parametrize("kind", ["download", "write", "archive"])
@pytest.mark.parametrize("path", [".", "dir/", "dir/.", "./", "//"])
def test_an_artifact_that_writes_a_file_needs_a_file_name(refuse: Refuse, kind: str, path: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact(kind, out=path)])] == ["artifacts[0].out"]


def test_an_archive_may_be_unpacked_into_the_workspace_itself(accept: Accept) -> None:
    assert isinstance(accept(artifacts=[artifact("unarchive", out=".")]).artifacts[0], Unarchive)


@pytest.mark.parametrize(
    ("path", "fine"), [(r"\xff" * 255, True), (r"\xff" * 256, False), ("\\\\" * 255, True)]
)
def test_an_escaped_name_is_as_long_as_its_bytes(path: str, fine: bool) -> None:
    assert (path_problem(path) is None) == fine


def test_a_path_with_an_unpaired_surrogate_is_refused_with_the_remedy() -> None:
    assert path_problem("caf\udce9") == r"must be text; write a byte that is no UTF-8 as \xHH"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("download", "out"), ("write", "out"), ("unarchive", "in"), ("unarchive", "out"), ("upload", "in"), ("read", "in"),
     ("archive", "in"), ("archive", "out"), ("list", "in")],
)  # fmt: skip
def test_a_required_path_is_not_empty(refuse: Refuse, kind: str, name: str) -> None:
    assert [p.field for p in refuse(artifacts=[artifact(kind, **{name: ""})])] == [f"artifacts[0].{name}"]
