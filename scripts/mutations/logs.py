"""Mutations of logs: reading on, marks, events of lines."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "stored log is not counted",
        "jobd/jobs/journal.py",
        "            batch, before, spec = made(), self.record, await self._read_spec()",
        "            batch, spec = made(), await self._read_spec()\n            before = batch.record",
        "tests/integration/api/test_environment.py::test_every_metric_of_the_contract_is_there_with_its_labels_after_some_jobs",
    ),
    Mutation(
        "a log has no end",
        "jobd/jobs/logbook.py",
        "if size + len(text) > max_bytes:",
        "if size + len(text) > max_bytes * 1000:",
        "test_exhaustion.py::test_log_floods",
    ),
    Mutation(
        "a log's place is found by its time alone",
        "jobd/docker/log_places.py",
        "            if not self._exact or self._check == self._place.check:\n",
        "            if True:\n",
        "tests/unit/jobd/docker/test_logs.py::test_a_place_is_known_by_its_text_and_not_by_its_time_alone",
    ),
    Mutation(
        "a run whose beginning is not seen is taken for whole",
        "jobd/docker/log_places.py",
        "self._taken, self._check = 0, crc32(before)",
        "self._taken, self._check = 0, self._place.check or 0",
        "tests/unit/jobd/docker/test_logs.py::test_a_place_of_which_only_the_end_is_seen_is_not_taken_for_another",
    ),
    Mutation(
        "a stream with an unfinished line is moved along",
        "jobd/docker/logs.py",
        "return not self._text and (",
        "return (",
        "tests/unit/jobd/docker/test_logs.py::test_an_unfinished_line_keeps_its_stream_behind_the_other",
    ),
    Mutation(
        "the end of a log stands for the whole",
        "jobd/docker/log_requests.py",
        "whole = window is None or reader.entries < window",
        "whole = True",
        "tests/unit/jobd/docker/test_log_requests.py::test_whatever_the_clock_does_every_line_is_stored_once",
    ),
    Mutation(
        "lines that rotated away are not marked",
        "jobd/docker/logs.py",
        "gap=None if self._lost is None else GAP",
        "gap=None",
        "tests/unit/jobd/docker/test_log_requests.py::test_what_was_rotated_away_unread_is_marked",
    ),
    Mutation(
        "a container that is gone is an empty log",
        "jobd/jobs/reader.py",
        "            return GONE\n",
        "            return None\n",
        "tests/integration/jobs/test_log_loss.py::test_a_worker_that_is_removed_by_hand_leaves_a_mark_in_its_log",
    ),
    Mutation(
        "a log that cannot be read is asked for forever",
        "jobd/jobs/reader.py",
        "return now - self._unreadable_since >= READ_LIMIT_S",
        "return False",
        "tests/integration/jobs/test_log_loss.py::test_a_log_that_the_engine_cannot_give_is_given_up_after_a_time_and_marked",
    ),
    Mutation(
        "a mark is stored again after a crash",
        "jobd/jobs/logbook.py",
        "if record.log_incomplete or record.log_full:",
        "if record.log_full:",
        "tests/integration/jobs/test_log_loss.py::test_a_mark_is_stored_once_over_a_crash",
    ),
    Mutation(
        "a damaged log is passed on",
        "jobd/jobs/logbook.py",
        "    if not chunk.damaged:",
        "    if True:",
        "tests/integration/jobs/test_unreadable.py",
    ),
    Mutation(
        "a report that cannot be read is passed over",
        "jobd/jobs/reader.py",
        '                if "{" in text:',
        "                if False:",
        "tests/integration/jobs/test_supervisor.py",
    ),
)
