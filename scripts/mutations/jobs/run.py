"""Mutations of the supervisors and their steps."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "a worker is started beside a sidecar that has ended",
        "jobd/jobs/run/execution.py",
        "if sidecar_waits(job_state.spec) and (lost := await self._lost_sidecar()):",
        "if (lost := None):",
        "tests/integration/jobs/run/test_supervisor.py::test_a_worker_is_not_started_beside_a_sidecar_that_does_not_wait",
    ),
    Mutation(
        "a start that the engine was never asked for counts as a start",
        "jobd/jobs/run/execution.py",
        "            if error.unsent:\n                await job_state.apply(facts.StartUnsent())\n",
        "",
        "tests/integration/jobs/run/test_supervisor.py::test_a_start_that_was_not_sent_is_repeated_at_once",
    ),
    Mutation(
        "a sidecar is notified again because of an old observation",
        "jobd/jobs/run/execution.py",
        "        self._observed_state.forget()  # the last observation",
        "        # the last observation",
        "tests/integration/jobs/log/test_log_loss.py::test_a_sidecar_that_ended_meanwhile_is_inspected_before_the_next_signal",
    ),
    Mutation(
        "the cause of an end is not asked for",
        "jobd/jobs/run/execution.py",
        "        observation = await self._with_end_cause(observation)\n",
        "",
        "tests/integration/jobs/run/test_supervisor.py::test_out_of_memory_reported_late_is_out_of_memory",
    ),
    Mutation(
        "a fact is taken on a clock that was set meanwhile",
        "jobd/jobs/run/job_state.py",
        "        if self.clock_moved(record, offset):\n            record = step(",
        "        if False:\n            record = step(",
        "tests/integration/jobs/test_clock_steps.py",
    ),
    Mutation(
        "a record that others have changed is not read again",
        "jobd/jobs/run/job_state.py",
        "            self.record = stored or purged(before)\n",
        "",
        "tests/integration/jobs/run/test_stale_records.py::test_a_commit_that_is_durable_although_it_was_reported_as_failed",
    ),
    Mutation(
        "a pulled image is pulled again",
        "jobd/jobs/run/preparation.py",
        "image_ready = record.setup is not None and record.setup.image is not None",
        "image_ready = False",
        "tests/integration/jobs/test_preparation.py::test_a_pulled_image_is_not_pulled_again",
    ),
    Mutation(
        "the log is not read again after the end",
        "jobd/jobs/run/execution.py",
        "        elif missing := await self._logs.drain():\n",
        "        elif missing := None:\n",
        "kills/test_crashes.py::test_the_job_ends_while_jobd_is_down",
    ),
    Mutation(
        "jobs are not observed without events",
        "jobd/jobs/state/observed_state.py",
        "OBSERVE_INTERVAL_S, OBSERVATIONS_A_SECOND = 2.0, 100",
        "OBSERVE_INTERVAL_S, OBSERVATIONS_A_SECOND = 600.0, 100",
        "engine/test_engine.py::test_the_event_stream_is_silent",
    ),
    Mutation(
        "a supervisor whose record cannot be read is given up",
        "jobd/jobs/run/supervisors.py",
        '            except Exception:\n                log.exception("the record cannot be read; jobd tries again"',
        '            except KeyError:\n                log.exception("the record cannot be read; jobd tries again"',
        "tests/integration/jobs/run/test_supervisors.py",
    ),
    Mutation(
        "a clean-up that fails keeps the job's place",
        "jobd/jobs/run/supervisor.py",
        "            if self.record.ended:\n                self._slot.end(self.record)\n            if self._executors is not None:\n",
        "            await self._execution.stop_reading()\n            if self.record.ended:\n                self._slot.end(self.record)\n"
        "            if self._executors is not None:\n",
        "tests/integration/jobs/run/test_supervisors.py",
    ),
    Mutation(
        "a fact is applied with the times of another clock",
        "jobd/jobs/run/job_state.py",
        "        if self.clock_moved(record, offset):",
        "        if False:",
        "tests/integration/jobs/test_clock_steps.py::test_each_fact_is_applied_with_the_clock_of_its_time",
    ),
    Mutation(
        "a link is an output",
        "jobd/jobs/run/output_collection.py",
        "return member is not None and (member.isreg() or member.isdir())",
        "return member is not None",
        "tests/unit/jobd/jobs/run/test_output_collection.py::test_a_link_or_a_special_file_is_no_output",
    ),
    Mutation(
        "a worker is started over a workspace without its inputs",
        "jobd/jobs/run/preparation.py",
        'if record.phase == "running" and created.sidecar_id != record.sidecar_id:',
        "if False:",
        "tests/integration/jobs/run/test_supervisor.py::test_no_worker_is_started_without_its_inputs",
    ),
    Mutation(
        "a job that cannot be read keeps its place",
        "jobd/jobs/run/supervisor.py",
        "            self._slot.give_up()  # the containers stay",
        "            pass  # the containers stay",
        "tests/integration/jobs/test_unreadable.py::test_a_queued_job_with_a_damaged_spec_takes_no_slot",
    ),
)
