"""The queue of a daemon whose engine has answered, for tests that are not about the machine."""

from jobd.jobs.admission.queue import AdmissionQueue
from jobd.jobs.port.model import EngineFacts

ROOMY = EngineFacts("x", "1", "1", cpus=64, memory_bytes=1 << 40, platform="linux")


def open_queue(limit: int) -> AdmissionQueue:
    """Returns a queue that only `limit` limits."""
    queue = AdmissionQueue(limit)
    queue.take_engine_facts(ROOMY)
    return queue
