"""Mutations of jobctl's commands of the queue, and of the keys of `top`."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "jobctl: any key after the question of top cancels the job",
        "jobctl/top/controls.py",
        '            if key in ("y", "Y"):',
        "            if True:",
        "tests/unit/jobctl/top/test_controls.py::test_no_other_key_than_y_cancels",
    ),
    Mutation(
        "jobctl: the selection of top stays at its row when the jobs move",
        "jobctl/top/controls.py",
        "        self._index = places[0] if places else max(0, min(self._index, len(jobs) - 1))",
        "        self._index = max(0, min(self._index, len(jobs) - 1))",
        "tests/unit/jobctl/top/test_controls.py::test_a_job_stays_selected_while_its_row_moves",
    ),
    Mutation(
        "jobctl: a stop while top shows a log takes the terminal's keys",
        "jobctl/output/live/live_terminal.py",
        "        if not self._is_released:",
        "        if True:",
        "tests/integration/jobctl/terminal/test_top_keys.py::test_a_stop_restores_the_terminal_until_top_continues",
    ),
    Mutation(
        "jobctl: several jobs are bumped in the wrong order",
        "jobctl/commands/queue/bump.py",
        "jobs if priority is not None else reversed(jobs)",
        "jobs",
        "tests/integration/jobctl/test_queue_commands.py::test_several_jobs_are_bumped_in_the_given_order",
    ),
    Mutation(
        "jobctl: a pause always makes running jobs stand still",
        "jobctl/job/requests/pausing.py",
        "b'{\"running\": true}' if running else None",
        "b'{\"running\": true}'",
        "tests/integration/jobctl/test_pause_requests.py::test_only_the_flag_pauses_running_jobs_of_the_queue_or_of_a_group",
    ),
    Mutation(
        "jobctl: a limit of a group's list counts the jobs of other groups",
        "jobctl/commands/views/ls.py",
        "_of_group(pages(client, query), group, limit)",
        "_of_group(pages(client, query, limit), group, limit)",
        "tests/integration/jobctl/test_queue_commands.py::test_a_list_can_be_that_of_one_group",
    ),
)
