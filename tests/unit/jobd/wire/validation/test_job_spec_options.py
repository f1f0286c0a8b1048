"""The options of the job spec: user, pull, platform, runtime, capabilities, callback and retries."""

from collections.abc import Callable

import pytest

from jobd.wire.job import JobSpec
from jobd.wire.problem import Problem

Accept = Callable[..., JobSpec]
Refuse = Callable[..., list[Problem]]


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


@pytest.mark.parametrize("value", [-100, 0, 100])
def test_a_priority_is_accepted(accept: Accept, value: int) -> None:
    assert accept(priority=value).priority == value


@pytest.mark.parametrize("value", [-101, 101, 1.5, "1", True])
def test_a_priority_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(priority=value)] == ["priority"]


@pytest.mark.parametrize("value", ["default", "gpu", "0", "a.b_c-d", "g" * 64])
def test_a_group_is_accepted(accept: Accept, value: str) -> None:
    assert accept(group=value).group == value


@pytest.mark.parametrize("value", [".", "-a", "a b", "a/b", "g" * 65, "*", "a\n", 5])
def test_a_group_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(group=value)] == ["group"]


@pytest.mark.parametrize("value", [0, 1, 64, "all"])
def test_a_number_of_gpus_is_accepted(accept: Accept, value: object) -> None:
    assert accept(gpus=value).gpus == value


@pytest.mark.parametrize("value", [-1, 65, 0.5, "", "some", "1", True, ["0"]])
def test_a_number_of_gpus_is_refused(refuse: Refuse, value: object) -> None:
    assert [p.field for p in refuse(gpus=value)] == ["gpus"]


@pytest.mark.parametrize("on", ["completed", "any", "failed"])
def test_a_dependency_is_accepted(accept: Accept, on: str) -> None:
    spec = accept(after=[{"job": "first"}, {"job": "second", "on": on}])
    assert [(one.job, one.on) for one in spec.after] == [("first", "completed"), ("second", on)]


@pytest.mark.parametrize(
    ("after", "field"),
    [
        ([{"job": "-"}], "after[0].job"),
        ([{"job": "b"}, {"job": ""}], "after[1].job"),
        ([{"job": "b"}, {"job": "b", "on": "any"}], "after[1].job"),
        ([{"job": "b"}, {"job": "a"}], "after[1].job"),
        ([{"job": "b", "on": "success"}], "after[0].on"),
        ([{}], "after[0].job"),
        (["b"], "after[0]"),
        ([{"job": f"j{n}"} for n in range(65)], "after"),
    ],
)
def test_a_dependency_is_refused(refuse: Refuse, after: list[object], field: str) -> None:
    assert [p.field for p in refuse(id="a", after=after)] == [field]


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
