"""Negotiates the API version with an engine. Pure.

Source: Docker Engine API, "Versioning" (jobd knows 1.41 to 1.45).
"""

from docker.constants import DEFAULT_DOCKER_API_VERSION

from jobd.jobs.port.errors import EngineUnavailable


def agree(api_version: str, min_api_version: str) -> str:
    """Returns the highest API version that the engine and jobd support.

    Raises: EngineUnavailable: they share no version.
    """
    negotiated = min(api_version, DEFAULT_DOCKER_API_VERSION, key=_ordered)
    if _ordered(negotiated) < _ordered(min_api_version):
        error = EngineUnavailable(
            f"the engine needs API {min_api_version} or newer, jobd supports up to {negotiated}"
        )
        error.remedy = "upgrade jobd, or set DOCKER_MIN_API_VERSION for the engine"
        raise error
    return negotiated


def _ordered(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError as error:
        raise EngineUnavailable(f"{version!r} is not an API version") from error
