"""The engine's clock, which stamps its events.

Source: Docker Engine API, SystemPing.
"""

import calendar
import time
from email.utils import parsedate

from jobd.docker.engine import Engine


async def engine_time(engine: Engine) -> int:
    """Returns the engine's time in whole seconds since 1970. Raises: EngineUnavailable, Refusal.

    A subscription to events begins shortly after the engine's answer, so jobd requests events from a little earlier.
    """
    async with engine.streams.open("GET", "/_ping", silence_s=engine.timeouts.connect_s) as body:
        date = parsedate(body.date)
    return calendar.timegm(date) if date is not None else int(time.time())
