"""The job spec's defaults, and reprs that hide secrets."""

from collections.abc import Callable

import msgspec

from jobd.wire.event import COMPLETE, EXIT, START
from jobd.wire.job import Callback, JobSpec


def test_absent_fields_have_the_defaults_of_the_contract(accept: Callable[..., JobSpec]) -> None:
    spec = accept()
    assert spec.meta == {}
    assert spec.command is None
    assert spec.entrypoint is None
    assert spec.cpu_cores == 1
    assert spec.memory_mb == 512
    assert spec.environment == {}
    assert spec.timeout_s == 1800
    assert spec.workspace == "/workspace"
    assert spec.artifacts == []
    assert spec.callback is None
    assert spec.labels == {}
    assert spec.pids_limit == 4096
    assert spec.user is None
    assert spec.pull == "missing"
    assert spec.platform is None
    assert spec.runtime is None


def test_zero_means_the_default_for_cpu_memory_and_timeout(accept: Callable[..., JobSpec]) -> None:
    spec = accept(cpu=0, memory=0, timeoutSeconds=0)
    assert (spec.cpu_cores, spec.memory_mb, spec.timeout_s) == (1, 512, 1800)


def test_explicit_values_replace_the_defaults(accept: Callable[..., JobSpec]) -> None:
    spec = accept(cpu=2.5, memory=64, timeoutSeconds=7, pids=9, workspace="/data")
    assert (spec.cpu_cores, spec.memory_mb, spec.timeout_s, spec.pids_limit) == (2.5, 64, 7, 9)
    assert spec.workspace == "/data"


def test_an_empty_filter_passes_all_events_and_another_only_its_types() -> None:
    assert Callback(url="http://h").wants(START)
    some = Callback(url="http://h", events=[EXIT, COMPLETE])
    assert some.wants(EXIT)
    assert some.wants(COMPLETE)
    assert not some.wants(START)


def test_the_repr_of_a_callback_hides_its_key(accept: Callable[..., JobSpec]) -> None:
    spec = accept(callback={"url": "http://h/", "key": "very-secret"})
    assert "very-secret" not in repr(spec)
    assert "very-secret" not in str(spec.callback)
    assert "***" in repr(spec.callback)
    assert "key=None" in repr(Callback(url="http://h/"))


def test_an_encoded_spec_has_camel_case_names_and_no_defaults(
    accept: Callable[..., JobSpec],
) -> None:
    assert msgspec.to_builtins(accept(timeoutSeconds=5)) == {
        "id": "job-1",
        "image": "busybox:latest",
        "timeoutSeconds": 5,
    }
