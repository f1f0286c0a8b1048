"""Where a setting comes from: a flag, a variable, a file; which of them wins; files that are refused."""

from pathlib import Path

import pytest

from jobd.settings.config import from_mapping
from jobd.settings.sources import from_sources
from tests.unit.jobd.settings.problems import problems


class TestPrecedence:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "jobd.toml"
        path.write_text("port = 3\nmetrics_port = 3\nmax_queued_jobs = 3\n")
        return path

    def test_flag_over_variable_over_file_over_default(self, file: Path) -> None:
        flags, environ = {"PORT": "1"}, {"PORT": "2", "METRICS_PORT": "2"}
        config = from_sources(flags, environ, file)
        assert (config.port, config.metrics_port, config.max_queued_jobs, config.upload_retries) == (
            1,
            2,
            3,
            3,
        )
        assert from_sources({}, environ, file).port == 2
        assert from_sources({}, {}, file).port == 3
        assert from_sources({}, {}, None).port == 8080

    def test_an_empty_variable_counts_only_where_empty_means_something(self, file: Path) -> None:
        assert from_sources({}, {"PORT": ""}, file).port == 3
        assert from_sources({}, {"CALLBACK_PROXY_URL": ""}, file).callback_proxy_url is None

    def test_other_variables_are_left_alone(self) -> None:
        assert from_sources({}, {"port": "1", "PATH": "/bin"}, None) == from_mapping({})


class TestFile:
    def test_values_may_be_toml_of_the_natural_type(self, tmp_path: Path) -> None:
        file = tmp_path / "jobd.toml"
        file.write_text(
            'jobd_no_auth = true\nextra_hosts = ["a:10.0.0.1", "b:host-gateway"]\nport = 81\njob_retention = "1h"\n'
        )
        config = from_sources({}, {}, file)
        assert (config.no_auth, config.extra_hosts, config.port) == (
            True,
            ("a:10.0.0.1", "b:host-gateway"),
            81,
        )
        assert config.job_retention_s == 3600

    def test_unknown_settings_are_all_named(self, tmp_path: Path) -> None:
        file = tmp_path / "jobd.toml"
        file.write_text("prot = 1\nport = 2\n[dispatcher]\nworkers = 3\n")
        found = problems(lambda: from_sources({}, {}, file))
        assert ["'prot'" in found[0], "'dispatcher'" in found[1]] == [True, True]
        assert all(str(file) in problem for problem in found)

    @pytest.mark.parametrize("content", [b"port = ", b"\xff", b"port"])
    def test_a_file_that_is_no_toml_is_refused_by_its_path(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "jobd.toml"
        file.write_bytes(content)
        assert str(file) in problems(lambda: from_sources({}, {}, file))[0]

    def test_a_file_that_is_not_there_is_refused_by_its_path(self, tmp_path: Path) -> None:
        assert str(tmp_path / "no") in problems(lambda: from_sources({}, {}, tmp_path / "no"))[0]
