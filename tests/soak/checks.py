"""All checks over all records. Pure."""

from tests.soak.check_bounds import check_bounds
from tests.soak.check_engine import check_engine
from tests.soak.check_events import check_events
from tests.soak.check_jobs import check_jobs
from tests.soak.check_logs import check_logs
from tests.soak.records import Records
from tests.soak.tally import Tally


def check_all(records: Records, *, final: bool) -> Tally:
    """Returns what was checked and what was found. Without `final` nothing is expected to have come to its end yet."""
    tally = Tally()
    check_jobs(records, tally, final=final)
    check_engine(records, tally, final=final)
    check_events(records, tally, final=final)
    check_logs(records, tally, final=final)
    check_bounds(records, tally)
    return tally
