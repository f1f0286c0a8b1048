"""A kubeconfig as the access to a cluster; what is missing is named."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from jobd.jobs.port.errors import RefusedByEngine
from jobd.kubernetes.http import kubeconfig
from jobd.kubernetes.http.kubeconfig import access

PEM = "-----BEGIN CERTIFICATE-----\n"


def config(**changes: Any) -> dict[str, Any]:
    user = changes.pop("user", {"token": "secret"})
    cluster = {
        "server": "https://host:6443",
        "certificate-authority-data": base64.b64encode(PEM.encode()).decode(),
    }
    whole = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": changes.pop("cluster", cluster)}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "jobs"}},
            {"name": "there", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    return {**whole, **changes}


def written(folder: Path, content: Any, name: str = "config") -> dict[str, str]:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return {"KUBECONFIG": str(path)}


def test_the_current_context_names_server_namespace_and_token(tmp_path: Path) -> None:
    found = access(written(tmp_path, config()))
    assert (found.server, found.namespace, found.context) == ("https://host:6443", "jobs", "here")
    assert (found.token, found.ca.read()) == ("secret", PEM)
    assert "secret" not in repr(found)


def test_a_setting_outranks_the_kubeconfig(tmp_path: Path) -> None:
    environ = written(tmp_path, config())
    assert access(environ, context="there").namespace == "default"
    assert access(environ, context="there", namespace="mine").namespace == "mine"


def test_several_files_are_one_and_the_first_counts(tmp_path: Path) -> None:
    second = config(**{"current-context": "there"})
    written(tmp_path, {"current-context": "there"}, "first")
    written(tmp_path, second, "second")
    found = access({"KUBECONFIG": f"{tmp_path / 'first'}:{tmp_path / 'second'}"})
    assert found.context == "there"


def test_files_are_named_beside_the_kubeconfig(tmp_path: Path) -> None:
    user = {"client-certificate": "c.pem", "client-key": "/k.pem", "tokenFile": "t"}
    found = access(written(tmp_path, config(user=user)))
    assert (found.certificate.path, found.key.path) == (tmp_path / "c.pem", Path("/k.pem"))
    assert found.token_file == tmp_path / "t"


def test_a_plugin_is_taken_with_its_arguments(tmp_path: Path) -> None:
    plugin = {"command": "aws", "args": ["eks"], "env": [{"name": "A", "value": "b"}], "apiVersion": "v"}
    found = access(written(tmp_path, config(user={"exec": plugin}))).exec
    assert found is not None
    assert (found.command, found.arguments, found.environment) == ("aws", ("eks",), (("A", "b"),))


def test_a_pod_has_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("jobs\n")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443", "HOME": str(tmp_path)}
    found = access(environ)
    assert (found.server, found.namespace) == ("https://[fd00::1]:6443", "jobs")
    assert found.token_file == tmp_path / "token"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("- no", "is no kubeconfig"),
        ("{", "cannot be read"),
        (config(**{"current-context": ""}), "no current-context"),
        (config(**{"current-context": "lost"}), "has no context 'lost' (known: here, there)"),
        (config(clusters=[]), "has no cluster 'c'"),
        (config(cluster={}), "has no server"),
        (config(cluster={"server": "https://h", "certificate-authority-data": "?"}), "is not base64"),
        (config(user={"auth-provider": {}}), None),
        (config(user={"auth-provider": {"name": "gcp"}}), "no longer part"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, content: Any, words: str | None) -> None:
    environ = written(tmp_path, content)
    if words is None:
        access(environ)
        return
    with pytest.raises(RefusedByEngine) as caught:
        access(environ)
    assert words in str(caught.value)
    assert caught.value.remedy


def test_without_any_cluster_the_remedy_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(RefusedByEngine, match="no cluster") as caught:
        access({"HOME": str(tmp_path)})
    assert "KUBECONFIG" in caught.value.remedy
