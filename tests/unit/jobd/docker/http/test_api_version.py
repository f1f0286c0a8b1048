import pytest
from docker.constants import DEFAULT_DOCKER_API_VERSION

from jobd.docker.http.api_version import agree
from jobd.jobs.port.errors import EngineUnavailable


def test_an_older_engine_sets_the_version() -> None:
    assert agree("1.41", "1.12") == "1.41"


def test_a_newer_engine_gets_the_newest_version_that_jobd_knows() -> None:
    assert agree("1.99", "1.24") == DEFAULT_DOCKER_API_VERSION


def test_versions_are_compared_as_numbers() -> None:
    assert agree("1.9", "1.2") == "1.9"


def test_an_engine_that_is_too_new_is_named_with_a_remedy() -> None:
    with pytest.raises(EngineUnavailable, match=r"1\.90") as caught:
        agree("1.99", "1.90")
    assert caught.value.remedy


def test_an_invalid_version_is_refused() -> None:
    with pytest.raises(EngineUnavailable):
        agree("latest", "1.2")
