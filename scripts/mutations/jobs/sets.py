"""Mutations of sets and sweeps: numbers, cancels, placeholders, ids, and what is left over."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "sets: a job that was admitted still counts as waiting",
        "jobd/jobs/job_repository.py",
        '        waiting=record.phase == "queued",',
        '        waiting=record.status == "accepted" or record.phase == "queued",',
        "tests/integration/jobs/test_sets.py::test_a_job_that_was_admitted_and_has_not_started_runs",
    ),
    Mutation(
        "sets: running jobs are cancelled before waiting ones, which start in their places",
        "jobd/store/tables/jobs/sets.py",
        "    return [uid for uid, waits in rows if waits] + [uid for uid, waits in rows if not waits]",
        "    return [uid for uid, waits in rows if not waits] + [uid for uid, waits in rows if waits]",
        "tests/integration/store/test_sets.py::test_waiting_jobs_are_cancelled_before_running_ones_and_newer_before_older",
    ),
    Mutation(
        "sets: the name of a set stays after its last job",
        "jobd/store/tables/maintenance.py",
        "                sets.remove_empty(connection, set_name)",
        "                pass",
        "tests/integration/store/test_sets.py::test_the_name_of_a_set_is_removed_with_its_last_job",
    ),
    Mutation(
        "sets: a page of a set's jobs walks over all jobs",
        "jobd/store/tables/jobs/listing.py",
        '_Walk("jobs_by_set", "set_name = ? AND ", (set_name,))',
        '_Walk("jobs_listed", "set_name = ? AND ", (set_name,))',
        "tests/integration/store/test_sets.py::test_the_history_of_a_set_costs_the_same_after_a_week_of_other_jobs",
    ),
    Mutation(
        "sets: the settings of a temporary group stay for ever",
        "jobd/jobs/groups.py",
        "                elif now - idle_since >= TEMPORARY_IDLE_S:",
        "                elif False:",
        "tests/integration/jobs/test_sets.py::test_the_settings_of_a_temporary_group_go_an_hour_after_its_last_job",
    ),
    Mutation(
        "sets: the settings of a temporary group go while its jobs run",
        "jobd/jobs/groups.py",
        "                if numbers.waiting or numbers.running:",
        "                if False:",
        "tests/integration/jobs/test_sets.py::test_the_settings_of_a_temporary_group_go_an_hour_after_its_last_job",
    ),
    Mutation(
        "sweep: an escaped placeholder is replaced",
        "jobctl/sets/placeholders.py",
        "        if depth > 1:",
        "        if depth > 2:",
        "tests/unit/jobctl/sets/test_placeholders.py::test_a_name_in_several_pairs_of_braces_loses_one",
    ),
    Mutation(
        "sweep: a job is sent before one that it waits for",
        "jobctl/sets/document.py",
        "tuple(ordered or entries)",
        "tuple(entries)",
        "tests/unit/jobctl/sets/test_document.py::test_any_graph_is_ordered_or_its_circle_is_named",
    ),
    Mutation(
        "sweep: a repeated sweep has other ids",
        "jobctl/sets/planning.py",
        "name=job_id(name, index=index), set=name)",
        "name=job_id(name, surroundings.fresh, index), set=name)",
        "tests/unit/jobctl/sets/test_planning.py::test_jobs_have_distinct_ids_that_depend_on_the_set_alone_and_each_its_values",
    ),
    Mutation(
        "sweep: a set's id that is a job's cancels the set",
        "jobctl/selection/ids.py",
        "        found = find_set(client, text) if job is None else None",
        "        found = find_set(client, text)",
        "tests/integration/jobctl/test_sets.py::test_an_id_means_a_job_before_a_set_and_a_set_before_a_prefix",
    ),
)
