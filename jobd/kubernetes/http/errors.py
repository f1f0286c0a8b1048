"""What the API server's refusals mean, and as which error of the port they reach a job. Pure.

Source: Kubernetes API v1, Status.
"""

import msgspec

from jobd.jobs.port.errors import EngineError, EngineUnavailable, RefusedByEngine
from jobd.kubernetes.mapping.models import Status

_PASSING = (408, 409, 429, 500, 502, 503, 504)
_QUOTA = "exceeded quota"
_TERMINATING = "NamespaceTerminating"


class ApiError(Exception):
    """The API server answered that it did not carry out a request. `port_error` translates it."""

    def __init__(self, code: int, reason: str, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message or reason or f"the API server answered {code}")
        self.code, self.reason, self.causes = code, reason, causes

    @property
    def is_absent(self) -> bool:
        """The object does not exist."""
        return self.code == 404

    @property
    def is_taken(self) -> bool:
        """An object with this name exists."""
        return self.code == 409 and self.reason == "AlreadyExists"

    @property
    def is_changed(self) -> bool:
        """The object has changed since the version that the request names."""
        return self.code == 409 and self.reason != "AlreadyExists"

    @property
    def is_expired(self) -> bool:
        """The API server no longer has the changes since the version that the request names."""
        return self.code == 410

    @property
    def is_over_quota(self) -> bool:
        """The namespace's quota has no room for the object."""
        return self.code == 403 and _QUOTA in str(self)

    @property
    def is_unauthenticated(self) -> bool:
        """The credentials are refused, or have expired."""
        return self.code == 401


def api_error(code: int, body: bytes) -> ApiError:
    """Returns the error of an answer."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.MsgspecError:
        return ApiError(code, "", body[:500].decode("utf-8", "replace").strip())
    causes = tuple(cause.reason for cause in status.details.causes) if status.details else ()
    return ApiError(code, status.reason, status.message, causes)


def port_error(error: ApiError) -> EngineError:
    """Returns the error of the port for a refusal that the caller does not handle itself."""
    found: EngineError
    if error.is_unauthenticated:
        found = EngineUnavailable(f"the API server refuses jobd's credentials: {error}", answered=True)
        found.remedy = "renew the token or certificate in the kubeconfig"
    elif error.is_over_quota:
        found = EngineUnavailable(str(error), answered=True)
        found.remedy = "raise the ResourceQuota of the namespace, or wait for other Pods to end"
    elif error.code == 403 and _TERMINATING in error.causes:
        found = RefusedByEngine(f"the namespace is being deleted: {error}")
        found.remedy = "choose another namespace (KUBERNETES_NAMESPACE)"
    elif error.code == 403:
        found = RefusedByEngine(f"the API server forbids that: {error}")
        found.remedy = "apply the Role in docs/kubernetes.md"
    elif error.code in _PASSING:
        found = EngineUnavailable(f"the API server answered {error.code}: {error}", answered=True)
    else:
        found = RefusedByEngine(f"the API server refused that: {error}")
    return found
