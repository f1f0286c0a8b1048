"""The cluster's version and size, and the rights that jobd lacks, as the port's facts.

Source: Kubernetes API v1, NodeList; Kubernetes documentation, "Authorization"; docs/kubernetes.md, "Rights".
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from jobd.clock import Clock
from jobd.jobs.port.errors import RefusedByEngine
from jobd.jobs.port.model import EngineFacts
from jobd.kubernetes.http.client import Client
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import rights
from jobd.kubernetes.mapping.models import AccessReview, NodeList, RulesReview, Version
from jobd.kubernetes.mapping.quantities import number
from jobd.kubernetes.pods.api import translated
from jobd.kubernetes.remedies import REMEDIES

UNKNOWN_CPUS, UNKNOWN_MEMORY = 100_000, 1 << 50
"""The size of a cluster whose nodes jobd may not list: its quota and scheduler decide."""
KNOWN_S = 60.0
"""Nodes and rights change rarely: they are asked for again after this time, or at once while a right is missing."""
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubject"


class Probe:
    """Asks one API server."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known_until = 0.0
        self._nodes: NodeList | None = None
        self._missing: tuple[str, ...] = ()

    async def probe(self) -> EngineFacts:
        """Returns the cluster's facts. Raises EngineUnavailable, RefusedByEngine: also without the right to list Pods."""
        with translated():
            answer = await self._client.call("version", "GET", "/version")
            version = msgspec.json.decode(answer, type=Version)
            await self._ask_rarely()
            # A namespace may be forbidden while the version is public.
            await self._client.call("pod-list", "GET", self._client.pods, params={"limit": "1"})
        cpus, memory = UNKNOWN_CPUS, UNKNOWN_MEMORY
        if self._nodes is not None:
            free = [one.status.allocatable for one in self._nodes.items if not one.spec.unschedulable]
            cpus = max(int(sum(number(one.get("cpu", "0")) for one in free)), 1)
            memory = int(sum(number(one.get("memory", "0")) for one in free))
        access = self._client.access
        return EngineFacts(
            name="kubernetes",
            version=version.git_version,
            api_version="v1",
            cpus=cpus,
            memory_bytes=memory,
            platform=version.platform,
            has_sidecar_image=True,  # the cluster pulls the image for the first job that needs it
            details={
                "namespace": access.namespace,
                "context": access.context,
                "nodes": "not listed" if self._nodes is None else str(len(self._nodes.items)),
            },
            shares_files=False,
            problems=self._missing,
        )

    async def _ask_rarely(self) -> None:
        now = self._clock.monotonic()
        if now < self._known_until and not self._missing:
            return
        missing = await self._missing_rights()
        self._missing = rights.sentences(missing, self._client.access.namespace)
        if any((one.resource, one.verb) == ("pods", "list") for one in missing):
            error = RefusedByEngine(self._missing[0])
            (error.remedy,) = REMEDIES["engine-problem"]
            raise error
        self._nodes = await self._all_nodes()
        self._known_until = now + KNOWN_S

    async def _missing_rights(self) -> list[rights.Right]:
        """Returns the rights that jobd surely lacks."""
        namespace = self._client.access.namespace
        try:
            answer = await self._review("rules", {"namespace": namespace})
            told = msgspec.json.decode(answer, type=RulesReview).status
            missing = rights.missing(told.resource_rules)
            if told.incomplete:  # some authorizers answer single questions alone
                allowed = await asyncio.gather(*(self._is_allowed(one, namespace) for one in missing))
                missing = [one for one, yes in zip(missing, allowed, strict=True) if not yes]
        except ApiError as error:
            if error.code in (403, 404):
                return []  # the cluster does not answer such questions
            raise
        return missing

    async def _is_allowed(self, right: rights.Right, namespace: str) -> bool:
        resource, _, part = right.resource.partition("/")
        question = {"namespace": namespace, "verb": right.verb, "resource": resource, "subresource": part}
        answer = await self._review("access", {"resourceAttributes": question})
        return msgspec.json.decode(answer, type=AccessReview).status.allowed

    async def _review(self, kind: str, question: Mapping[str, Any]) -> bytes:
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": f"SelfSubject{kind.capitalize()}Review",
            "spec": question,
        }
        return await self._client.call(f"{kind}-review", "POST", f"{REVIEWS}{kind}reviews", body=body)

    async def _all_nodes(self) -> NodeList | None:
        """Returns the nodes; None without the right to list them."""
        try:
            answer = await self._client.call("node-list", "GET", "/api/v1/nodes", params={"limit": "500"})
        except ApiError as error:
            if error.code == 403:
                return None
            raise
        return msgspec.json.decode(answer, type=NodeList)
