"""All checks over all records. Pure."""

from tests.soak.checks.check_bounds import check_bounds
from tests.soak.checks.check_engine import check_engine
from tests.soak.checks.check_events import check_events
from tests.soak.checks.check_jobs import check_jobs
from tests.soak.checks.check_logs import check_logs
from tests.soak.checks.check_results import CheckResults
from tests.soak.records import Records


def check_all(records: Records, *, final: bool) -> CheckResults:
    """Runs all checks. Without `final`, jobs and deliveries need not have ended yet."""
    results = CheckResults()
    check_jobs(records, results, final=final)
    check_engine(records, results, final=final)
    check_events(records, results, final=final)
    check_logs(records, results, final=final)
    check_bounds(records, results)
    return results
