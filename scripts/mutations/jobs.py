"""Mutations of admission, retention, the repository, and the start and end of jobd."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "lines whose event cannot be stored are all kept in memory",
        "jobd/jobs/log/log_event_batcher.py",
        "        if self.enough or len(self._recent) >= MAX_RECENT:\n",
        "        if False:\n",
        "tests/unit/jobd/jobs/log/test_log_event_batcher.py::test_lines_whose_event_cannot_be_stored_are_not_kept_without_a_bound",
    ),
    Mutation(
        "a submission is cancelled with its caller",
        "jobd/jobs/admission/submission.py",
        "return await asyncio.shield(storing)",
        "return await storing",
        "tests/integration/jobs/test_submission_cut.py::test_a_job_whose_caller_has_left_runs",
    ),
    Mutation(
        "a change is decided once, whatever others write",
        "jobd/jobs/job_repository.py",
        "            with contextlib.suppress(StaleJob):\n                return",
        "            if True:\n                return",
        "tests/integration/jobs/test_lost_updates.py::test_no_order_of_reads_and_writes_loses_a_change",
    ),
    Mutation(
        "jobs are not taken up at a start",
        "jobd/process/serve.py",
        "        app.supervisors.start(app.supervisors.get_or_make(record))",
        "        pass",
        "test_crashes.py::test_the_job_ends_while_jobd_is_down",
    ),
    Mutation(
        "an orderly stop leaves what was deleted a moment before",
        "jobd/process/shutdown.py",
        "if left := await app.supervisors.removed(REMOVALS_S):",
        "if left := 0:",
        "test_orphans.py::test_an_orderly_stop_right_after_a_delete_leaves_nothing[killed after 1 s]",
    ),
    Mutation(
        "kept outputs have no bound",
        "jobd/jobs/retention/kept_outputs.py",
        "if self._used + more > self._max_bytes:",
        "if False:",
        "tests/integration/jobs/test_kept_outputs.py::test_over_the_bound_nothing_is_left_and_what_is_there_stays",
    ),
    Mutation(
        "kept outputs stay when their job's record has gone",
        "jobd/jobs/retention/retention.py",
        "if row is None and self._supervisors.get(uid) is None:",
        "if False:",
        "tests/integration/jobs/test_kept_outputs.py::test_an_output_outlives_the_workspace_and_goes_with_the_record",
    ),
    Mutation(
        "orphans have no grace",
        "jobd/jobs/retention/retention.py",
        "waited = now - self._leftover_since.get(ref.uid, now) >= self._settings.interval_s",
        "waited = True",
        "test_orphans.py::test_an_orphan_has_its_grace_at_a_start",
    ),
    Mutation(
        "orphans are looked for at a start alone",
        "jobd/jobs/retention/retention.py",
        "                await self.sweep()\n                await self.remove_leftovers()\n",
        "                await self.sweep()\n",
        "test_orphans.py::test_orphans_go_and_strangers_stay",
    ),
    Mutation(
        "the containers of a job that cannot be read are leftovers",
        "jobd/jobs/retention/retention.py",
        "        return not await self._store.is_damaged(ref.uid, ref.id)",
        "        return True",
        "tests/integration/jobs/test_unreadable.py",
    ),
    Mutation(
        "an engine that is away keeps the disk full",
        "jobd/jobs/retention/retention.py",
        "            await self._tidy()  # an engine",
        "            pass  # an engine",
        "tests/integration/jobs/test_seen_time.py::test_an_engine_that_is_away_keeps_no_record_longer",
    ),
    Mutation(
        "other files are the same submission",
        "jobd/jobs/admission/submission.py",
        "self._fingerprints.of(submission.spec, submission.files_digest)",
        "self._fingerprints.of(submission.spec)",
        "tests/integration/api/test_files.py::test_the_same_spec_with_other_files_is_another_submission",
    ),
)
