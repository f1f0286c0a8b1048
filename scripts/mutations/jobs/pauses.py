"""Mutations of the pauses of running jobs."""

from scripts.mutations.mutation import Mutation

_STATE = "tests/unit/jobd/jobs/state/test_pause.py"
_JOBS = "tests/integration/jobs/test_pause.py"

MUTATIONS = (
    Mutation(
        "a paused worker starts",
        "jobd/jobs/state/next_action.py",
        "        return actions.Wait(None) if paused else actions.StartWorker()\n",
        "        return actions.StartWorker()\n",
        f"{_STATE}::test_a_worker_of_a_paused_job_does_not_start",
    ),
    Mutation(
        "a pause of the job alone is no pause",
        "jobd/jobs/state/next_action.py",
        "record.paused or group_paused)",
        "group_paused)",
        f"{_STATE}::test_a_jobs_own_pause_and_its_groups_hold_until_both_have_ended",
    ),
    Mutation(
        "a paused job that waits starts",
        "jobd/jobs/admission/queue.py",
        "        own_pause = [OWN_PAUSE] if record.paused else []\n",
        "        own_pause: list[str] = []\n",
        f"{_JOBS}::test_one_job_is_paused_before_its_start_and_while_it_runs",
    ),
    Mutation(
        "a time limit ends a frozen worker",
        "jobd/jobs/state/machine.py",
        "case Running(worker=Started(freeze=None) as worker) as state if now >= worker.deadline:",
        "case Running(worker=Started() as worker) as state if now >= worker.deadline:",
        f"{_STATE}::test_the_time_limit_stands_still_from_the_request_on",
    ),
    Mutation(
        "a pause does not move the deadline",
        "jobd/jobs/state/freezing.py",
        "deadline=worker.deadline + moved)",
        "deadline=worker.deadline)",
        f"{_STATE}::test_a_pause_freezes_the_worker_and_a_resume_thaws_it",
    ),
    Mutation(
        "a freeze is not stored before the engine's call",
        "jobd/jobs/run/execution.py",
        "        await job_state.apply(facts.WorkerFreezing())\n        if job_state.record.end_ordered:\n            return\n",
        "",
        f"{_JOBS}::test_a_pause_waits_for_an_engine_that_is_away",
    ),
    Mutation(
        "a request that did not reach the engine counts as a pause",
        "jobd/jobs/state/freezing.py",
        "    return worker.change(freeze=None)  # the request",
        "    return _closed(worker, now)  # the request",
        f"{_STATE}::test_a_request_that_did_not_reach_the_engine_gives_no_time",
    ),
    Mutation(
        "a worker that does not stay frozen is frozen again and again",
        "jobd/jobs/state/freezing.py",
        "        is_kept = now >= freeze.since + KEPT_FOR\n",
        "        is_kept = True\n",
        f"{_STATE}::test_a_worker_that_is_thawed_at_once_is_not_frozen_again_and_again",
    ),
    Mutation(
        "a thaw that did not reach the engine ends the pause",
        "jobd/jobs/state/freezing.py",
        "freeze.change(confirmed=True, thaw_at=None))",
        "freeze.change(confirmed=True))",
        f"{_STATE}::test_a_thaw_that_did_not_reach_the_engine_ends_nothing",
    ),
    Mutation(
        "a thaw whose answer was lost ends with the observation",
        "jobd/jobs/state/freezing.py",
        "    until = now if freeze.thaw_at is None else min(freeze.thaw_at, now)\n",
        "    until = now\n",
        f"{_STATE}::test_a_thaw_without_an_answer_ends_the_pause_when_it_was_requested",
    ),
    Mutation(
        "the clock's step moves no thaw",
        "jobd/jobs/record/awaited_times.py",
        ', "thaw_at"})',
        "})",
        f"{_STATE}::test_a_step_of_the_clock_changes_no_length",
    ),
    Mutation(
        "a frozen worker gets its stop signal",
        "jobd/jobs/state/next_action.py",
        "    if isinstance(worker, Started) and worker.freeze is not None:\n",
        "    if False:\n",
        f"{_STATE}::test_a_cancel_thaws_the_worker_and_stops_it_at_once",
    ),
    Mutation(
        "a worker that the engine does not thaw is never killed",
        "jobd/jobs/run/execution.py",
        "            if not job_state.record.end_ordered:\n                raise",
        "            if True:\n                raise",
        f"{_JOBS}::test_a_cancel_ends_a_worker_that_the_engine_does_not_thaw",
    ),
    Mutation(
        "a refused freeze is tried again at once",
        "jobd/jobs/state/next_action.py",
        "    if refusal is not None and now < refusal.since + REFUSED_AGAIN:\n",
        "    if False and refusal is not None:\n",
        f"{_STATE}::test_a_refusal_is_kept_and_tried_again_later",
    ),
    Mutation(
        "a worker that another program has thawed runs on",
        "jobd/jobs/state/transitions/on_observed.py",
        "        run = freezing.observed(run, worker.frozen, now)\n",
        "",
        f"{_JOBS}::test_a_worker_that_another_program_thaws_is_frozen_again",
    ),
    Mutation(
        "a start of jobd forgets which pauses hold running jobs",
        "jobd/store/tables/groups.py",
        "freezes=bool(too), ",
        "freezes=False, ",
        "tests/integration/api/jobs/test_groups.py::test_a_pause_of_running_jobs_survives_a_kill_and_ends_with_the_resume",
    ),
    Mutation(
        "a pause wakes no running job",
        "jobd/jobs/run/supervisors.py",
        "            supervisor.wake()\n",
        "            pass\n",
        f"{_JOBS}::test_a_paused_job_is_cancelled_at_once",
    ),
    Mutation(
        "an engine that is asked to thaw a running container answers with an error",
        "jobd/docker/containers/freezing.py",
        " and _NOT_PAUSED not in error.message:",
        ":",
        "tests/contract/test_freezing_contract.py::test_a_worker_is_frozen_and_thawed_and_each_call_may_be_repeated",
    ),
    Mutation(
        "a frozen container is not told from one that runs",
        "jobd/docker/mapping/inspection.py",
        '        frozen=state.status == "paused",\n',
        "",
        "tests/contract/test_freezing_contract.py::test_a_worker_is_frozen_and_thawed_and_each_call_may_be_repeated",
    ),
    Mutation(
        "jobd attaches to a frozen worker, which the engine refuses",
        "jobd/jobs/run/execution.py",
        "            if observation.worker is None or not observation.worker.frozen:",
        "            if True:",
        f"{_JOBS}::test_an_adopted_frozen_worker_is_followed_from_its_thaw_on",
    ),
)
