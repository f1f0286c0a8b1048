"""Mutations of what people see of jobs: statistics, traces and spans."""

from scripts.mutations.mutation import Mutation

_ENDS = "tests/integration/store/test_ends.py"
_STATISTICS = "tests/unit/jobd/jobs/test_statistics.py"
_SPANS = "tests/unit/jobd/metrics/test_span_sink.py"

MUTATIONS = (
    Mutation(
        "statistics count jobs that are deleted",
        "jobd/store/tables/jobs/ends.py",
        "(ends.finished_at, ends.job) < (?, ?) AND jobs.hidden = 0",
        "(ends.finished_at, ends.job) < (?, ?)",
        f"{_ENDS}::test_hidden_and_removed_jobs_are_left_out",
    ),
    Mutation(
        "statistics read the first of several pages again",
        "jobd/store/tables/jobs/ends.py",
        "        before = (finished, number)\n",
        "        before = (finished, number + 1)\n",
        f"{_ENDS}::test_pages_lose_and_repeat_no_job",
    ),
    Mutation(
        "statistics keep the times of all jobs",
        "jobd/jobs/statistics.py",
        "if self._counted > MAX_JOBS:",
        "if self._counted < 0:",
        f"{_STATISTICS}::test_jobs_are_bounded_and_the_response_says_so",
    ),
    Mutation(
        "statistics keep each key",
        "jobd/jobs/statistics.py",
        "if len(self._keys) >= MAX_KEYS:",
        "if len(self._keys) < 0:",
        f"{_STATISTICS}::test_keys_are_bounded",
    ),
    Mutation(
        "a percentile is that of one job more",
        "jobd/jobs/statistics.py",
        "math.ceil(percent * len(found) / 100) - 1",
        "min(percent * len(found) // 100, len(found) - 1)",
        f"{_STATISTICS}::test_percentiles_are_times_of_jobs",
    ),
    Mutation(
        "a repeated attempt forgets the phases of the earlier one",
        "jobd/jobs/record/phase_times.py",
        "after.spent.get(phase, 0) + spent",
        "spent",
        "tests/unit/jobd/jobs/record/test_phase_times.py::test_a_repeated_attempt_adds_to_the_phases",
    ),
    Mutation(
        "an invalid trace is taken",
        "jobd/wire/trace.py",
        'version == "ff"',
        'version == "zz"',
        "tests/unit/jobd/wire/test_trace.py::test_an_invalid_parent_is_ignored_with_its_state",
    ),
    Mutation(
        "the trace of a submission replaces the job's own",
        "jobd/wire/trace.py",
        "return {**trace, **environment}",
        "return {**environment, **trace}",
        "tests/unit/jobd/wire/test_trace.py::test_the_environment_of_the_job_wins",
    ),
    Mutation(
        "a defect of the spans ends a change of a job",
        "jobd/metrics/span_sink.py",
        "        except Exception:\n",
        "        except KeyError:\n",
        f"{_SPANS}::test_a_defect_loses_spans_alone",
    ),
    Mutation(
        "jobd waits for an endpoint that takes no spans",
        "jobd/metrics/otel.py",
        "closing.join(CLOSE_S)",
        "closing.join()",
        f"{_SPANS}::test_an_endpoint_that_does_not_answer_delays_the_end_by_a_bound",
    ),
)
