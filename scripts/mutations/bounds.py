"""Mutations of the bounds of what jobd holds for readers and remembers of others."""

from scripts.mutations.mutation import Mutation

LOGVIEW = "tests/integration/jobs/log/test_log_view_memory.py"
MUTATIONS = (
    Mutation(
        "a log's reader keeps its page while it waits",
        "jobd/jobs/log/log_view.py",
        "                            del chunk\n",
        "",
        f"{LOGVIEW}::test_a_follower_keeps_no_page_while_it_waits_for_lines",
    ),
    Mutation(
        "the tail of one stream is read whole",
        "jobd/jobs/log/log_view.py",
        "            async for _ in self._seqs(record, start, stats.last_seq, query.stream):\n                count += 1\n",
        "            held = [seq async for seq in self._seqs(record, start, stats.last_seq, query.stream)]\n"
        "            count = len(held)\n",
        f"{LOGVIEW}::test_a_long_tail_of_one_stream_holds_a_page_and_not_the_log",
    ),
    Mutation(
        "a follower of events keeps the last one while it waits",
        "jobd/events/feed.py",
        "                        del event\n",
        "",
        "tests/integration/events/test_feed.py::test_a_follower_keeps_no_event_while_it_waits",
    ),
    Mutation(
        "a reader of events keeps its page while it waits for room",
        "jobd/events/feed.py",
        "                    del page\n",
        "",
        "tests/integration/events/test_feed.py::test_a_reader_keeps_no_page_while_it_waits_for_room",
    ),
    Mutation(
        "the last part of a response stays in memory while its source waits",
        "jobd/api/endpoints/streams.py",
        "            del part  #",
        "            pass  #",
        "tests/integration/api/streams/test_streams.py::test_no_part_of_a_response_is_in_memory_while_its_source_waits",
    ),
    Mutation(
        "downloads reserve no memory",
        "jobd/api/memory.py",
        "    async with _reserve(copies, COPY_BYTES):",
        "    async with _reserve(copies, 0):",
        "tests/integration/api/files/test_stalled_downloads.py::test_stalled_downloads_share_a_budget",
    ),
    Mutation(
        "a call to the engine waits in the pool's queue",
        "jobd/docker/http/transport.py",
        "                result = await asyncio.shield(under_way)",
        "                result = await under_way",
        "tests/unit/jobd/docker/http/test_transport.py::test_a_cancelled_call_keeps_its_thread_until_the_thread_ends",
    ),
    Mutation(
        "orphans are tracked without a bound",
        "jobd/jobs/retention/orphans.py",
        "new[: MAX_TRACKED - len(found_at)]",
        "new",
        "tests/integration/jobs/retention/test_retention.py::test_more_orphans_than_are_tracked_are_all_removed",
    ),
    Mutation(
        "orphans in use take all turns",
        "jobd/jobs/retention/orphans.py",
        "                if is_crowded:",
        "                if False:",
        "tests/integration/jobs/retention/test_retention.py::test_orphans_in_use_do_not_hold_up_the_untracked_ones",
    ),
    Mutation(
        "a sidecar keeps all reports that were not sent",
        "sidecar/reporting/proxy.py",
        "        while size > MOST_WAITING_BYTES and",
        "        while False and",
        "tests/unit/sidecar/reporting/test_proxy.py::test_unsent_reports_are_bounded_in_bytes",
    ),
    Mutation(
        "an error of any length goes into a record",
        "jobd/jobs/state/machine.py",
        "    fact = bounded(record, fact)\n",
        "",
        "tests/unit/jobd/jobs/test_bounded_texts.py",
    ),
    Mutation(
        "a pull counts any number of layers",
        "jobd/docker/images/pulls.py",
        " or len(known) < MOST_LAYERS",
        " or True",
        "tests/unit/jobd/docker/test_remembered.py::test_the_layers_of_a_pull_are_bounded_in_number",
    ),
    Mutation(
        "SQLite keeps as many pages as it likes",
        "jobd/store/sqlite/database.py",
        "-{CACHE_BYTES // 1024}",
        "-{CACHE_BYTES}",
        "tests/integration/store/sqlite/test_database.py::test_pages_beyond_the_cache_are_not_in_memory",
    ),
    Mutation(
        "the tar of a missing output's folder is read to its end",
        "jobd/jobs/run/output_collection.py",
        "                if found.is_over or size >= LISTED_BYTES:",
        "                if found.is_over:",
        "tests/e2e/everyday/test_why.py::test_a_large_file_beside_a_missing_output_is_not_read_whole",
    ),
)
