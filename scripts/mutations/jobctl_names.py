"""Mutations of jobctl's names, lists, tables and screens."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "jobctl: the beginning of an id is enough to remove a job",
        "jobctl/ids.py",
        "        job = _exactly(client, text)\n        if job is None:\n            raise _no_job(text)\n        return job",
        "        return find(client, text)",
        "tests/e2e/test_everyday_names.py::test_a_prefix_destroys_nothing_and_is_answered_with_the_ids",
    ),
    Mutation(
        "jobctl: a prefix among whole ids stops nothing",
        "jobctl/ids.py",
        "                _refuse_prefix(client, text)",
        "                pass",
        "tests/e2e/test_everyday_names.py::test_a_prefix_destroys_nothing_and_is_answered_with_the_ids",
    ),
    Mutation(
        "jobctl: a list ends with its first page",
        "jobctl/listing.py",
        "        if not cursor or (limit and count >= limit):",
        "        if True:",
        "tests/unit/jobctl/test_listing.py::test_a_page_is_used_before_the_next_one_is_asked_for",
    ),
    Mutation(
        "jobctl: a table in a pipe is cut",
        "jobctl/drawing.py",
        "shutil.get_terminal_size().columns if sys.stdout.isatty() else None",
        "shutil.get_terminal_size().columns",
        "tests/e2e/test_everyday_lists.py::test_off_a_terminal_nothing_is_cut",
    ),
    Mutation(
        "jobctl: one long id takes the room of all rows",
        "jobctl/table.py",
        "_widest(table, rows, i, longest_id if i == 0 else None)",
        "_widest(table, rows, i)",
        "tests/unit/jobctl/test_table.py::test_one_long_id_takes_nothing_from_the_rows_of_others",
    ),
    Mutation(
        "jobctl: a word like pause leads to prune",
        "jobctl/suggestion.py",
        "    if careful:\n",
        "    if False:\n",
        "tests/unit/jobctl/test_suggestion.py::test_a_word_of_another_tool_leads_to_nothing_that_destroys",
    ),
    Mutation(
        "jobctl: a format that a command cannot print is ignored",
        "jobctl/session.py",
        "        if self.format and self.format not in formats:",
        "        if False:",
        "tests/e2e/test_everyday_names.py::test_a_format_is_honoured_or_refused",
    ),
    Mutation(
        "jobctl: a signal leaves the keys of the terminal off",
        "jobctl/live.py",
        "        self._give_back()\n        for number",
        "        for number",
        "tests/e2e/test_everyday_screen.py::test_a_signal_leaves_the_terminal_as_it_was",
    ),
    Mutation(
        "jobctl: a kill from outside passes for any exit code",
        "jobctl/explanation.py",
        "        if code in _CODES:",
        "        if False:",
        "tests/e2e/test_everyday_explain.py::test_a_kill_from_outside_is_no_lack_of_memory_and_no_cancel",
    ),
    Mutation(
        "jobctl: a damaged row is not listed with what is under way",
        "jobd/store/store.py",
        "known_damaged=self._damaged.known",
        "known_damaged=()",
        "tests/integration/jobs/test_unreadable.py::test_a_damaged_row_is_listed_with_what_is_under_way",
    ),
    Mutation(
        "jobctl: listen closes while a refused sender still sends",
        "jobctl/receiver.py",
        "        if self.is_read:\n            return\n",
        "        if True:\n            return\n",
        "tests/integration/jobctl/test_receiving.py::test_a_sender_that_is_refused_while_it_still_sends_reads_the_answer",
    ),
    Mutation(
        "jobctl: a progress line hides the cursor",
        "jobctl/drawing.py",
        "    if not hides_cursor:",
        "    if False:",
        "tests/integration/jobctl/test_progress_lines.py::test_a_copy_that_is_killed_or_stopped_hides_no_cursor",
    ),
    Mutation(
        "jobctl: a signal during a copy leaves the progress line",
        "jobctl/meter.py",
        "                    stack.enter_context(leaving())\n",
        "",
        "tests/integration/jobctl/test_progress_lines.py::test_a_signal_during_a_copy_leaves_the_terminal_as_it_was",
    ),
)
