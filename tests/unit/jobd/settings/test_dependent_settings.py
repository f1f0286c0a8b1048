"""Settings whose default or validity depends on another setting, or on the person who runs jobd."""

from pathlib import Path

import pytest

from jobd.settings.config import from_mapping
from jobd.settings.parse import is_loopback
from jobd.settings.sources import from_sources
from tests.unit.jobd.settings.problems import problems


class TestCallbackProxy:
    @pytest.mark.parametrize("port", ["81", "9999"])
    def test_unset_its_port_follows_the_apis(self, port: str) -> None:
        assert from_mapping({"PORT": port}).callback_proxy_url == f"http://host.docker.internal:{port}"
        assert (
            from_sources({"PORT": port}, {}, None).callback_proxy_url == f"http://host.docker.internal:{port}"
        )

    def test_set_it_is_taken_as_it_is(self) -> None:
        assert (
            from_mapping({"PORT": "81", "CALLBACK_PROXY_URL": "http://h:5"}).callback_proxy_url
            == "http://h:5"
        )

    def test_empty_means_that_sidecars_call_back_directly(self) -> None:
        assert from_mapping({"CALLBACK_PROXY_URL": ""}).callback_proxy_url is None


class TestHost:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
    def test_running_without_a_key_is_for_loopback(self, host: str) -> None:
        assert is_loopback(host)
        assert from_mapping({"JOBD_NO_AUTH": "1", "JOBD_HOST": host}).no_auth

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::"])
    def test_running_without_a_key_is_refused_elsewhere(self, host: str) -> None:
        assert not is_loopback(host)
        found = problems(lambda: from_mapping({"JOBD_NO_AUTH": "1", "JOBD_HOST": host}))
        assert [problem.partition(":")[0] for problem in found] == ["JOBD_NO_AUTH"]

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::"])
    def test_with_tls_and_a_key_other_addresses_are_served(self, host: str) -> None:
        config = from_mapping({"JOBD_HOST": host, "TLS_CERT_FILE": "/c"})
        assert (config.host, config.no_auth) == (host, False)
        found = problems(
            lambda: from_mapping({"JOBD_HOST": host, "TLS_CERT_FILE": "/c", "JOBD_NO_AUTH": "1"})
        )
        assert [problem.partition(":")[0] for problem in found] == ["JOBD_NO_AUTH"]

    def test_a_name_is_not_loopback(self) -> None:
        assert not is_loopback("example.org")


class TestPlaces:
    def test_the_socket_is_in_the_runtime_folder_or_else_in_the_state_folder(
        self,
    ) -> None:
        assert from_sources({}, {"XDG_RUNTIME_DIR": "/run/user/7"}, None).socket == Path(
            "/run/user/7/jobd/jobd.sock"
        )
        assert from_mapping({}).socket == Path("/home/x/.local/state/jobd/jobd.sock")
        assert from_mapping({"JOBD_STATE_DIR": "/s"}).socket == Path("/s/jobd.sock")

    def test_a_relative_path_becomes_absolute_and_a_tilde_is_home(self) -> None:
        config = from_mapping({"JOBD_STATE_DIR": "state", "JOBD_SOCKET": "~/s.sock", "API_KEY_FILE": "~/k"})
        assert config.state_dir == Path.cwd() / "state"
        assert config.socket == Path("/home/x/s.sock")
        assert config.api_key_file == Path("/home/x/k")

    def test_a_socket_path_of_107_bytes_fits(self) -> None:
        assert len(str(from_mapping({"JOBD_SOCKET": "/" + "x" * 106}).socket)) == 107
