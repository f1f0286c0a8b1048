"""`--after @last` and `--in PATH=job:@last/...`: the id of the user's newest job in place of `@last`."""

from typing import Any

from jobctl.connection.client import Client
from jobctl.job.spec.plan import Plan
from jobctl.selection.ids import LAST, resolve


def with_last_job(client: Client, plan: Plan) -> Plan:
    """Returns the plan with the id of the user's newest job for each dependency on `@last`, and for each input from `@last`.

    Raises:
        NotFound: the user has no jobs. Unreachable, ConnectionLost, NotAllowed, Refused.
    """
    entries = [*plan.spec.get("after", ()), *plan.spec.get("artifacts", ())]
    if not any(isinstance(entry, dict) and entry.get("job") == LAST for entry in entries):
        return plan
    last_id = resolve(client, LAST)

    def named(entry: Any) -> Any:
        is_last = isinstance(entry, dict) and entry.get("job") == LAST
        return {**entry, "job": last_id} if is_last else entry

    spec = dict(plan.spec)
    if spec.get("after"):
        after: list[Any] = []
        for dependency in map(named, spec["after"]):
            if dependency not in after:
                after.append(dependency)
        spec["after"] = after
    if spec.get("artifacts"):
        spec["artifacts"] = [named(artifact) for artifact in spec["artifacts"]]
    return Plan(spec, plan.uploads, plan.fetches)
