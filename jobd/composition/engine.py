"""The container engine that jobs run on, chosen by JOBD_ENGINE.

Owns the list of engines (`settings/parse.py` has their names). The code of an engine is imported only if that engine is chosen.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from jobd.errors import ConfigError
from jobd.jobs.port.errors import RefusedByEngine
from jobd.jobs.port.protocols import EnginePort
from jobd.settings.config import Config

AUTO_SANDBOXES = 32
"""The most network sandboxes if SANDBOX_POOL sets no number."""
OnCall = Callable[[str, float, bool], None]
"""Called after each control call with its name, its seconds, and whether the engine answered successfully."""


class Engine(EnginePort, Protocol):
    """An orchestrator whose connections the composition root closes."""

    async def close(self) -> None:
        """Ends all connections."""
        ...


def build_engine(config: Config, instance: str, on_call: OnCall) -> Engine:
    """Returns the engine in the settings. Must be called inside the running event loop.

    Raises:
        ConfigError: the engine's own settings are invalid.
    """
    return ENGINES[config.engine](config, instance, on_call)


def engine_remedies(config: Config) -> Mapping[str, Sequence[str]]:
    """Returns the remedies with the engine's own commands, by problem."""
    return REMEDIES[config.engine]()


def engine_limits(config: Config) -> Mapping[str, str]:
    """Returns what jobs have on another engine and not on this one, and why."""
    return LIMITS[config.engine]()


def check_engine(config: Config) -> None:
    """Raises ConfigError if the engine's own settings are invalid. Asks no engine."""
    CHECKS[config.engine](config)


def _check_docker(_: Config) -> None:
    from jobd.docker.http.endpoint import endpoint

    try:
        endpoint(os.environ)
    except RefusedByEngine as error:
        raise ConfigError([f"DOCKER_HOST: {error}; {error.remedy}"]) from None


def _docker(config: Config, instance: str, on_call: OnCall) -> Engine:
    from jobd.docker.mapping.settings import MIN_LOG_BYTES, DockerSettings
    from jobd.docker.orchestrator import DockerOrchestrator

    settings = DockerSettings(
        instance=instance,
        sidecar_image=config.sidecar_image,
        extra_hosts=config.extra_hosts,
        # The engine rotates by raw bytes: keep twice the bytes that jobd stores.
        log_max_bytes=max(2 * config.log_max_bytes, MIN_LOG_BYTES),
        sandbox_pool=min(config.max_concurrent_jobs, AUTO_SANDBOXES)
        if config.sandbox_pool is None
        else config.sandbox_pool,
    )
    try:
        return DockerOrchestrator(settings, on_call=on_call)
    except RefusedByEngine as error:
        raise ConfigError([f"DOCKER_HOST: {error}"]) from None


def _docker_remedies() -> Mapping[str, Sequence[str]]:
    from jobd.docker.remedies import REMEDIES as DOCKERS

    return DOCKERS


def _check_kubernetes(config: Config) -> None:
    from jobd.kubernetes.http.kubeconfig import access

    _refuse_hosts(config)
    try:
        access(os.environ, context=config.kubernetes_context, namespace=config.kubernetes_namespace)
    except RefusedByEngine as error:
        raise ConfigError([f"KUBECONFIG: {error.advice}"]) from None


def _kubernetes(config: Config, instance: str, on_call: OnCall) -> Engine:
    from jobd.kubernetes.mapping.settings import KubernetesSettings
    from jobd.kubernetes.orchestrator import KubernetesOrchestrator

    _refuse_hosts(config)
    settings = KubernetesSettings(instance, config.sidecar_image, config.kubernetes_pull_secrets)
    try:
        return KubernetesOrchestrator(
            settings,
            context=config.kubernetes_context,
            namespace=config.kubernetes_namespace,
            on_call=on_call,
        )
    except RefusedByEngine as error:
        raise ConfigError([f"KUBECONFIG: {error.advice}"]) from None


def _refuse_hosts(config: Config) -> None:
    if config.extra_hosts:
        raise ConfigError(
            ["EXTRA_HOSTS: jobd adds no hosts to a Pod; with JOBD_ENGINE=kubernetes leave it out"]
        )


def _kubernetes_remedies() -> Mapping[str, Sequence[str]]:
    from jobd.kubernetes.remedies import REMEDIES as CLUSTERS

    return CLUSTERS


def _no_limits() -> Mapping[str, str]:
    return {}


def _kubernetes_limits() -> Mapping[str, str]:
    from jobd.kubernetes.limits import LIMITS as OF_CLUSTERS

    return OF_CLUSTERS


ENGINES: Mapping[str, Callable[[Config, str, OnCall], Engine]] = {
    "docker": _docker,
    "kubernetes": _kubernetes,
}
CHECKS: Mapping[str, Callable[[Config], None]] = {
    "docker": _check_docker,
    "kubernetes": _check_kubernetes,
}
"""Reads the engine's own settings, as its builder does."""
REMEDIES: Mapping[str, Callable[[], Mapping[str, Sequence[str]]]] = {
    "docker": _docker_remedies,
    "kubernetes": _kubernetes_remedies,
}
LIMITS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "docker": _no_limits,
    "kubernetes": _kubernetes_limits,
}
