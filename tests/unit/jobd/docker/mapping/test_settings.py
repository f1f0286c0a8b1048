import pytest

from jobd.docker.mapping.settings import DockerSettings


def test_defaults_are_those_of_the_contract() -> None:
    assert DockerSettings("one").sidecar_image == "job-sidecar:latest"
    assert DockerSettings("one").extra_hosts == ()


@pytest.mark.parametrize("instance", ["", "-x", "a b", "a/b", "a" * 64, "é", "a\n"])
def test_an_instance_that_cannot_name_a_network_is_refused(instance: str) -> None:
    with pytest.raises(ValueError, match="instance"):
        DockerSettings(instance)


def test_a_log_limit_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="log_max_bytes"):
        DockerSettings("one", log_max_bytes=10)
