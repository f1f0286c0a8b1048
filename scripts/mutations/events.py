"""Mutations of deliveries."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "bodies that nobody counts wait with the first one",
        "jobd/events/lanes.py",
        "self._queue(replace(due, ahead=()) if due.ahead else due, lane)",
        "self._queue(due, lane)",
        "tests/unit/jobd/events/test_lanes.py::test_what_waits_keeps_no_bodies_that_are_not_counted",
    ),
    Mutation(
        "what waits for its record keeps its bodies",
        "jobd/events/dispatcher.py",
        "self._ended(kept, following, settlements[0].next_attempt_at)",
        "self._ended(Unrecorded.of(run[0]), following, settlements[0].next_attempt_at)",
        "tests/integration/events/test_memory.py::test_what_waits_for_its_record_keeps_no_bodies",
    ),
    Mutation(
        "all addresses of a name are kept",
        "jobd/events/resolver.py",
        "for entry in found))[:MAX_ADDRESSES]",
        "for entry in found))",
        "tests/unit/jobd/events/test_resolver.py::test_of_a_name_with_many_addresses_few_are_kept",
    ),
    Mutation(
        "questions wait in the queue of the threads",
        "jobd/events/resolver.py",
        "asyncio.Semaphore(THREADS)",
        "asyncio.Semaphore(1000)",
        "tests/unit/jobd/events/test_resolver.py::test_questions_do_not_pile_up_before_a_name_server_that_does_not_answer",
    ),
    Mutation(
        "what was replayed has no time of its own",
        "jobd/store/settling.py",
        'due_at = ?, due_seen = ? WHERE id IN ({marks}) AND due_at IS NULL",\n            (to_micros(at), seen_ms, *part)',
        'due_at = ? WHERE id IN ({marks}) AND due_at IS NULL",\n            (to_micros(at), *part)',
        "tests/integration/events/test_expiry.py::test_what_was_replayed_is_given_its_time",
    ),
    Mutation(
        "what is taken after it expired stays given up",
        "jobd/store/settling.py",
        "            _deliver_late(connection, one)\n",
        "            pass\n",
        "tests/integration/store/test_outbox.py::test_what_its_receiver_took_after_it_had_expired_is_delivered",
    ),
    Mutation(
        "a wall clock that is set ahead makes events older",
        "jobd/store/store.py",
        "return self._seen.now_ms() - int(age_s * 1000)",
        "return int((self._clock.now().timestamp() - age_s - 1893456000) * 1000)",
        "tests/integration/events/test_expiry.py::test_a_jump_of_the_wall_clock_parks_nothing",
    ),
    Mutation(
        "the breaker of a host that nobody calls stays",
        "jobd/events/loader.py",
        "                self._breakers.forget(lane, self._clock.monotonic())\n",
        "                pass\n",
        "tests/integration/events/test_expiry.py::test_the_breaker_of_a_host_that_nobody_calls_any_more_goes",
    ),
    Mutation(
        "any number of breakers is remembered",
        "jobd/events/breaker.py",
        "if len(self._breakers) >= MAX_BREAKERS:",
        "if False:",
        "tests/unit/jobd/events/test_breaker.py::test_more_hosts_that_fail_than_are_remembered",
    ),
    Mutation(
        "a damaged event is sent empty",
        "jobd/events/dispatcher.py",
        "            if not first.body:",
        "            if False:",
        "tests/integration/events/test_delivery.py",
    ),
)
