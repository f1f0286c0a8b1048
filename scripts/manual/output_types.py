"""The types of the values that each command prints with --json.

Owns the table; `outputs` has the types of jobctl itself by subject, and the daemon's types are in
`jobd.wire.view`. Tests compare them with real output.
"""

from jobd.wire import view
from jobd.wire.set_view import SetView
from scripts.manual.outputs import daemon, events, jobs, queue, views

OUTPUTS: dict[str, tuple[tuple[type, ...], bool]] = {
    "run": ((jobs.Submitted, views.RunLine, view.LogEnd, SetView), True),
    "run -d": ((jobs.Submitted, jobs.SetSubmitted), False),
    "submit": ((jobs.Submitted, jobs.SetSubmitted), False),
    "sweep": ((SetView,), False),
    "sweep -d": ((jobs.SetSubmitted,), False),
    "sweep --dry-run": ((jobs.SetPlanned,), False),
    "sets": ((views.SetsOfList,), False),
    "ls": ((views.JobsOfList,), False),
    "ls --watch": ((view.JobView,), True),
    "top": ((views.JobsOfTop,), False),
    "show": ((views.JobsShown,), False),
    "explain": ((views.JobsExplained,), False),
    "logs": ((views.LogLineOf, views.LogEndOf), True),
    "wait": ((jobs.Waited, SetView), True),
    "bump": ((queue.Bumped,), False),
    "pause": ((view.QueueView, queue.Paused), False),
    "resume": ((view.QueueView, queue.Resumed), False),
    "group": ((view.QueueView, view.GroupView, queue.RemovedGroups), False),
    "retry": ((jobs.JobsRetried,), False),
    "cancel": ((jobs.Cancelling,), False),
    "rm": ((jobs.Removed,), False),
    "prune": ((jobs.Pruned,), False),
    "cp": ((jobs.Copied,), False),
    "fetch": ((jobs.Fetched,), False),
    "validate": ((jobs.Validated,), False),
    "events": ((events.EventLine,), True),
    "deliveries": ((view.DeliveryList,), False),
    "replay": ((events.Replayed,), False),
    "verify": ((events.Verified,), False),
    "listen": ((events.Received,), True),
    "doctor": ((daemon.Health,), False),
    "version": ((daemon.Versions,), False),
    "error": ((daemon.Failure,), True),
}
"""output -> the types of its values, and whether it has one value a line (NDJSON) instead of a single value"""
