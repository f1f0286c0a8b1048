"""The state of the fake engine, and the calls by which tests inject faults into it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal

from jobd.clock import Clock, SystemClock
from jobd.jobs.port.errors import (
    EngineUnavailable,
    StartFailed,
)
from jobd.jobs.port.hints import Changed
from jobd.jobs.port.model import (
    ContainerState,
    EndCause,
    EngineFacts,
    JobRef,
    Role,
    Unsupported,
)
from jobd.wire.job import JobSpec
from tests.support.fakes.containers import Container, Job
from tests.support.fakes.hints import Hints
from tests.support.fakes.sidecar import SidecarScript
from tests.support.fakes.worker import WorkerScript
from tests.support.fakes.world import World

_TAR_CHUNK = 64 * 1024


async def _at_once() -> None:
    pass


class Controls:
    """Belongs to one event loop. `workers` and `sidecars` hold scripts by job id; a container without a script succeeds.
    A list of sidecar scripts has one per start; the last one stays.

    `missing_images`: cannot be pulled. `refuse_create`: why `prepare` is refused. `refuse_freeze`: why
    no worker can be frozen, and `refuse_thaw`: thawed. `errors`: transient errors by the name of the call;
    those of `prepare` by its parts, "pull" and "create". `before_pull_ends` is awaited within each pull; `pulls` counts them.
    `lose_start`: the answer to `start_worker` is lost, `before` or `after` the start took effect; `late`: the start takes effect at
    `let_starts_arrive`. `before_removal` is called before the removal of a container that has not run. `unreadable_logs`: the roles
    whose logs the engine does not return. `commands`: the scripts of commands beside workers, by their first argument. `keeps_files`: False if files are gone with the worker's end. `lacks`: fields that the engine does not have. `starts_later`: why the engine carries out no start before `carry_out_start`. `starts` lists the started workers, in order.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.workers: dict[str, WorkerScript] = {}
        self.commands: dict[str, WorkerScript] = {}
        self.sidecars: dict[str, SidecarScript | list[SidecarScript]] = {}
        self.missing_images: set[str] = set()
        self.sidecar_image_missing = False
        self.refuse_create: str | None = None
        self.refuse_freeze: str | None = None
        self.refuse_thaw: str | None = None
        self.errors: dict[str, str] = {}
        self.lose_start: Literal["before", "after", "late"] | None = None
        self.before_pull_ends: Callable[[], Awaitable[None]] = _at_once
        self.pulls = 0
        self.keeps_files = True
        self.before_removal: Callable[[], None] = lambda: None
        self.unreadable_logs: set[Role] = set()
        self.facts = EngineFacts(
            name="fake", version="0", api_version="0", cpus=4, memory_bytes=8 << 30, platform="linux/amd64"
        )
        self.lacks: list[Unsupported] = []
        self.starts_later = ""
        self.starts: list[JobRef] = []
        self._away = False
        self._late: list[tuple[JobRef, str]] = []
        self._hints = Hints()
        self._world = World(clock or SystemClock(), self._hints)

    def unsupported(self, spec: JobSpec) -> Unsupported | None:
        """Returns the first field that the spec sets and a test has put into `lacks`."""
        default = JobSpec(id=spec.id, image=spec.image)
        return next(
            (one for one in self.lacks if getattr(spec, one.field) != getattr(default, one.field)), None
        )

    @property
    def away(self) -> bool:
        """True while every call raises EngineUnavailable. Containers continue meanwhile."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        self._hints.wake()

    @property
    def hints_say_all(self) -> bool:
        """True if hints of a start or an end carry facts, as Docker's do."""
        return self._world.hints_say_all

    @hints_say_all.setter
    def hints_say_all(self, all_: bool) -> None:
        self._world.hints_say_all = all_

    def end(
        self,
        job_id: str,
        role: Role,
        exit_code: int | None,
        *,
        cause: EndCause = EndCause.OWN_EXIT,
        told_late: bool = False,
    ) -> None:
        """Ends a running container, by itself or for another cause. `told_late`: the kernel killed the container for its memory, and
        its facts lack that cause.
        """
        job = self._world.jobs.get(job_id)
        if job is not None and (box := job.of(role)) is not None:
            if told_late:
                self._world.late_memory_kills.add(box.facts.id)
            self._world.end(job, role, box, exit_code, cause)

    def signal_from_outside(self, job_id: str, role: Role, exit_code: int) -> None:
        """Sends an external signal; the container ends with `exit_code`."""
        job = self._world.jobs.get(job_id)
        if job is not None and (box := job.of(role)) is not None and box.running:
            self._world.signal_from_outside(job, role, box, exit_code)

    def thaw_from_outside(self, job_id: str) -> None:
        """Thaws a frozen worker, as another program would."""
        job = self._world.jobs.get(job_id)
        if job is not None and job.worker is not None:
            self._world.thaw(job.worker)

    def interrupt_hints(self) -> None:
        """Breaks the streams of hints, which reconnect at once."""
        self._hints.interrupt()

    def restart(self) -> None:
        """Stops the engine with all running containers, and starts the engine again."""
        self._world.stop_all()
        self.interrupt_hints()

    def remove_by_hand(self, job_id: str, role: Role) -> None:
        """Removes one container, as another program would."""
        self.signal_from_outside(job_id, role, 137)
        if (job := self._world.jobs.get(job_id)) is not None:
            self._world.drop(job, role)

    def let_starts_arrive(self) -> None:
        """Executes the delayed starts; a start of a removed container, or one that has run, does nothing."""
        late, self._late = self._late, []
        for ref, container_id in late:
            job = self._world.find(ref)
            box = job.worker if job is not None else None
            if job is not None and box is not None and box.facts.id == container_id:
                self._start(job, box)

    def carry_out_start(self, job_id: str) -> None:
        """Starts a worker whose start is under way."""
        job = self._world.jobs[job_id]
        assert job.worker is not None
        self._start(job, job.worker)

    def refuse_image(self, job_id: str, error: str) -> None:
        """Ends a start that is under way: the worker's image is not available."""
        job = self._world.jobs[job_id]
        assert job.worker is not None
        job.worker.facts = replace(job.worker.facts, image_unavailable=True, error=error)
        self._hints.send(Changed(job.ref.uid, "worker"))

    def forget_events(self) -> None:
        """Forgets the events of removed containers, as an engine's bounded buffer does."""
        self._world.forget_events()

    async def close(self) -> None:
        """Ends all runs; the containers stay as they are."""
        await self._world.close()

    def _here(self, call: str = "") -> None:
        if self._away:
            raise EngineUnavailable("the engine is away")
        if call in self.errors:
            raise EngineUnavailable(self.errors[call], answered=True)

    def _begin_start(self, box: Container) -> ContainerState:
        box.facts = replace(box.facts, state=ContainerState.STARTING, pending=self.starts_later)
        return box.facts.state

    def _start(self, job: Job, box: Container) -> None:
        if box.facts.started_at is not None:
            return
        script = self.workers.get(job.ref.id, WorkerScript())
        if script.start_error is not None:
            code, text = script.start_error
            box.facts = replace(box.facts, exit_code=code, error=text)
            raise StartFailed(text, code)
        self.starts.append(job.ref)
        self._world.start_worker(job, box, script)

    def _sidecar_script(self, job_id: str) -> SidecarScript:
        script = self.sidecars.get(job_id, SidecarScript())
        if isinstance(script, list):
            return script.pop(0) if len(script) > 1 else script[0]
        return script
