"""The cluster's version and size, as the port's facts.

Source: Kubernetes API v1, NodeList; docs/kubernetes.md, "Rights".
"""

import msgspec

from jobd.jobs.port.model import EngineFacts
from jobd.kubernetes.http.client import Client
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping.models import NodeList, Version
from jobd.kubernetes.mapping.quantities import number
from jobd.kubernetes.pods.api import translated

UNKNOWN_CPUS, UNKNOWN_MEMORY = 100_000, 1 << 50
"""The size of a cluster whose nodes jobd may not list: its quota and scheduler decide."""


class Probe:
    """Asks one API server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def probe(self) -> EngineFacts:
        """Returns the cluster's facts. Raises EngineUnavailable, RefusedByEngine."""
        with translated():
            answer = await self._client.call("version", "GET", "/version")
            version = msgspec.json.decode(answer, type=Version)
            # A namespace may be forbidden while the version is public.
            await self._client.call("pod-list", "GET", self._client.pods, params={"limit": "1"})
            nodes = await self._nodes()
        cpus, memory = UNKNOWN_CPUS, UNKNOWN_MEMORY
        if nodes is not None:
            free = [one.status.allocatable for one in nodes.items if not one.spec.unschedulable]
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
                "nodes": "not listed" if nodes is None else str(len(nodes.items)),
            },
            shares_files=False,
        )

    async def _nodes(self) -> NodeList | None:
        """Returns the nodes; None without the right to list them."""
        try:
            answer = await self._client.call("node-list", "GET", "/api/v1/nodes", params={"limit": "500"})
        except ApiError as error:
            if error.code == 403:
                return None
            raise
        return msgspec.json.decode(answer, type=NodeList)
