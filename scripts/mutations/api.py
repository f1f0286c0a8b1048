"""Mutations of the API, the wire contract and jobctl."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "jobd is ready while it ends",
        "jobd/process/shutdown.py",
        "    app.health.stopping = True\n",
        "",
        "tests/integration/api/test_shutdown.py::test_it_serves_on_while_it_is_not_ready_until_a_second_signal",
    ),
    Mutation(
        "jobd refuses connections while load balancers still send some",
        "jobd/process/shutdown.py",
        "        async with asyncio.timeout(wait_s):",
        "        async with asyncio.timeout(0):",
        "tests/integration/api/test_shutdown.py::test_it_serves_on_while_it_is_not_ready_until_a_second_signal",
    ),
    Mutation(
        "null is refused",
        "jobd/wire/validation/nulls.py",
        "            if item is None and name in fields:",
        "            if False and name in fields:",
        "tests/integration/api/test_bodies.py::test_a_load_of_jobs_from_a_go_client_is_accepted_whole",
    ),
    Mutation(
        "an unknown field that is null is let through",
        "jobd/wire/validation/nulls.py",
        "            if item is None and name in fields:",
        "            if item is None:",
        "tests/integration/api/test_bodies.py::test_an_unknown_field_is_refused_also_as_null",
    ),
    Mutation(
        "another spelling of the same job is another job",
        "jobd/wire/validation/normal.py",
        "        if value is not default and (not value or value == default):",
        "        if not value:",
        "tests/unit/jobd/wire/test_wire_values.py::test_a_default_that_is_said_is_as_one_that_is_not",
    ),
    Mutation(
        "jobctl does not wait for the end of the answer",
        "jobctl/transfers/extract.py",
        "            while stream.read(BLOCK_BYTES):",
        "            while False:",
        "tests/unit/jobctl/transfers/test_fetch.py::test_an_answer_that_is_cut_after_its_tar_is_an_error",
    ),
    Mutation(
        "a reader waits after an event that never was",
        "jobd/api/streams.py",
        "        await _check_event(context.store, after, named)",
        "        pass",
        "tests/integration/api/test_streams.py::test_a_number_that_was_never_given_is_refused_and_not_waited_for",
    ),
    Mutation(
        "a reader waits after a line of another log",
        "jobd/api/streams.py",
        "        await _check_line(context.store, record, query.after)",
        "        pass",
        "tests/integration/api/test_streams.py::test_a_line_that_a_log_does_not_have_is_refused",
    ),
    Mutation(
        "one thing alone is named that is wrong with a job file",
        "jobctl/job/spec_check.py",
        "            unknown |= hidden\n            continue",
        "            return result",
        "tests/unit/jobctl/job/test_spec_check.py::test_all_problems_are_named",
    ),
    Mutation(
        "two names of one field pass, and the last one counts",
        "jobctl/job/job_fields.py",
        "        if spec_name in fields.written:",
        "        if False:",
        "tests/unit/jobctl/job/test_job_fields.py::test_every_name_is_converted_or_a_problem",
    ),
    Mutation(
        "what stands behind a closed quote is lost",
        "jobctl/job/env_file.py",
        "    if not _AFTER.match(text, quoted.end()):",
        "    if False:",
        "tests/unit/jobctl/job/test_env_file.py::test_an_invalid_line_is_named",
    ),
    Mutation(
        "a socket of another user ends the search for the daemon",
        "jobctl/connection/client.py",
        "            except (Unreachable, NotAllowed) as error:",
        "            except Unreachable as error:",
        "tests/unit/jobctl/connection/test_config.py::test_a_socket_of_another_user_is_skipped",
    ),
    Mutation(
        "a job may ask for any time",
        "jobd/jobs/admission/resource_limits.py",
        "        if spec.timeout_s > self.timeout_s:",
        "        if False:",
        "tests/unit/jobd/jobs/admission/test_resource_limits.py::test_a_cap_is_named_with_its_setting_also_against_a_default",
    ),
)
