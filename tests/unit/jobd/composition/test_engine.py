"""Which engines there are: the settings know the names, the composition root knows how each is built."""

import pytest

from jobd.composition.engine import CHECKS, ENGINES, REMEDIES, check_engine
from jobd.composition.instrument import instrumented
from jobd.errors import ConfigError
from jobd.settings import parse
from jobd.settings.config import from_mapping


def test_every_engine_that_may_be_named_can_be_built() -> None:
    assert set(ENGINES) == set(CHECKS) == set(REMEDIES) == set(parse.ENGINES)


@pytest.mark.parametrize(
    ("engine", "variable", "value"),
    [("docker", "DOCKER_HOST", "gopher://x"), ("kubernetes", "KUBECONFIG", "/no/such/file")],
)
def test_the_settings_of_an_engine_are_checked_without_the_engine(
    monkeypatch: pytest.MonkeyPatch, engine: str, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        check_engine(from_mapping({"JOBD_ENGINE": engine}))
    [problem] = refused.value.problems
    assert problem.startswith(f"{variable}: ")
    assert "Errno" not in problem


def test_an_unknown_engine_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError) as refused:
        from_mapping({"JOBD_ENGINE": "podman"})
    assert refused.value.problems == ["JOBD_ENGINE: must be one of: docker, kubernetes; not 'podman'"]


def test_hosts_are_refused_where_a_pod_would_not_have_them() -> None:
    with pytest.raises(ConfigError, match="EXTRA_HOSTS: jobd adds no hosts to a Pod"):
        check_engine(from_mapping({"JOBD_ENGINE": "kubernetes", "EXTRA_HOSTS": "db:10.0.0.1"}))


def test_without_an_instrument_a_part_stays_as_it_is() -> None:
    part = object()
    assert instrumented(part, None) is part
