"""The state of a job's Pod, and what became of its reads. `mapping/facts.py` interprets a Pod."""

from jobd.clock import Clock
from jobd.jobs.port.model import JobRef, Observation
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.models import Pod
from jobd.kubernetes.pods.api import PodApi, ref_of, translated


class Observing:
    """Observes the Pods of one jobd."""

    def __init__(self, api: PodApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def observe(self, ref: JobRef) -> Observation:
        """Returns the state of this attempt's Pod, or without one that of the job's latest. Raises EngineUnavailable, RefusedByEngine."""
        with translated():
            pod = await self._api.of_attempt(ref)
            if pod is None:  # perhaps that of another attempt is left
                pod = next(iter(await self._api.of_job(ref)), None)
        own = None if pod is None else ref_of(pod, self._api.instance)
        if pod is None or own is None or is_removed(pod):
            return Observation(None, None)
        now = self._clock.now()
        return Observation(
            facts.facts(pod, "worker", own.attempt, now), facts.facts(pod, "sidecar", own.attempt, now)
        )


def is_removed(pod: Pod) -> bool:
    """Returns whether a Pod was deleted before its worker ran, and no longer can run."""
    if pod.metadata.deletion_timestamp is None or facts.has_run(pod):
        return False
    return not pod.spec.node_name or pod.status.phase in facts.ENDED_PHASES
