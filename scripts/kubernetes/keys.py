"""The cluster's keys and certificates, and a kubeconfig for each of its users. They end with the cluster's state.

Source: Kubernetes documentation, "PKI certificates and requirements".
"""

import base64
import json
from pathlib import Path

from scripts.kubernetes.commands import run
from scripts.kubernetes.places import ADMIN, API_PORT, GATEWAY, KEYS, NODE, SERVICE_ADDRESS

_DAYS = "3650"
_USERS = {
    "admin": ("/O=system:masters/CN=admin", ADMIN),
    "controllers": ("/CN=system:kube-controller-manager", KEYS / "controllers.kubeconfig"),
    "scheduler": ("/CN=system:kube-scheduler", KEYS / "scheduler.kubeconfig"),
    "kubelet": (f"/O=system:nodes/CN=system:node:{NODE}", KEYS / "kubelet.kubeconfig"),
}


def make_keys() -> None:
    """Makes all keys, unless they exist."""
    if (KEYS / "done").exists():
        return
    KEYS.mkdir(parents=True, exist_ok=True)
    KEYS.chmod(0o700)
    _key("ca")
    uses = "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
    ca = ("-key", KEYS / "ca.key", "-subj", "/CN=jobd-test-ca", "-days", _DAYS, "-out", KEYS / "ca.crt")
    run("openssl", "req", "-x509", "-new", *ca, "-addext", uses)
    names = f"IP:127.0.0.1,IP:{SERVICE_ADDRESS},IP:{GATEWAY},DNS:localhost,DNS:kubernetes.default.svc"
    _certificate("apiserver", "/CN=kube-apiserver", names)
    _certificate("kubelet-server", f"/O=system:nodes/CN=system:node:{NODE}", f"IP:{GATEWAY},DNS:{NODE}")
    _certificate("apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet")
    _key("accounts")
    run("openssl", "ec", "-in", KEYS / "accounts.key", "-pubout", "-out", KEYS / "accounts.pub")
    for name, (subject, path) in _USERS.items():
        _certificate(name, subject)
        pair = {
            "client-certificate-data": _text(KEYS / f"{name}.crt"),
            "client-key-data": _text(KEYS / f"{name}.key"),
        }
        write_kubeconfig(path, pair)
    (KEYS / "done").touch()


def write_kubeconfig(path: Path, user: dict[str, str], namespace: str = "default") -> None:
    """Writes a kubeconfig that only its owner can read."""
    cluster = {
        "server": f"https://127.0.0.1:{API_PORT}",
        "certificate-authority-data": _text(KEYS / "ca.crt"),
    }
    context = {"cluster": "jobd-test", "user": "user", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "jobd-test",
        "clusters": [{"name": "jobd-test", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "jobd-test", "context": context}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))


def _key(name: str) -> None:
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", KEYS / f"{name}.key")


def _certificate(name: str, subject: str, names: str = "") -> None:
    _key(name)
    use = "serverAuth" if names else "clientAuth"
    extensions = [f"keyUsage=critical,digitalSignature\nextendedKeyUsage={use}"]
    if names:
        extensions.append(f"subjectAltName={names}")
    (KEYS / f"{name}.ext").write_text("\n".join([*extensions, ""]))
    request = KEYS / f"{name}.csr"
    run("openssl", "req", "-new", "-key", KEYS / f"{name}.key", "-subj", subject, "-out", request)
    signed = ("-CA", KEYS / "ca.crt", "-CAkey", KEYS / "ca.key", "-CAcreateserial", "-days", _DAYS)
    result = ("-out", KEYS / f"{name}.crt", "-extfile", KEYS / f"{name}.ext")
    run("openssl", "x509", "-req", "-in", request, *signed, *result)


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
