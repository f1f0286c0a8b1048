"""The mutations of the fault tests: each one removes a property that a row of the fault matrix relies on, and the named test must fail.

`scripts/mutations` has a module for each part of the code; `mutate_faults.py` runs the mutations.
"""

from scripts.mutations import api, bounds, docker, events, logs, sidecar, statistics, store
from scripts.mutations.jobctl import client, names, queue
from scripts.mutations.jobs import interactive, jobs, pauses, run, scheduling, sets, state

MUTATIONS = (
    *api.MUTATIONS,
    *bounds.MUTATIONS,
    *client.MUTATIONS,
    *docker.MUTATIONS,
    *events.MUTATIONS,
    *names.MUTATIONS,
    *queue.MUTATIONS,
    *interactive.MUTATIONS,
    *jobs.MUTATIONS,
    *run.MUTATIONS,
    *state.MUTATIONS,
    *logs.MUTATIONS,
    *pauses.MUTATIONS,
    *scheduling.MUTATIONS,
    *sets.MUTATIONS,
    *sidecar.MUTATIONS,
    *statistics.MUTATIONS,
    *store.MUTATIONS,
)
