"""Reads a kubeconfig, or a Pod's service account, as the address of an API server and the means to authenticate.

Owns the formats; `credentials.py` gets tokens and renews them. Files are named, not read, so that a renewed file counts at the next use.

Source: Kubernetes documentation, "Organizing Cluster Access Using kubeconfig Files".
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobd.jobs.port.errors import RefusedByEngine

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_NAMESPACE = "default"
EXEC_VERSION = "client.authentication.k8s.io/v1"
_PATHS = ":"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Exec:
    """A program that prints credentials."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    api_version: str = EXEC_VERSION
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class Material:
    """PEM data, or the file that has it."""

    data: str | None = None
    path: Path | None = None

    def read(self) -> str:
        """Returns the PEM text. Raises OSError."""
        if self.path is not None:
            return self.path.read_text()
        return self.data or ""

    def __bool__(self) -> bool:
        return self.data is not None or self.path is not None


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server, and in which namespace. At most one of the token's sources is set."""

    server: str
    namespace: str
    context: str
    ca: Material = field(default_factory=Material)
    server_name: str | None = None
    insecure: bool = False
    certificate: Material = field(default_factory=Material, repr=False)
    key: Material = field(default_factory=Material, repr=False)
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    exec: Exec | None = field(default=None, repr=False)


def access(environ: Mapping[str, str], *, context: str = "", namespace: str = "") -> Access:
    """Returns the access that `KUBECONFIG` or `~/.kube/config` describes, else that of the Pod in which jobd runs.

    Raises: RefusedByEngine: there is none, or it is incomplete; the text names the file and the part.
    """
    paths = [Path(one) for one in environ.get("KUBECONFIG", "").split(_PATHS) if one]
    home = Path(environ.get("HOME", "/")) / ".kube" / "config"
    if not paths and home.is_file():
        paths = [home]
    if paths:
        return _from_files(paths, context, namespace)
    if environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").is_file():
        return _from_service_account(environ, namespace)
    raise _refused("no cluster is named", "set KUBECONFIG, or run jobd in a Pod with a service account")


def _from_service_account(environ: Mapping[str, str], namespace: str) -> Access:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    own = SERVICE_ACCOUNT / "namespace"
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=namespace or (own.read_text().strip() if own.is_file() else DEFAULT_NAMESPACE),
        context="the Pod's service account",
        ca=Material(path=SERVICE_ACCOUNT / "ca.crt"),
        token_file=SERVICE_ACCOUNT / "token",
    )


def _from_files(paths: list[Path], context: str, namespace: str) -> Access:
    entries: dict[str, dict[str, tuple[dict[str, Any], Path]]] = {"contexts": {}, "clusters": {}, "users": {}}
    current = context
    for path in paths:
        config = _load(path)
        current = current or str(config.get("current-context") or "")
        for kind, found in entries.items():
            for entry in config.get(kind) or []:
                if isinstance(entry, dict) and isinstance(entry.get(kind[:-1]), dict):
                    found.setdefault(str(entry.get("name")), (entry[kind[:-1]], path.parent))
    names = ", ".join(map(str, paths))
    if not current:
        raise _refused(f"{names}: no current-context", "set KUBERNETES_CONTEXT")
    chosen, _ = _entry(entries["contexts"], current, "context", names)
    cluster, cluster_folder = _entry(entries["clusters"], str(chosen.get("cluster")), "cluster", names)
    user, user_folder = _entry(entries["users"], str(chosen.get("user")), "user", names)
    server = str(cluster.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise _refused(
            f"{names}: the cluster of context {current!r} has no server", "name its https:// address"
        )
    token_file = user.get("tokenFile")
    return Access(
        server=server.rstrip("/"),
        namespace=namespace or str(chosen.get("namespace") or DEFAULT_NAMESPACE),
        context=current,
        ca=_material(cluster, "certificate-authority", cluster_folder, names),
        server_name=cluster.get("tls-server-name"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        certificate=_material(user, "client-certificate", user_folder, names),
        key=_material(user, "client-key", user_folder, names),
        token=user.get("token"),
        token_file=user_folder / str(token_file) if token_file else None,
        exec=_exec(user, user_folder, names),
    )


def _load(path: Path) -> dict[str, Any]:
    import yaml  # only a jobd that reads a kubeconfig needs it

    try:
        with path.open("rb") as file:
            config = yaml.safe_load(file.read(_MAX_BYTES))
    except (OSError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise _refused(f"{path}: cannot be read: {why}", "set KUBECONFIG to a kubeconfig") from None
    if not isinstance(config, dict):
        raise _refused(f"{path}: is no kubeconfig", "set KUBECONFIG to a kubeconfig")
    return config


def _entry(
    found: dict[str, tuple[dict[str, Any], Path]], name: str, kind: str, names: str
) -> tuple[dict[str, Any], Path]:
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise _refused(f"{names}: has no {kind} {name!r} (known: {known})", "set KUBERNETES_CONTEXT")
    return found[name]


def _material(entry: dict[str, Any], name: str, folder: Path, names: str) -> Material:
    data, path = entry.get(f"{name}-data"), entry.get(name)
    if data:
        try:
            return Material(data=base64.b64decode(str(data), validate=True).decode("ascii"))
        except (binascii.Error, UnicodeDecodeError):
            raise _refused(f"{names}: {name}-data is not base64 of PEM", "write it again") from None
    return Material(path=folder / str(path)) if path else Material()


def _exec(user: dict[str, Any], folder: Path, names: str) -> Exec | None:
    found = user.get("exec")
    if not isinstance(found, dict):
        if user.get("auth-provider"):
            raise _refused(f"{names}: auth-provider is no longer part of Kubernetes", "use an exec plugin")
        return None
    variables = [one for one in found.get("env") or [] if isinstance(one, dict)]
    return Exec(
        command=str(found.get("command") or ""),
        arguments=tuple(str(one) for one in found.get("args") or []),
        environment=tuple((str(one.get("name")), str(one.get("value"))) for one in variables),
        api_version=str(found.get("apiVersion") or EXEC_VERSION),
        folder=folder,
    )


def _refused(message: str, remedy: str) -> RefusedByEngine:
    error = RefusedByEngine(message)
    error.remedy = remedy
    return error
