"""Mutations of the scheduler: order, reservation, limits, resources and dependencies."""

from scripts.mutations.mutation import Mutation

_SCHEDULING = "jobd/jobs/admission/scheduling"
_MODEL = "tests/unit/jobd/jobs/admission/scheduling/test_scheduler_model.py::TestSchedulerModel"

MUTATIONS = (
    Mutation(
        "nothing is reserved for the head of the queue",
        f"{_SCHEDULING}/scheduler.py",
        "                room = room.without(head)\n",
        "",
        _MODEL,
    ),
    Mutation(
        "no job starts behind a head that waits",
        f"{_SCHEDULING}/scheduler.py",
        "if room.places == 0 or room.memory_mb == 0:",
        "if True:",
        _MODEL,
    ),
    Mutation(
        "a head that the machine can never run holds everybody up",
        f"{_SCHEDULING}/scheduler.py",
        "if head is None and need.fit(self._total):",
        "if head is None:",
        _MODEL,
    ),
    Mutation(
        "a GPU is given to two jobs",
        f"{_SCHEDULING}/scheduler.py",
        "for gpu in self._machine.gpus if gpu not in self._leased)",
        "for gpu in self._machine.gpus)",
        "tests/unit/jobd/jobs/admission/scheduling/test_scheduler.py::test_jobs_that_run_at_once_have_different_gpus",
    ),
    Mutation(
        "the memory of running jobs is not counted",
        f"{_SCHEDULING}/scheduler.py",
        "return Amounts(1, demand.millicpus, demand.memory_mb, present)",
        "return Amounts(1, demand.millicpus, 0, present)",
        _MODEL,
    ),
    Mutation(
        "the limit of a group is ignored",
        f"{_SCHEDULING}/groups.py",
        "return not settings.paused and (settings.limit is None or self.running(name) < settings.limit)",
        "return not settings.paused",
        _MODEL,
    ),
    Mutation(
        "the priority does not count",
        f"{_SCHEDULING}/lanes.py",
        "return Key(-priority, ticket, uid)",
        "return Key(0, ticket, uid)",
        _MODEL,
    ),
    Mutation(
        "a job starts before its dependencies have ended",
        f"{_SCHEDULING}/dependency_graph.py",
        "        wanted = {one: known.get(one) for one in dependencies}\n",
        "        wanted = {one: known[one] for one in dependencies if one in known}\n",
        _MODEL,
    ),
    Mutation(
        "the pause of a group is forgotten at a start",
        "jobd/process/recovery.py",
        "    await jobs.groups.load()\n",
        "",
        "tests/integration/jobs/test_groups.py::test_a_paused_group_starts_nothing_until_it_is_resumed",
    ),
    Mutation(
        "a group that opens again gets no candidates",
        f"{_SCHEDULING}/lanes.py",
        "            self._fronts.extend((self._lanes[lane][0], lane) for lane in self._by_group.get(group, ()))\n",
        "",
        _MODEL,
    ),
)
