"""The mutations of the security tests: each one removes a defence, and the named test must fail.

`scripts/mutations/security` has a module for each part of the code; `mutate_security.py` runs the mutations.
"""

from scripts.mutations.mutation import SecurityMutation
from scripts.mutations.security import api, docker, jobctl, jobs, mounts, sidecar, wire

MUTATIONS: tuple[SecurityMutation, ...] = (
    *api.MUTATIONS,
    *docker.MUTATIONS,
    *jobctl.MUTATIONS,
    *jobs.MUTATIONS,
    *mounts.MUTATIONS,
    *sidecar.MUTATIONS,
    *wire.MUTATIONS,
)
