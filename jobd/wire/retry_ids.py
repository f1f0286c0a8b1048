"""The ids of retries: `train-retry-1`, `train-retry-2` for the job `train`. Pure; jobd and jobctl derive the same ids."""

import re
from collections.abc import Iterable

from jobd.wire.validation.limits import MAX_ID

_INFIX = "-retry-"
RETRY_DIGITS = 8
_RETRY = re.compile(rf"(.+){_INFIX}([1-9][0-9]{{0,{RETRY_DIGITS - 1}}})\Z", re.ASCII)


def retry_prefix(job_id: str) -> str:
    """Returns how the ids of a job's retries begin: `train-retry-` for `train` and for `train-retry-3`. A long id is cut."""
    found = _RETRY.match(job_id)
    name = found[1] if found else job_id
    return name[: MAX_ID - len(_INFIX) - RETRY_DIGITS - 1] + _INFIX


def next_retry_id(prefix: str, used: Iterable[str]) -> str:
    """Returns the id after those in `used` that begin with `prefix`; other ids do not count."""
    numbers = (_RETRY.match(job_id) for job_id in used if job_id.startswith(prefix))
    highest = max((int(found[2]) for found in numbers if found and found[1] + _INFIX == prefix), default=0)
    return f"{prefix}{highest + 1}"
