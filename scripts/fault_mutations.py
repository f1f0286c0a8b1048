"""What the rows of the fault matrix depend on, each with the change of code that takes it away and the test that must miss it.

Owns the list alone, a file for each part of the code; how they are tried is in `mutate_faults.py`.
"""

from scripts.mutations import api, bounds, docker, events, jobctl_names, jobs, logs, sidecar, store

MUTATIONS = (
    *api.MUTATIONS,
    *bounds.MUTATIONS,
    *docker.MUTATIONS,
    *events.MUTATIONS,
    *jobctl_names.MUTATIONS,
    *jobs.MUTATIONS,
    *logs.MUTATIONS,
    *sidecar.MUTATIONS,
    *store.MUTATIONS,
)
