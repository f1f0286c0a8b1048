"""What jobd keeps of an answered request until the answer is stored: ids, destination and settlements, no body, URL or key.

The store may be slow or fail for a long time while many answers wait: no waiting answer may keep the sent bytes.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Self

import msgspec

from jobd.events.delivery.policies.response_policy import Answer
from jobd.store.tables.delivery_rows import Due, Settlement


class Answered(msgspec.Struct, frozen=True):
    """The deliveries of one answered request; the texts of the first delivery are shorter than 9 KiB together.

    `id`, `job_uid`, `job_id`, `destination`: of the first delivery. `created`: when the event of each was created. `settlements`: of
    each; empty if the store no longer had the delivery, and then no `answer`. `job_continues`: the job's next delivery is queued
    already.
    """

    id: int
    job_uid: str
    job_id: str
    destination: str
    answer: Answer | None = None
    created: Sequence[datetime] = ()
    settlements: Sequence[Settlement] = ()
    job_continues: bool = False

    @classmethod
    def of(
        cls,
        first: Due,
        answer: Answer | None = None,
        run: Iterable[Due] = (),
        settlements: Sequence[Settlement] = (),
        *,
        job_continues: bool = False,
    ) -> Self:
        """Returns the kept values of the deliveries `run`, which begin with `first`."""
        names = (first.id, first.job_uid, first.job_id, first.destination)
        return cls(*names, answer, [due.created_at for due in run], settlements, job_continues)
