"""The types of the values that each command prints with --json.

Owns the table; `outputs` has the types of jobctl itself by subject, and the daemon's types are in
`jobd.wire.views`. Tests compare them with real output.
"""

from jobd.wire.views.deliveries import DeliveryList
from jobd.wire.views.job import JobView
from jobd.wire.views.log import LogEnd
from jobd.wire.views.queue import GroupView, QueueView
from jobd.wire.views.statistics import Statistics
from scripts.manual.outputs import daemon, events, jobs, queue, views

OUTPUTS: dict[str, tuple[tuple[type, ...], bool]] = {
    "run": ((jobs.Submitted, views.RunLine, LogEnd, views.SetEnded), True),
    "run -d": ((jobs.Submitted, jobs.SetSubmitted), False),
    "submit": ((jobs.Submitted, jobs.SetSubmitted), False),
    "sweep": ((views.SetEnded,), False),
    "sweep -d": ((jobs.SetSubmitted,), False),
    "sweep --dry-run": ((jobs.SetPlanned,), False),
    "sets": ((views.SetsOfList,), False),
    "ls": ((views.JobsOfList,), False),
    "ls --watch": ((JobView,), True),
    "top": ((views.JobsOfTop,), False),
    "stats": ((Statistics,), False),
    "show": ((views.JobsShown,), False),
    "explain": ((views.JobsExplained,), False),
    "logs": ((views.LogLineOf, views.LogEndOf), True),
    "wait": ((jobs.Waited, views.SetEnded), True),
    "bump": ((queue.Bumped,), False),
    "pause": ((QueueView, queue.Paused), False),
    "resume": ((QueueView, queue.Resumed), False),
    "group": ((QueueView, GroupView, queue.RemovedGroups), False),
    "retry": ((jobs.JobsRetried,), False),
    "cancel": ((jobs.Cancelling,), False),
    "rm": ((jobs.Removed,), False),
    "prune": ((jobs.Pruned,), False),
    "cp": ((jobs.Copied,), False),
    "fetch": ((jobs.Fetched,), False),
    "validate": ((jobs.Validated,), False),
    "events": ((events.EventLine,), True),
    "deliveries": ((DeliveryList,), False),
    "replay": ((events.Replayed,), False),
    "verify": ((events.Verified,), False),
    "listen": ((events.Received,), True),
    "daemon": ((daemon.DaemonState,), False),
    "doctor": ((daemon.Health,), False),
    "version": ((daemon.Versions,), False),
    "error": ((daemon.Failure,), True),
}
"""output -> the types of its values, and whether it has one value a line (NDJSON) instead of a single value"""
