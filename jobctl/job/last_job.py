"""`--after @last`: the id of the user's newest job in place of `@last`."""

from jobctl.connection.client import Client
from jobctl.job.plan import Plan
from jobctl.selection.ids import LAST, resolve


def with_last_job(client: Client, plan: Plan) -> Plan:
    """Returns the plan with the id of the user's newest job for each dependency on `@last`.

    Raises:
        NotFound: the user has no jobs. Unreachable, ConnectionLost, NotAllowed, Refused.
    """
    last_id = resolve(client, LAST)
    after = []
    for dependency in plan.spec["after"]:
        named = {**dependency, "job": last_id} if dependency["job"] == LAST else dependency
        if named not in after:
            after.append(named)
    return Plan({**plan.spec, "after": after}, plan.uploads, plan.fetches)
