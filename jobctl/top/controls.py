"""What a key means in `jobctl top`: the selected job, the open question and the line below the table. Pure: the time is an argument."""

from collections.abc import Sequence
from typing import Any

from jobctl.selection.listing import ACTIVE, UNREADABLE
from jobctl.value import Value

QUIT = "quit"
CANCEL = "cancel"
PAUSE = "pause"
RESUME = "resume"
PAUSE_ALL = "pause all"
RESUME_ALL = "resume all"
LOGS = "logs"
MESSAGE_S = 5.0
"""How long the result of a key is shown; the next key ends that too."""
_MOVES = {"j": 1, "down": 1, "k": -1, "up": -1}

Job = dict[str, Any]


class Action(Value):
    """What the user wants: one of the words above. `job`: the job of the action, where it has one."""

    kind: str
    job: Job | None = None


class Controls:
    """The state between the keys. A job stays selected while its row moves."""

    def __init__(self) -> None:
        self._jobs: Sequence[Job] = ()
        self._index = 0
        self._asked: Job | None = None
        self._all_paused = False
        self._message = ""
        self._message_until = 0.0

    @property
    def selected(self) -> int | None:
        """The index of the selected job; None without jobs."""
        return self._index if self._jobs else None

    @property
    def job(self) -> Job | None:
        """The selected job."""
        return self._jobs[self._index] if self._jobs else None

    def update(self, jobs: Sequence[Job], *, all_paused: bool) -> None:
        """Takes the shown jobs in their order. If the selected job is no longer shown, the job in its place is selected."""
        uid = _uid(self.job)
        self._jobs, self._all_paused = jobs, all_paused
        places = [index for index, job in enumerate(jobs) if _uid(job) == uid]
        self._index = places[0] if places else max(0, min(self._index, len(jobs) - 1))

    def say(self, message: str, now: float) -> None:
        """Shows a message below the table for a while."""
        self._message, self._message_until = message, now + MESSAGE_S

    def press(self, key: str, now: float) -> Action | None:
        """Returns what a key asks for; None where the key only changes what is shown, or means nothing."""
        self._message = ""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            if key in ("y", "Y"):
                return Action(CANCEL, asked)
            self.say(f"{asked['id']} is not cancelled", now)
            return None
        if key in ("q", "Q"):
            return Action(QUIT)
        if key == "P":
            return Action(RESUME_ALL if self._all_paused else PAUSE_ALL)
        job = self.job
        if job is None:
            return None
        if key in _MOVES:
            self._index = max(0, min(self._index + _MOVES[key], len(self._jobs) - 1))
        elif key == "l" and job["status"] != UNREADABLE:
            return Action(LOGS, job)
        elif key in ("c", "p", "l"):
            return self._change(key, job, now)
        return None

    def footer(self, now: float) -> str:
        """Returns the line below the table: a question, a message, or the keys."""
        if self._asked is not None:
            return f"cancel {self._asked['id']}? y/n"
        if self._message and now < self._message_until:
            return self._message
        everything = "P resume all" if self._all_paused else "P pause all"
        if self.job is None:
            return f"{everything}  q quit"
        return f"arrows select  c cancel  p {'resume' if _is_paused(self.job) else 'pause'}  {everything}  l logs  q quit"

    def _change(self, key: str, job: Job, now: float) -> Action | None:
        if job["status"] == UNREADABLE:
            self.say(f"the record of {job['id']} is damaged: jobctl explain {job['id']}", now)
        elif job["status"] not in ACTIVE:
            self.say(f"{job['id']} has already ended: {job['status']}", now)
        elif key == "c":
            self._asked = job
        else:
            return Action(RESUME if _is_paused(job) else PAUSE, job)
        return None


def _uid(job: Job | None) -> object:
    return None if job is None else job.get("uid") or job["id"]


def _is_paused(job: Job) -> bool:
    return bool(job.get("paused"))
