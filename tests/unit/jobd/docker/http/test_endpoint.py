from pathlib import Path

import pytest

from jobd.docker.http.endpoint import Endpoint, endpoint, parse
from jobd.jobs.port.errors import RefusedByEngine


def test_a_socket() -> None:
    found = endpoint({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"})
    assert found.socket_path == "/run/user/1000/docker.sock"
    assert found.base_url == "http://engine"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("tcp://10.0.0.1:2375", "http://10.0.0.1:2375"),
        ("tcp://10.0.0.1", "http://10.0.0.1:2375"),
        ("http://box:99", "http://box:99"),
        ("tcp://[::1]:2375", "http://[::1]:2375"),
        ("https://box:99", "https://box:99"),
    ],
)
def test_an_address(url: str, base: str) -> None:
    assert endpoint({"DOCKER_HOST": url}).base_url == base


def test_certificates_make_it_tls(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    found = endpoint({"DOCKER_HOST": "tcp://box", "DOCKER_CERT_PATH": str(tmp_path)})
    assert found.base_url == "https://box:2376"
    assert found.tls is not None
    assert (found.tls.ca, found.tls.verify) == (str(tmp_path / "ca.pem"), True)


def test_an_empty_verify_disables_verification(tmp_path: Path) -> None:
    found = endpoint({"DOCKER_HOST": "tcp://box", "DOCKER_CERT_PATH": str(tmp_path), "DOCKER_TLS_VERIFY": ""})
    assert found.tls is not None
    assert found.tls.verify is False


def test_certificates_are_ignored_for_a_socket(tmp_path: Path) -> None:
    assert endpoint({"DOCKER_HOST": "unix:///s", "DOCKER_CERT_PATH": str(tmp_path)}).tls is None


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("ssh://me@box", "ssh -L"),
        ("unix://relative", "absolute"),
        ("tcp://", "host and a port"),
        ("tcp://box:port", "host and a port"),
        ("npipe:////./pipe/docker_engine", "unix:///path"),
        ("box", "unix:///path"),
    ],
)
def test_an_unsupported_address_is_refused_with_a_hint(url: str, hint: str) -> None:
    with pytest.raises(RefusedByEngine, match=hint) as caught:
        endpoint({"DOCKER_HOST": url})
    assert "DOCKER_HOST" in caught.value.remedy


def test_an_unknown_context_is_refused() -> None:
    with pytest.raises(RefusedByEngine, match="docker context ls"):
        endpoint({"DOCKER_CONTEXT": "no-such-context-of-this-test"})


def test_a_url_is_kept_as_written() -> None:
    assert parse("unix:///s", None) == Endpoint("unix:///s", socket_path="/s")
