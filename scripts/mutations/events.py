"""Mutations of deliveries."""

from scripts.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        "a whsec_ key without text signs with an empty secret",
        "jobd/wire/signing.py",
        "    return secret or key.encode()",
        "    return secret",
        "tests/unit/jobd/wire/test_signing.py::test_every_key_signs_what_it_verifies_and_never_with_an_empty_secret",
    ),
    Mutation(
        "bodies that nobody counts wait with the first one",
        "jobd/events/lanes.py",
        "self._queue(replace(due, ahead=()) if due.ahead else due, lane)",
        "self._queue(due, lane)",
        "tests/unit/jobd/events/test_lanes.py::test_what_waits_keeps_no_bodies_that_are_not_counted",
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
        "jobd/events/expiry.py",
        "self._now = self._time.now()\n        self._left = A_SCAN",
        "self._now = self._clock.now()\n        self._left = A_SCAN",
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
