"""Mutations of the Python client."""

from scripts.mutations.mutation import Mutation

_WAITS = "tests/integration/jobctl/client/test_client_waits.py"
_REQUESTS = "tests/integration/jobctl/client/test_client_requests.py"

MUTATIONS = (
    Mutation(
        "client: a submission whose answer is lost is sent again without a key",
        "jobctl/job/requests/submission.py",
        """            if is_sent:
                headers["Idempotency-Key"] = key
""",
        "",
        f"{_REQUESTS}::test_an_answer_that_is_lost_is_asked_for_again_and_the_job_is_submitted_once",
    ),
    Mutation(
        "client: a submission does not wait for a daemon that is away",
        "jobctl/sdk/submission.py",
        "            waits=True,\n",
        "",
        f"{_REQUESTS}::test_a_submission_waits_for_a_daemon_that_is_away",
    ),
    Mutation(
        "client: a daemon that stays away is waited for without an end",
        "jobctl/sdk/core.py",
        "                if now - began > self.reconnect_for_s:",
        "                if False:",
        f"{_WAITS}::test_a_daemon_that_stays_away_ends_calls_and_waits",
    ),
    Mutation(
        "client: each wait has a thread",
        "jobctl/sdk/watcher.py",
        "            if self._thread is None:",
        "            if True:",
        f"{_WAITS}::test_many_threads_wait_for_jobs_through_one_thread",
    ),
    Mutation(
        "client: a closed client leaves its waits",
        "jobctl/sdk/core.py",
        "            self.check_open()\n            try:",
        "            try:",
        f"{_WAITS}::test_a_closed_client_ends_its_waits_and_makes_no_requests",
    ),
    Mutation(
        "client: a stream that is closed waits for its next line",
        "jobctl/sdk/streams.py",
        "                self._connection.shutdown(2)",
        "                pass",
        f"{_WAITS}::test_a_stream_is_ended_by_another_thread",
    ),
)
