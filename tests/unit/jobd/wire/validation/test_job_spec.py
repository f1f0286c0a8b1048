"""Every row of the job spec's table: accepted at the limit, refused beyond it, with the field's name."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.wire.job import JobSpec
from jobd.wire.problem import Problem

Accept = Callable[..., JobSpec]
Refuse = Callable[..., list[Problem]]

LONGEST_TEXT = 128 * 1024 - 1


@pytest.mark.parametrize("value", ["a", "0", "A", "a-b_c", "Z9", "a" * 128])
def test_an_id_is_accepted(accept: Accept, value: str) -> None:
    assert accept(id=value).id == value


@pytest.mark.parametrize("value", ["", "-a", "_a", "a.b", "a b", "a/b", "ä", "a\n", "a\0", "٣", "a" * 129])
def test_an_id_is_refused(refuse: Refuse, value: str) -> None:
    assert [p.field for p in refuse(id=value)] == ["id"]


@pytest.mark.parametrize("name", ["id", "image"])
def test_a_missing_required_field_is_refused(refuse: Refuse, name: str) -> None:
    assert refuse(**{name: ...}) == [Problem(name, "is required")]


@pytest.mark.parametrize(
    "value",
    [
        "busybox",
        "busybox:1.36",
        "library/busybox",
        "registry:5000/team/tool:v1",
        "localhost/x",
        "ghcr.io/a/b_c/d--e:Tag.1-x",
        "a@sha256:" + "0" * 64,
        "a:b@sha256:" + "f" * 64,
    ],
)
def test_an_image_is_accepted(accept: Accept, value: str) -> None:
    assert accept(image=value).image == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Busybox",
        "a b",
        "a:",
        "a:b:c",
        "-a",
        "a@sha256:12",
        "a:" + "t" * 129,
        "a\n",
        "a\0",
        "http://a",
        "a/../b",
        "a:é",
        "x" * 513,
    ],
)
def test_an_image_is_refused(refuse: Refuse, value: str) -> None:
    assert [p.field for p in refuse(image=value)] == ["image"]


@pytest.mark.parametrize("field", ["meta", "labels"])
class TestMaps:
    def test_values_at_their_limits_are_accepted(self, accept: Accept, field: str) -> None:
        values = {f"{n:02}".ljust(64, "k"): "v" * 256 for n in range(32)}
        assert getattr(accept(**{field: values}), field) == values

    def test_a_value_may_be_empty(self, accept: Accept, field: str) -> None:
        assert getattr(accept(**{field: {"k": ""}}), field) == {"k": ""}

    def test_one_entry_too_many_is_refused(self, refuse: Refuse, field: str) -> None:
        assert [p.field for p in refuse(**{field: {str(n): "" for n in range(33)}})] == [field]

    @pytest.mark.parametrize(
        ("key", "value", "at"),
        [
            ("k" * 65, "", "k" * 64),
            ("", "v", ""),
            ("k", "v" * 257, "k"),
            ("k\0", "", "k\0"),
            ("k", "\0", "k"),
        ],
    )
    def test_a_bad_entry_is_named(self, refuse: Refuse, field: str, key: str, value: str, at: str) -> None:
        assert [p.field for p in refuse(**{field: {key: value}})] == [f"{field}.{at}"]

    @pytest.mark.parametrize("value", [[], "x", 5, {"k": 5}, {"k": ["v"]}, {"k": {}}])
    def test_a_wrong_type_is_refused(self, refuse: Refuse, field: str, value: object) -> None:
        assert [p.field for p in refuse(**{field: value})] == [field]


@pytest.mark.parametrize(
    "value", ["echo hi", ["echo", "hi"], [""], None, "x" * LONGEST_TEXT, ["x" * LONGEST_TEXT]]
)
def test_a_command_is_accepted(accept: Accept, value: Any) -> None:
    assert accept(command=value).command == value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "command"),
        ("a\0", "command"),
        (["a", "\0"], "command[1]"),
        ("x" * (LONGEST_TEXT + 1), "command"),
        (["x", "é" * (LONGEST_TEXT // 2 + 1)], "command[1]"),
        (5, "command"),
        ({}, "command"),
        ([1], "command[0]"),
    ],
)
def test_a_command_is_refused(refuse: Refuse, value: object, field: str) -> None:
    assert [p.field for p in refuse(command=value)] == [field]


def test_an_entrypoint_needs_a_command_that_is_a_list(accept: Accept, refuse: Refuse) -> None:
    assert accept(entrypoint=["/bin/x"], command=["-v"]).entrypoint == ["/bin/x"]
    assert accept(entrypoint=["/bin/x"]).command is None
    assert [p.field for p in refuse(entrypoint=["/bin/x"], command="x")] == ["entrypoint"]


@pytest.mark.parametrize(
    ("value", "field"),
    [([], "entrypoint"), (["\0"], "entrypoint[0]"), ("/bin/sh", "entrypoint"), ([5], "entrypoint[0]")],
)
def test_an_entrypoint_is_refused(refuse: Refuse, value: object, field: str) -> None:
    assert [p.field for p in refuse(entrypoint=value)] == [field]


@pytest.mark.parametrize("value", [0.01, 0.5, 1, 64])
def test_a_cpu_share_is_accepted(accept: Accept, value: float) -> None:
    assert accept(cpu=value).cpu_cores == value


@pytest.mark.parametrize("value", [-1, -0.5, 0.009, 4096.1, 4097, 1e308, "1", True, []])
def test_a_cpu_share_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(cpu=value)] == ["cpu"]


@pytest.mark.parametrize("value", [6, 512, 65536])
def test_a_memory_limit_is_accepted(accept: Accept, value: int) -> None:
    assert accept(memory=value).memory_mb == value


@pytest.mark.parametrize("value", [-1, 1, 5, 16777217, 10**30, 512.5, "512m", True])
def test_a_memory_limit_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(memory=value)] == ["memory"]


@pytest.mark.parametrize("value", [1, 86400])
def test_a_timeout_is_accepted(accept: Accept, value: int) -> None:
    assert accept(timeoutSeconds=value).timeout_s == value


@pytest.mark.parametrize("value", [-1, 31622401, 1.5, "1s", True])
def test_a_timeout_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(timeoutSeconds=value)] == ["timeoutSeconds"]


@pytest.mark.parametrize("value", [1, 4_194_304])
def test_a_pids_limit_is_accepted(accept: Accept, value: int) -> None:
    assert accept(pids=value).pids_limit == value


@pytest.mark.parametrize("value", [-1, 4_194_305, "5", 1.5])
def test_a_pids_limit_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(pids=value)] == ["pids"]


def test_an_environment_is_accepted_up_to_the_kernels_limit(accept: Accept) -> None:
    values = {"A": "x" * (LONGEST_TEXT - 2), "B": "", "c.d": "=ä"}
    assert accept(environment=values).environment == values


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("", "x", "environment."),
        ("A=B", "x", "environment.A=B"),
        ("A", "\0", "environment.A"),
        ("A\0", "", "environment.A\0"),
        ("A", "x" * (LONGEST_TEXT - 1), "environment.A"),
        ("A", "é" * (LONGEST_TEXT // 2), "environment.A"),
    ],
)
def test_an_environment_is_refused(refuse: Refuse, name: str, value: str, field: str) -> None:
    assert [p.field for p in refuse(environment={name: value})] == [field]


@pytest.mark.parametrize("value", [{"A": 1}, {"A": []}, ["A=1"], "A=1"])
def test_an_environment_of_a_wrong_type_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(environment=value)] == ["environment"]


@pytest.mark.parametrize(
    "value", ["/workspace", "/data/in put", "/processes", "/devel", "/a/.b", "/" + "x" * 4095]
)
def test_a_workspace_is_accepted(accept: Accept, value: str) -> None:
    assert accept(workspace=value).workspace == value


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "data",
        "./data",
        "/proc",
        "/proc/1",
        "/sys",
        "/sys/fs",
        "/dev",
        "/dev/shm",
        "//",
        "/a//b",
        "data/",
        "/proc/",
        "/a/../b",
        "/a/./b",
        "/..",
        "/.",
        "/a:ro",
        "/a\0",
        "//proc",
        "/" + "x" * 4096,
    ],
)
def test_a_workspace_is_refused(refuse: Refuse, value: str) -> None:
    assert [p.field for p in refuse(workspace=value)] == ["workspace"]
