"""Recovery after a restart: loads the settings of groups, starts a supervisor for each job that has not ended, and removes stale uploads and secrets.

Decides nothing about a job: `jobs/state/next_action.py` chooses what follows, after a restart as in normal operation.
"""

import logging

from jobd.composition.jobs import Jobs
from jobd.jobs.secrets import SecretFiles
from jobd.jobs.stored import readable
from jobd.metrics.jobs import JobObserver
from jobd.process.state_folder import StateFolder, remove_stale_uploads
from jobd.store.store import Store

log = logging.getLogger(__name__)


async def recover(jobs: Jobs, store: Store, folder: StateFolder, observer: JobObserver) -> None:
    """Starts a supervisor for each stored job that has not ended. Raises StoreError."""
    await jobs.groups.load()
    rows = await store.live_rows()
    records = readable(rows)
    kept = {row.uid for row in rows}  # with the unreadable records
    remove_stale_uploads(folder, kept)
    SecretFiles(folder.secrets).remove_all_but(kept - {record.uid for record in records if record.ended})
    for record in records:
        if not record.ended:
            observer.resumed(record.image or (await jobs.repository.spec(record.uid)).image)
    jobs.supervisors.start_all(records)
    if records:
        log.info("jobs recovered", extra={"action": "recover", "count": len(records)})
