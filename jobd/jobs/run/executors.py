"""The three executors of one job's actions, made together at the first use.

Thousands of jobs may wait for a place, and an executor has followers, locks and callbacks: a waiting job has none.
"""

from collections.abc import Callable

from jobd.jobs.port.model import Progress
from jobd.jobs.run.dependencies import Dependencies
from jobd.jobs.run.execution import Execution
from jobd.jobs.run.job_state import JobState
from jobd.jobs.run.output_collection import Collection
from jobd.jobs.run.preparation import Preparation
from jobd.jobs.state.observed_state import ObservedState


class Executors:
    """What executes the actions of one job. `say` gets the progress of a preparation."""

    __slots__ = ("collection", "execution", "preparation")

    def __init__(
        self,
        job_state: JobState,
        observed_state: ObservedState,
        deps: Dependencies,
        say: Callable[[Progress | None], None],
    ) -> None:
        self.preparation = Preparation(job_state, observed_state, deps.engine, deps, say)
        self.execution = Execution(job_state, observed_state, deps.engine, deps)
        self.collection = Collection(job_state, deps.engine, deps)

    def interrupt(self) -> None:
        """Cancels what delays a user's request."""
        self.preparation.interrupt()
        self.execution.interrupt()
        self.collection.interrupt()
