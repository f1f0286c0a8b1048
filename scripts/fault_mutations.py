"""The mutations of the fault tests: each one removes a property that a row of the fault matrix relies on, and the named test must fail.

`scripts/mutations` has a module for each part of the code; `mutate_faults.py` runs the mutations.
"""

from scripts.mutations import (
    api,
    bounds,
    docker,
    events,
    jobctl_names,
    jobctl_queue,
    jobs,
    jobs_run,
    jobs_state,
    logs,
    pauses,
    scheduling,
    sets,
    sidecar,
    store,
)

MUTATIONS = (
    *api.MUTATIONS,
    *bounds.MUTATIONS,
    *docker.MUTATIONS,
    *events.MUTATIONS,
    *jobctl_names.MUTATIONS,
    *jobctl_queue.MUTATIONS,
    *jobs.MUTATIONS,
    *jobs_run.MUTATIONS,
    *jobs_state.MUTATIONS,
    *logs.MUTATIONS,
    *pauses.MUTATIONS,
    *scheduling.MUTATIONS,
    *sets.MUTATIONS,
    *sidecar.MUTATIONS,
    *store.MUTATIONS,
)
