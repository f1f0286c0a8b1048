"""What the rows of the fault matrix depend on, each with the change of code that takes it away and the test that must miss it.

Owns the list alone; how they are tried is in `mutate_faults.py`.
"""

from dataclasses import dataclass

WALK = "test_machine.py::test_any_order_of_facts"


@dataclass(frozen=True, slots=True)
class Mutation:
    """`old` stands once in `file`; with `new` in its place `test`, of the fault tests unless it says where, must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        "a submission is cancelled with its caller",
        "jobd/jobs/intake.py",
        "return await asyncio.shield(storing)",
        "return await storing",
        "tests/integration/jobs/test_submission_cut.py::test_a_job_whose_caller_has_left_runs",
    ),
    Mutation(
        "a stale row is written over a newer one",
        "jobd/store/jobs.py",
        " WHERE uid = ? AND version = ? RETURNING n",
        " WHERE uid = ? AND ? IS NOT NULL RETURNING n",
        "tests/integration/store/test_versions.py::test_a_stale_row_is_refused_and_nothing_of_it_is_kept",
    ),
    Mutation(
        "a change is decided once, whatever others write",
        "jobd/jobs/ledger.py",
        "            with contextlib.suppress(StaleJob):\n                return",
        "            if True:\n                return",
        "tests/integration/jobs/test_lost_updates.py::test_no_order_of_reads_and_writes_loses_a_change",
    ),
    Mutation(
        "a job that a delete has hidden is brought back",
        "jobd/store/jobs.py",
        "hidden = max(hidden, ?)",
        "hidden = ?",
        "tests/integration/store/test_versions.py::test_what_a_delete_of_its_id_has_hidden_stays_hidden",
    ),
    Mutation(
        "a row may go back",
        "jobd/store/migrations/0003_versions.sql",
        "WHEN NEW.hidden < OLD.hidden OR",
        "WHEN",
        "tests/integration/store/test_versions.py::test_the_database_itself_refuses_to_go_back",
    ),
    Mutation(
        "a cancel takes a delete back",
        "jobd/jobs/machine.py",
        'if wish.delete or record.desired == "delete" else',
        "if wish.delete else",
        "tests/integration/jobs/test_lost_updates.py::test_a_delete_and_a_cancel_at_once_are_a_delete",
    ),
    Mutation(
        "a record that others have changed is not read again",
        "jobd/jobs/journal.py",
        "            self.record = stored or purged(self.record)\n",
        "",
        "tests/integration/jobs/test_stale_records.py::test_a_commit_that_is_kept_though_it_was_said_to_have_failed",
    ),
    Mutation(
        "a start that did not happen costs the inputs",
        "jobd/docker/creation.py",
        "if worker is None and mine is not None and not mine.never_started:",
        "if False and mine is not None and worker is None:",
        "test_failpoints.py::test_killed_at_a_failpoint[before-engine:start_worker]",
    ),
    Mutation(
        "jobs are not taken up at a start",
        "jobd/serve.py",
        "        app.roster.start(app.roster.get_or_make(record))",
        "        pass",
        "test_crashes.py::test_the_job_ends_while_jobd_is_down",
    ),
    Mutation(
        "the log is not read again after the end",
        "jobd/jobs/execution.py",
        "        await self._logs.drain()\n",
        "        await self._logs.stop()\n",
        "test_crashes.py::test_the_job_ends_while_jobd_is_down",
    ),
    Mutation(
        "a deadline is not kept",
        "jobd/jobs/machine.py",
        "return Step(change(record, timed_out=True))",
        "return Step(record)",
        "test_crashes.py::test_the_deadline_passes_while_jobd_is_down",
    ),
    Mutation(
        "two daemons on one state",
        "jobd/store/lock.py",
        "            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "            pass",
        "test_crashes.py::test_a_second_daemon_refuses",
    ),
    Mutation(
        "a damaged database is opened",
        "jobd/store/database.py",
        '        if findings != ["ok"]:',
        '        if findings == ["never"]:',
        "test_crashes.py::test_a_damaged_database_is_refused_and_kept[overwritten]",
    ),
    Mutation(
        "the log file is left beside a closed database",
        "jobd/store/store.py",
        "        await self._reader.close()\n        await self._writer.close()\n",
        "        await self._writer.close()\n        await self._reader.close()\n",
        "test_crashes.py::test_a_damaged_database_is_refused_and_kept[cut short]",
    ),
    Mutation(
        "another instance's containers are taken for ours",
        "jobd/docker/labels.py",
        " and labels.get(JOB_INSTANCE) == instance",
        "",
        "test_crashes.py::test_another_instances_jobs_are_left_alone",
    ),
    Mutation(
        "jobs are not looked at without events",
        "jobd/jobs/supervisor.py",
        "LOOK_AGAIN_S = 2.0",
        "LOOK_AGAIN_S = 600.0",
        "test_engine.py::test_the_event_stream_is_silent",
    ),
    Mutation(
        "a worker that is gone is waited for",
        "jobd/jobs/looks.py",
        "    if worker is None or worker.attempt != record.attempt:\n        return worker_over(",
        "    if worker is None:\n        return Step(record)\n    if worker.attempt != record.attempt:\n        return worker_over(",
        "test_engine.py::test_the_worker_is_removed_by_hand",
    ),
    Mutation(
        "the architecture is not looked at",
        "jobd/docker/images.py",
        "            await self._check_architecture(image, found)",
        "            pass",
        "test_engine.py::test_the_image_is_for_another_architecture",
    ),
    Mutation(
        "the engine's end is taken for the worker's own",
        "jobd/jobs/sight.py",
        "return self._engine_away and (self._struck or killed)",
        "return False",
        "test_engine_restarts.py::test_the_engine_is_stopped",
    ),
    Mutation(
        "a limit is counted by the engine's clock",
        "jobd/jobs/looks.py",
        "    began = min(max(at, record.start_intended_at or at), now)",
        "    began = at",
        "tests/unit/jobd/jobs/test_clock_moved.py",
    ),
    Mutation(
        "time is counted before the clock is followed",
        "jobd/jobs/supervisor.py",
        "        await self._follow_clock()  # before what has passed is counted\n",
        "",
        "test_exhaustion.py::test_the_clock_is_a_day_off[0-86400]",
    ),
    Mutation(
        "connections to the engine are kept for each URL",
        "jobd/docker/sdk.py",
        '        client.mount("http+docker://", adapter)',
        "        pass",
        "test_exhaustion.py::test_few_file_descriptors",
    ),
    Mutation(
        "a log has no end",
        "jobd/jobs/logbook.py",
        "if size + len(text) > max_bytes:",
        "if size + len(text) > max_bytes * 1000:",
        "test_exhaustion.py::test_log_floods",
    ),
    Mutation(
        "a start is not on record before it is asked for",
        "jobd/jobs/machine.py",
        "return Step(change(record, start_intended_at=now))",
        "return Step(record)",
        WALK,
    ),
    Mutation(
        "a start whose answer was lost is asked for again",
        "jobd/jobs/looks.py",
        "return Step(change(record, worker_id=None, start_intended_at=None))",
        "return Step(change(record, start_intended_at=None))",
        WALK,
    ),
    Mutation(
        "a delete changes how a job has ended",
        "jobd/jobs/machine.py",
        'return Step(change(record, desired="delete"))',
        'return Step(change(record, desired="delete", status="cancelled"))',
        WALK,
    ),
    Mutation(
        "a deleted job is left on the engine",
        "jobd/jobs/demand.py",
        'return f.Remove() if record.desired == "delete" and not record.cleaned else f.Retire()',
        "return f.Retire()",
        WALK,
    ),
    Mutation(
        "an attempt is left on the engine when the next one begins",
        "jobd/jobs/demand.py",
        "        if record.leftovers:\n            return f.Remove()\n",
        "",
        WALK,
    ),
    Mutation(
        "the files of a job are never let go",
        "jobd/jobs/machine.py",
        "return Step(change(record, cleaned=True, has_spool=False))",
        "return Step(change(record, cleaned=True))",
        WALK,
    ),
    Mutation(
        "what is waited for does not move with the clock",
        "jobd/jobs/machine.py",
        "moved = {name: at + moved_by for name in AWAITED",
        "moved = {name: at for name in AWAITED",
        WALK,
    ),
    Mutation(
        "an end that came with the engine's is the worker's own",
        "jobd/jobs/looks.py",
        '    if engine_stopped and record.desired == "run" and not record.timed_out:',
        "    if False:",
        WALK,
    ),
    Mutation(
        "a start that failed with the engine's end is the job's failure",
        "jobd/jobs/looks.py",
        "if worker.exit_code and worker.error and not engine_stopped:",
        "if worker.exit_code and worker.error:",
        WALK,
    ),
    Mutation(
        "orphans have no grace",
        "jobd/jobs/retention.py",
        "if now - self._leftover_since[ref.uid] < self._settings.interval_s:",
        "if False:",
        "test_orphans.py::test_an_orphan_has_its_grace_at_a_start",
    ),
    Mutation(
        "orphans are looked for at a start alone",
        "jobd/jobs/retention.py",
        "                await self.sweep()\n                await self.remove_leftovers()\n",
        "                await self.sweep()\n",
        "test_orphans.py::test_orphans_go_and_strangers_stay",
    ),
    Mutation(
        "strangers are taken for orphans",
        "jobd/docker/labels.py",
        "labels.get(MANAGED_BY) == SERVICE and labels.get(JOB_INSTANCE) == instance",
        "True",
        "test_crashes.py::test_another_instances_jobs_are_left_alone",
    ),
    Mutation(
        "any volume without a label is ours",
        "jobd/docker/half_made.py",
        "return age_s is not None and age_s <= time.monotonic() - asked + _SLACK_S",
        "return True",
        "tests/integration/docker/test_half_made.py",
    ),
    Mutation(
        "a volume that lost its labels is a stranger's",
        "jobd/docker/half_made.py",
        "return age_s is not None and age_s <= time.monotonic() - asked + _SLACK_S",
        "return False",
        "tests/integration/docker/test_half_made.py",
    ),
    Mutation(
        "what the engine did while nobody heard it stays unheard",
        "jobd/docker/flows.py",
        "        if self._left_at is not None:",
        "        if False:",
        "tests/integration/docker/test_flows.py::test_what_was_missed_is_told_before_the_engine_is_said_to_be_back",
    ),
    Mutation(
        "an end that is seen before it is heard of is believed",
        "jobd/jobs/sight.py",
        "        self._deaf_looks += 1\n        return True",
        "        return False",
        "tests/unit/jobd/jobs/test_sight.py",
    ),
    Mutation(
        "a worker is started over a workspace without its inputs",
        "jobd/jobs/preparation.py",
        'if record.phase == "running" and created.sidecar_id != record.sidecar_id:',
        "if False:",
        "tests/integration/jobs/test_supervisor.py::test_no_worker_is_started_over_inputs_that_are_gone",
    ),
)
