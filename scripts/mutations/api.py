"""Mutations of the API, the wire contract and jobctl."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "jobd is ready while it ends",
        "jobd/process/shutdown.py",
        "    app.health.stopping = True\n",
        "",
        "tests/integration/api/daemon/test_shutdown.py::test_it_serves_on_while_it_is_not_ready_until_a_second_signal",
    ),
    Mutation(
        "jobd refuses connections while load balancers still send some",
        "jobd/process/shutdown.py",
        "        async with asyncio.timeout(wait_s):",
        "        async with asyncio.timeout(0):",
        "tests/integration/api/daemon/test_shutdown.py::test_it_serves_on_while_it_is_not_ready_until_a_second_signal",
    ),
    Mutation(
        "null is refused",
        "jobd/wire/validation/nulls.py",
        "            if item is None and name in fields:",
        "            if False and name in fields:",
        "tests/integration/api/jobs/test_bodies.py::test_a_load_of_jobs_from_a_go_client_is_accepted_whole",
    ),
    Mutation(
        "an unknown field that is null is accepted",
        "jobd/wire/validation/nulls.py",
        "            if item is None and name in fields:",
        "            if item is None:",
        "tests/integration/api/jobs/test_bodies.py::test_an_unknown_field_is_refused_also_as_null",
    ),
    Mutation(
        "two notations of one job differ",
        "jobd/wire/validation/normal.py",
        "        if value is not default and (not value or value == default):",
        "        if not value:",
        "tests/unit/jobd/wire/test_wire_values.py::test_an_explicit_default_equals_an_absent_field",
    ),
    Mutation(
        "jobctl does not wait for the end of the response",
        "jobctl/transfers/extract.py",
        "            while stream.read(BLOCK_BYTES):",
        "            while False:",
        "tests/unit/jobctl/transfers/test_fetch.py::test_an_answer_that_is_cut_after_its_tar_is_an_error",
    ),
    Mutation(
        "an unassigned event number is accepted",
        "jobd/api/endpoints/streams.py",
        "        await _check_event(context.store, after, field)",
        "        pass",
        "tests/integration/api/streams/test_cursors.py::test_an_unassigned_event_number_is_refused",
    ),
    Mutation(
        "an unknown line number is accepted",
        "jobd/api/endpoints/streams.py",
        "        await _check_line(context.store, record, query.after)",
        "        pass",
        "tests/integration/api/streams/test_cursors.py::test_a_line_that_a_log_does_not_have_is_refused",
    ),
    Mutation(
        "only one problem of a job file is named",
        "jobctl/job/spec/spec_check.py",
        "            unknown |= hidden\n            continue",
        "            return result",
        "tests/unit/jobctl/job/spec/test_spec_check.py::test_all_problems_are_named",
    ),
    Mutation(
        "two names of one field pass, and the last one counts",
        "jobctl/job/spec/job_fields.py",
        "        if spec_name in fields.written:",
        "        if False:",
        "tests/unit/jobctl/job/spec/test_job_fields.py::test_every_name_is_converted_or_a_problem",
    ),
    Mutation(
        "text after a closing quote is ignored",
        "jobctl/job/spec/env_file.py",
        "    if not _AFTER.match(text, quoted.end()):",
        "    if False:",
        "tests/unit/jobctl/job/spec/test_env_file.py::test_an_invalid_line_is_named",
    ),
    Mutation(
        "a socket of another user ends the search for the daemon",
        "jobctl/connection/client.py",
        "            except (Unreachable, NotAllowed) as error:",
        "            except Unreachable as error:",
        "tests/unit/jobctl/connection/test_config.py::test_a_socket_of_another_user_is_skipped",
    ),
    Mutation(
        "a job may have any timeout",
        "jobd/jobs/admission/resource_limits.py",
        "        if spec.timeout_s > self.timeout_s:",
        "        if False:",
        "tests/unit/jobd/jobs/admission/test_resource_limits.py::test_an_error_names_the_limit_and_its_setting",
    ),
)
