"""Every row of the job spec's table: accepted at the limit, refused beyond it, with the field's name."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobd.wire.job import JobSpec
from jobd.wire.problem import InvalidSpec, Problem
from jobd.wire.validation.job_spec import convert_spec, decode_spec

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


@pytest.mark.parametrize("value", ["0", "1000:1000", "root", "www-data:users", "1000:users", "_apt"])
def test_a_user_is_accepted(accept: Accept, value: str) -> None:
    assert accept(user=value).user == value


@pytest.mark.parametrize("value", ["", ":", "1000:", ":5", "-1", "a b", "a:b:c", "a\n", "٣", 5])
def test_a_user_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(user=value)] == ["user"]


@pytest.mark.parametrize("value", ["missing", "always", "never"])
def test_a_pull_policy_is_accepted(accept: Accept, value: str) -> None:
    assert accept(pull=value).pull == value


@pytest.mark.parametrize("value", ["", "Always", "if-not-present", True])
def test_a_pull_policy_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(pull=value)] == ["pull"]


@pytest.mark.parametrize("value", ["linux", "linux/amd64", "linux/arm/v7"])
def test_a_platform_is_accepted(accept: Accept, value: str) -> None:
    assert accept(platform=value).platform == value


@pytest.mark.parametrize("value", ["", "linux/", "Linux/amd64", "linux/a/b/c", "linux amd64", 5])
def test_a_platform_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(platform=value)] == ["platform"]


@pytest.mark.parametrize("value", ["runc", "nvidia", "io.containerd.runsc.v1", "r" * 128])
def test_a_runtime_is_accepted(accept: Accept, value: str) -> None:
    assert accept(runtime=value).runtime == value


@pytest.mark.parametrize("value", ["", "-x", "a b", "a/b", "r" * 129, 5])
def test_a_runtime_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(runtime=value)] == ["runtime"]


@pytest.mark.parametrize("field", ["capDrop", "capAdd"])
@pytest.mark.parametrize("names", [[], ["NET_ADMIN"], ["SETUID", "CHOWN", "SETUID"]])
def test_capabilities_are_accepted(accept: Accept, field: str, names: list[str]) -> None:
    spec = accept(**{field: names})
    assert {"capDrop": spec.cap_drop, "capAdd": spec.cap_add}[field] == names


@pytest.mark.parametrize("field", ["capDrop", "capAdd"])
@pytest.mark.parametrize("name", ["", "net_admin", "CAP_NET_ADMIN", "EVERYTHING", "NET_ADMIN\n"])
def test_a_capability_that_does_not_exist_is_refused(refuse: Refuse, field: str, name: str) -> None:
    assert [p.field for p in refuse(**{field: ["CHOWN", name]})] == [f"{field}[1]"]


def test_all_may_be_dropped_but_not_added(accept: Accept, refuse: Refuse) -> None:
    assert accept(capDrop=["ALL"]).cap_drop == ["ALL"]
    assert [p.field for p in refuse(capAdd=["ALL"])] == ["capAdd[0]"]
    assert [p.field for p in refuse(capDrop=["CHOWN"] * 100)] == ["capDrop"]


@pytest.mark.parametrize(
    "value",
    ["http://h/p?q=1", "https://h:8443", "http://[::1]:9/x", "http://u:p@h/", "http://h/" + "x" * (8192 - 9)],
)
def test_a_callback_url_is_accepted(accept: Accept, value: str) -> None:
    callback = accept(callback={"url": value}).callback
    assert callback is not None
    assert callback.url == value


@pytest.mark.parametrize(
    "value",
    [
        "h",
        "ftp://h",
        "http://",
        "http:///p",
        "http://h:0",
        "http://h:65536",
        "http://h:x",
        "http://[::1",
        "http://h /",
        "http://h/\n",
        "http://h/\0",
        "file:///etc/passwd",
        "http://h/" + "x" * (8192 - 8),
        5,
    ],
)
def test_a_callback_url_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(callback={"url": value})] == ["callback.url"]


def test_callback_events_are_known_types_and_sixteen_at_most(accept: Accept, refuse: Refuse) -> None:
    exit_type = "orchestrator.job.exit"
    callback = accept(callback={"url": "http://h", "events": [exit_type] * 16}).callback
    assert callback is not None
    assert callback.events == [exit_type] * 16
    assert [p.field for p in refuse(callback={"url": "http://h", "events": [exit_type] * 17})] == [
        "callback.events"
    ]
    assert [p.field for p in refuse(callback={"url": "http://h", "events": [exit_type, "job.exit"]})] == [
        "callback.events[1]"
    ]
    assert [p.field for p in refuse(callback={"url": "http://h", "events": [5]})] == ["callback.events[0]"]


@pytest.mark.parametrize("value", [0, 1, 10])
def test_retries_are_accepted(accept: Accept, value: int) -> None:
    assert accept(retries=value).retries == value


@pytest.mark.parametrize("value", [-1, 11, 1.5, "1", True])
def test_retries_are_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(retries=value)] == ["retries"]


@pytest.mark.parametrize("value", [[], [1, 255], ["timeout", 137], ["exit-code"] * 32])
def test_causes_of_retries_are_accepted(accept: Accept, value: list[int | str]) -> None:
    assert accept(retries=1, retryOn=value).retry_on == value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([0], "retryOn[0]"),
        ([1, 256], "retryOn[1]"),
        ([-1], "retryOn[0]"),
        (["cancelled"], "retryOn[0]"),
        ([""], "retryOn[0]"),
        ([1.5], "retryOn[0]"),
        ([None], "retryOn[0]"),
        ([1] * 33, "retryOn"),
        (1, "retryOn"),
        ("timeout", "retryOn"),
    ],
)
def test_causes_of_retries_are_refused(refuse: Refuse, value: object, field: str) -> None:
    assert [p.field for p in refuse(retries=1, retryOn=value)] == [field]


def test_batch_is_a_boolean(accept: Accept, refuse: Refuse) -> None:
    for value in (False, True):
        callback = accept(callback={"url": "http://h", "batch": value}).callback
        assert callback is not None
        assert callback.batch is value
    assert [p.field for p in refuse(callback={"url": "http://h", "batch": 1})] == ["callback.batch"]


@pytest.mark.parametrize(
    "value",
    [
        "k",
        "ä",
        "k" * 4096,
        "whsec_c2VjcmV0",
        "whsec_c2VjcmV0 whsec_b2xk old",
        "a plain key",
        "whsec_abc123",
        "whsec_c2VjcmV0 whsec_not-base64",
    ],
)
def test_a_callback_key_is_accepted(accept: Accept, value: str) -> None:
    callback = accept(callback={"url": "http://h", "key": value}).callback
    assert callback is not None
    assert callback.key == value


@pytest.mark.parametrize(
    "value",
    [
        "k" * 4097,
        "k\0",
        "whsec_not-repeated\0",
        5,
        "whsec_c2VjcmV0 whsec_not-repeated\0",
        "whsec_c2VjcmV0" + " whsec_b2xk" * 4,
        "whsec_c2VjcmV0 " + "k" * 4097,
    ],
)
def test_a_callback_key_is_refused_and_never_repeated(refuse: Refuse, value: object) -> None:
    found = refuse(callback={"url": "http://h", "key": value})
    assert [p.field for p in found] == ["callback.key"]
    assert "not-repeated" not in found[0].message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"zzz": 1}, "zzz"),
        ({"": 1}, '""'),
        ({".id": 1}, ".id"),
        ({"timeout_seconds": 1}, "timeout_seconds"),
        ({"priority": 1}, "priority"),
        ({"callback": {"url": "http://h", "secret": ""}}, "callback.secret"),
        ({"artifacts": [{"id": "a", "type": "read", "in": "x", "out": "y"}]}, "artifacts[0].out"),
    ],
)
def test_an_unknown_field_is_refused_at_each_level(
    refuse: Refuse, fields: dict[str, Any], field: str
) -> None:
    found = refuse(**fields)
    assert [p.field for p in found] == [field]
    assert "unknown field" in found[0].message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("field", ["cpu", "memory", "timeoutSeconds"])
def test_nan_and_infinity_are_refused(number: str, field: str) -> None:
    with pytest.raises(InvalidSpec):
        decode_spec(f'{{"id":"a","image":"b","{field}":{number}}}'.encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_in_yaml_are_refused_by_field(value: float) -> None:
    with pytest.raises(InvalidSpec) as caught:
        convert_spec({"id": "a", "image": "b", "cpu": value})
    assert [p.field for p in caught.value.problems] == ["cpu"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b'{"id":"a"',
        b'{"id":"a","image":"b"}x',
        b"\xff",
        b'{"id":"\xff","image":"b"}',
        b'{"id":"\\ud800","image":"b"}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"5",
        b"null",
    ],
)
def test_a_body_that_is_no_json_object_is_refused_with_a_text(body: bytes) -> None:
    with pytest.raises(InvalidSpec) as caught:
        decode_spec(body)
    assert [p.field for p in caught.value.problems] == [""]
    assert str(caught.value)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"x":' + b"[" * 100_000, b'{"meta":' * 100_000])
def test_a_body_that_is_nested_without_end_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSpec):
        decode_spec(body)


def test_all_wrong_values_are_reported_at_once_in_the_tables_order(refuse: Refuse) -> None:
    found = refuse(
        id="-", image="", cpu=-1, memory=1, timeoutSeconds=-1, workspace="/", callback={"url": "x"}
    )
    assert [p.field for p in found] == [
        "id",
        "image",
        "cpu",
        "memory",
        "timeoutSeconds",
        "workspace",
        "callback.url",
    ]


def test_the_error_text_names_each_field_with_its_remedy() -> None:
    error = InvalidSpec([Problem("cpu", "must be less"), Problem("", "the body is not JSON")])
    assert str(error) == "cpu: must be less; the body is not JSON"


def test_a_tree_of_builtins_is_checked_like_json() -> None:
    assert convert_spec({"id": "a", "image": "b"}) == decode_spec(
        json.dumps({"id": "a", "image": "b"}).encode()
    )
    for tree, field in [({"id": "a"}, "image"), ({"id": "a", "image": "b", "x": 1}, "x"), ([], "")]:
        with pytest.raises(InvalidSpec) as caught:
            convert_spec(tree)
        assert [p.field for p in caught.value.problems] == [field]
