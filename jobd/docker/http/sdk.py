"""Creates the docker SDK's client for an endpoint, and translates its exceptions and credentials.

Owns all that is specific to the SDK and to requests. `transport.py` calls the client in its threads.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from docker import APIClient
from docker.auth import get_config_header, load_config, resolve_repository_name
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig
from urllib3.exceptions import NewConnectionError

from jobd.docker.http.credential_helper import QuietStore
from jobd.docker.http.endpoint import Endpoint
from jobd.docker.http.errors import refusal
from jobd.docker.http.unix_sockets import OnePoolAdapter
from jobd.jobs.port.errors import EngineUnavailable

T = TypeVar("T")

log = logging.getLogger(__name__)


def client_for(endpoint: Endpoint, version: str, limit_s: float, connections: int) -> APIClient:
    """Returns a client for API `version` that waits `limit_s` for each answer and keeps up to `connections` connections.

    Raises: EngineUnavailable: the endpoint's TLS files or address are invalid.
    """
    options: Any = {"timeout": limit_s, "version": version, "max_pool_size": connections}
    try:
        if endpoint.tls is not None:
            cert = (endpoint.tls.cert, endpoint.tls.key) if endpoint.tls.cert else None
            sdk_tls: Any = TLSConfig
            options["tls"] = sdk_tls(client_cert=cert, ca_cert=endpoint.tls.ca, verify=endpoint.tls.verify)
        base = endpoint.url if endpoint.socket_path else endpoint.base_url
        client: APIClient = APIClient(base_url=base, **options)
    except DockerException as error:
        raise EngineUnavailable(f"cannot set up a client for {endpoint.url}: {error}") from error
    # Proxy variables never apply to the engine's address.
    client.trust_env = False
    if endpoint.socket_path is not None:
        adapter = OnePoolAdapter(str(endpoint.socket_path), limit_s, connections)
        client.mount("http+docker://", adapter)
    return client


def translated(call: Callable[[APIClient], T], client: APIClient) -> T:
    """Returns the result of `call`, and translates the SDK's exceptions. Blocks; runs in a thread.

    Raises: Refusal, ServerError, EngineUnavailable.
    """
    try:
        return call(client)
    except APIError as error:
        status = error.status_code
        if status is None:
            raise EngineUnavailable(str(error)) from error
        raise refusal(int(status), str(error.explanation or error)) from None
    except (requests.exceptions.RequestException, DockerException, OSError, ValueError) as error:
        raise EngineUnavailable(f"the engine did not answer: {error}", unsent=_is_unsent(error)) from error


def _is_unsent(error: BaseException) -> bool:
    """Returns whether the connection was refused, or its socket does not exist: the libraries nest the system's error in their own."""
    if isinstance(error, ConnectionRefusedError | FileNotFoundError | NewConnectionError):
        return True
    inner = [*error.args, getattr(error, "reason", None)]
    return any(isinstance(one, BaseException) and _is_unsent(one) for one in inner)


def registry_auth(client: APIClient, repository: str) -> str | None:
    """Returns the `X-Registry-Auth` header for a repository's registry; None: there are no credentials.

    Reads the user's docker configuration at each call, so that a `docker login` takes effect at once. Blocks.
    If a credential helper fails, returns None: a public image needs no password. The helper's message is not logged, since the
    message may hold the password.
    """
    sdk: Any = client
    registry, _ = resolve_repository_name(repository)
    known: Any = load_config()
    helper = known.get_credential_store(registry)
    if helper is not None:
        known._stores[helper] = QuietStore(helper)
    sdk._auth_configs = known
    try:
        found: Any = get_config_header(sdk, registry)
    except Exception as error:  # the SDK parses a helper's answer unchecked
        fields = {"registry": registry, "helper": f"docker-credential-{helper}", "kind": type(error).__name__}
        log.warning("credential helper failed, pulling without credentials", extra=fields)
        return None
    return None if not found else found.decode() if isinstance(found, bytes) else str(found)
