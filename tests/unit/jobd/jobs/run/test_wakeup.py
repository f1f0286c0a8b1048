"""A wake-up is never lost, and a cancelled wait does not take the next one's."""

import asyncio

from jobd.jobs.run.wakeup import Wakeup

DEADLINE_S = 60.0


async def test_a_flag_that_is_set_before_the_wait_ends_it() -> None:
    wakeup = Wakeup()
    wakeup.set()
    await asyncio.wait_for(wakeup.wait(), DEADLINE_S)
    assert wakeup.is_set()
    wakeup.clear()
    assert not wakeup.is_set()


async def test_a_task_waits_until_the_flag_is_set() -> None:
    wakeup = Wakeup()
    task = asyncio.create_task(wakeup.wait())
    await asyncio.sleep(0)
    assert not task.done()
    wakeup.set()
    wakeup.set()
    wakeup.clear()  # the task was woken, whatever follows
    await asyncio.wait_for(task, DEADLINE_S)


async def test_a_wait_behind_a_cancelled_one_is_woken() -> None:
    wakeup = Wakeup()
    first = asyncio.create_task(wakeup.wait())
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.create_task(wakeup.wait())
    for _ in range(3):
        await asyncio.sleep(0)
    wakeup.set()
    await asyncio.wait_for(second, DEADLINE_S)
    assert first.cancelled()
