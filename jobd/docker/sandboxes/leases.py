"""Which job's containers use which sandbox, and when a sandbox is free again. Pure.

A sandbox is leased to one attempt of one job, from before its containers are created until all of them have ended or are removed.
The engine is the record: after a restart the leases are read from the containers that joined.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobd.jobs.port.model import JobRef


@dataclass(slots=True)
class Lease:
    """`sandbox_id` None: the job runs without a sandbox, and counts as demand. `containers`: those that have not ended; empty while
    they are being created.
    """

    sandbox_id: str | None
    containers: set[str] = field(default_factory=set)
    is_creating: bool = True
    is_broken: bool = False
    """The sandbox has ended before the job's containers."""


class Leases:
    """The leases of one jobd. The number is bounded by the jobs that run at once."""

    def __init__(self) -> None:
        self._leases: dict[JobRef, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def sandbox_ids(self) -> set[str]:
        """The leased sandboxes."""
        return {one.sandbox_id for one in self._leases.values() if one.sandbox_id is not None}

    def of(self, ref: JobRef) -> Lease | None:
        """Returns this attempt's lease."""
        return self._leases.get(ref)

    def begin(self, ref: JobRef, sandbox_id: str | None) -> None:
        """Notes a new lease before the containers are created."""
        self._leases[ref] = Lease(sandbox_id)

    def joined(self, ref: JobRef, container_ids: Iterable[str]) -> None:
        """Notes the containers that were created or found for the lease."""
        lease = self._leases.get(ref)
        if lease is not None:
            lease.containers = set(container_ids)
            lease.is_creating = False

    def ended(self, container_id: str) -> str | None:
        """Notes that a container has ended, for good; returns the sandbox that is free by that."""
        for ref, lease in self._leases.items():
            if container_id in lease.containers:
                lease.containers.discard(container_id)
                return None if lease.containers else self.end(ref)
        return None

    def end(self, ref: JobRef) -> str | None:
        """Ends this attempt's lease; returns the sandbox that is free by that."""
        lease = self._leases.pop(ref, None)
        return None if lease is None else lease.sandbox_id

    def end_all(self, uid: str) -> list[str]:
        """Ends the leases of all attempts of a job; returns the sandboxes that are free by that."""
        mine = [ref for ref in self._leases if ref.uid == uid]
        return [sandbox_id for ref in mine if (sandbox_id := self.end(ref)) is not None]

    def broken(self, sandbox_id: str) -> JobRef | None:
        """Notes that a sandbox has ended; returns the attempt whose containers have lost their network."""
        for ref, lease in self._leases.items():
            if lease.sandbox_id == sandbox_id:
                lease.is_broken = True
                return ref
        return None

    def settled(self) -> frozenset[JobRef]:
        """Returns the attempts whose containers are created: a list of containers made from now on holds those that have not ended."""
        return frozenset(ref for ref, lease in self._leases.items() if not lease.is_creating)

    def reconcile(self, settled: frozenset[JobRef], alive: Mapping[JobRef, set[str]]) -> list[str]:
        """Takes the containers that had not ended after `settled` was read; returns the sandboxes that are free by that."""
        free = []
        for ref in settled & self._leases.keys():
            lease = self._leases[ref]
            lease.containers &= alive.get(ref, set())
            if not lease.containers and (sandbox_id := self.end(ref)) is not None:
                free.append(sandbox_id)
        return free

    def adopt(self, ref: JobRef, sandbox_id: str, container_ids: Iterable[str]) -> None:
        """Notes the lease of a job that has run since before this process."""
        if ref not in self._leases:
            self._leases[ref] = Lease(sandbox_id, set(container_ids), is_creating=False)
