"""Mutations of interactive jobs: standard input, terminals, and commands beside the job's own."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "a start does not wait for its first client",
        "jobd/jobs/interactive/attachments.py",
        "        if uid in self._arrivals:\n            return\n",
        "        return\n",
        "tests/integration/jobs/interactive/test_attach.py::test_a_start_waits_for_its_client_which_misses_nothing",
    ),
    Mutation(
        "a cancel waits with the start for a client",
        "jobd/jobs/interactive/attachments.py",
        "            released.set()\n",
        "            pass\n",
        "tests/integration/jobs/interactive/test_attach.py::test_a_cancel_ends_the_wait_for_a_client",
    ),
    Mutation(
        "a worker starts before its clients are attached",
        "jobd/jobs/interactive/attachments.py",
        "                    await arrival.attached.wait()\n",
        "                    pass\n",
        "tests/integration/jobs/interactive/test_attach.py::test_a_worker_starts_once_its_clients_are_attached",
    ),
    Mutation(
        "a client that leaves ends the input",
        "jobd/jobs/interactive/inputs.py",
        "        finally:\n            held.taken = False\n",
        "        finally:\n            held.taken = False\n            await self.close(ref.uid)\n",
        "tests/integration/jobs/interactive/test_inputs.py::test_a_client_that_leaves_without_the_end_ends_nothing_and_another_sends_the_rest",
    ),
    Mutation(
        "two clients feed one input",
        "jobd/jobs/interactive/inputs.py",
        "        if held.taken:",
        "        if False:",
        "tests/integration/jobs/interactive/test_inputs.py::test_a_client_that_leaves_without_the_end_ends_nothing_and_another_sends_the_rest",
    ),
    Mutation(
        "an input that a restart has cut is not told",
        "jobd/jobs/run/execution.py",
        '        if job_state.record.input == "open" and not',
        "        if False and not",
        "tests/integration/jobs/interactive/test_inputs.py::test_a_restart_under_the_input_is_told_unless_the_input_had_ended",
    ),
    Mutation(
        "an opened input is not stored",
        "jobd/jobs/interactive/sessions.py",
        "                await self._apply(target, facts.InputEnding())",
        "                pass",
        "tests/integration/jobs/interactive/test_inputs.py::test_a_restart_under_the_input_is_told_unless_the_input_had_ended",
    ),
    Mutation(
        "a client without an input may send bytes",
        "jobd/jobs/interactive/streams.py",
        "                    if stream is None:\n                        raise",
        "                    if stream is None:\n                        continue\n                        raise",
        "tests/integration/jobs/interactive/test_inputs.py::test_a_client_may_not_feed_a_job_without_an_input",
    ),
    Mutation(
        "an end of the input is not passed on",
        "jobd/docker/interactive/hijacked.py",
        "                self._writer.write_eof()",
        "                pass",
        "tests/contract/test_interactive_contract.py::test_a_command_reads_its_input_to_its_end",
    ),
    Mutation(
        "the size of a terminal is not passed on",
        "jobd/jobs/interactive/sizes.py",
        "        wiring.resized.clear()\n        size = wiring.size",
        "        wiring.resized.clear()\n        size = None",
        "tests/integration/jobs/interactive/test_attach.py::test_a_program_in_a_terminal_draws_again_for_a_later_client",
    ),
    Mutation(
        "a later client gets no picture of the terminal",
        "jobd/jobs/interactive/sizes.py",
        "        if redraws:",
        "        if False:",
        "tests/integration/jobs/interactive/test_attach.py::test_a_program_in_a_terminal_draws_again_for_a_later_client",
    ),
)
