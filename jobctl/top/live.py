"""The live display of `jobctl top`: reads the jobs and the keys, draws, and carries out what the keys ask for.

`controls.py` decides what a key means. `output/live/live_terminal.py` restores the terminal on every way out.
"""

import json
import sys
import time
from datetime import UTC, datetime

from jobctl.connection.client import Client
from jobctl.errors import ConnectionLost, JobctlError, NotFound, Unreachable
from jobctl.job.requests.cancellation import request_cancel
from jobctl.job.requests.pausing import request_job_pause, request_pause
from jobctl.output.drawing import LiveDisplay
from jobctl.output.live.live_table import draw, live_display
from jobctl.output.live.live_terminal import LiveTerminal
from jobctl.output.usage import CpuSamples
from jobctl.selection.groups import QUEUE
from jobctl.top import controls
from jobctl.top.active_jobs import Counts, Job, poll, summary
from jobctl.top.controls import Action, Controls
from jobctl.top.log_screen import show_log
from jobctl.top.rows import TABLE, row

MOST_SHOWN = 200
REDRAW_S = 1.0
"""The longest time between two drawings: ages grow, messages end, and the terminal gets another size."""


def watch(client: Client, every_s: float) -> None:
    """Shows the jobs until the user quits. Needs a terminal at stdout.

    Raises:
        JobctlError: the daemon does not answer at the beginning, or refuses the requests. EndedBySignal. KeyboardInterrupt.
    """
    screen = JobScreen(client)
    screen.read()  # an error here is an error of the command; later errors are shown
    try:
        with LiveTerminal() as terminal:
            while (job := _watch_until_log(screen, terminal, every_s)) is not None:
                show_log(client, str(job["id"]), terminal)
                screen.refresh()
    finally:
        sys.stdout.flush()


def _watch_until_log(screen: "JobScreen", terminal: LiveTerminal, every_s: float) -> Job | None:
    """Shows the jobs. Returns the job whose log the user wants to see; None to quit."""
    with live_display() as display:
        while True:
            next_read = time.monotonic() + every_s
            while (left_s := next_read - time.monotonic()) > 0:
                screen.draw(display, has_keys=terminal.has_keys)
                for key in terminal.keys(min(left_s, REDRAW_S)):
                    action = screen.controls.press(key, time.monotonic())
                    if action is not None and action.kind in (controls.QUIT, controls.LOGS):
                        screen.draw(display, has_keys=False)
                        return action.job
                    if action is not None:
                        screen.carry_out(action)
                        next_read = 0.0
            screen.refresh()


class JobScreen:
    """The known jobs, and the state of the keys."""

    def __init__(self, client: Client) -> None:
        self.controls = Controls()
        self._client = client
        self._jobs: list[Job] = []
        self._counts = Counts()
        self._samples = CpuSamples()
        self._title = ""

    def read(self) -> None:
        """Reads the jobs and the state of the queue. Raises JobctlError."""
        self._jobs, self._counts = poll(self._client, datetime.now(UTC), MOST_SHOWN)
        self._samples.add(self._jobs, time.monotonic())
        paused = _queue_is_paused(self._client)
        self.controls.update(self._jobs, all_paused=paused)
        state = "the queue is paused; " if paused else ""
        self._title = f"{state}{summary(self._counts)}; jobd at {self._client.target}"

    def refresh(self) -> None:
        """Reads the jobs. While the daemon does not answer, the title says so, and the last known jobs are shown."""
        try:
            self.read()
        except (ConnectionLost, Unreachable) as error:
            self._title = f"{error.message}; the last known state:"

    def draw(self, display: LiveDisplay, *, has_keys: bool) -> None:
        """Draws the jobs; without keys, no job is selected and no keys are listed."""
        now = datetime.now(UTC)
        draw(
            display,
            TABLE,
            [row(job, now, self._samples.cores(job)) for job in self._jobs],
            self._title,
            self._counts.total - len(self._jobs),
            self.controls.footer(time.monotonic()) if has_keys else "",
            self.controls.selected if has_keys else None,
        )

    def carry_out(self, action: Action) -> None:
        """Sends the request of an action. The line below the table tells the result."""
        try:
            message = self._request(action)
        except JobctlError as error:
            message = error.message
        self.controls.say(message, time.monotonic())

    def _request(self, action: Action) -> str:
        if action.kind in (controls.PAUSE_ALL, controls.RESUME_ALL):
            paused = action.kind == controls.PAUSE_ALL
            request_pause(self._client, QUEUE, paused=paused)
            return "no job starts; running jobs continue" if paused else "jobs start again"
        assert action.job is not None
        job_id = str(action.job["id"])
        if action.kind == controls.CANCEL:
            request_cancel(self._client, job_id)
            return f"cancelling {job_id}"
        paused = action.kind == controls.PAUSE
        request_job_pause(self._client, job_id, paused=paused)
        return f"{job_id} is {'paused' if paused else 'resumed'}"


def _queue_is_paused(client: Client) -> bool:
    try:
        return bool(json.loads(client.get(QUEUE)).get("paused"))
    except NotFound:
        return False  # a daemon without a pause
