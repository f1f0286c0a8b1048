"""Which of the engine's `kill` events come from jobd's own requests. Pure.

The engine emits a `kill` event for each signal that it sends: for jobd, for another client, or for its own stop.

Source: Docker Engine API, SystemEvents (`kill`, attribute `signal`).
"""

import signal
from collections import OrderedDict

from jobd.docker.mapping.inspection import LONGEST_ID

_REMEMBERED = 8192


class OwnSignals:
    """The signals that jobd requested and whose events have not arrived."""

    def __init__(self) -> None:
        self._expected: OrderedDict[tuple[str, int], int] = OrderedDict()
        """The count by container id and signal number."""

    def expect(self, container_id: str, name: str) -> None:
        """Registers a signal that jobd requests now."""
        key = (container_id, _number(name))
        if len(container_id) > LONGEST_ID:
            return
        self._expected[key] = self._expected.pop(key, 0) + 1
        while len(self._expected) > _REMEMBERED:
            self._expected.popitem(last=False)

    def refused(self, container_id: str, name: str) -> None:
        """The engine refused to send this signal."""
        self._take((container_id, _number(name)))

    def is_own(self, container_id: str, number: str) -> bool:
        """Returns whether jobd requested the event's signal; each request matches one event."""
        return number.isascii() and number.isdecimal() and self._take((container_id, int(number[:4])))

    def _take(self, key: tuple[str, int]) -> bool:
        left = self._expected.pop(key, 0)
        if left > 1:
            self._expected[key] = left - 1
        return left > 0


def _number(name: str) -> int:
    try:
        return signal.Signals[name].value
    except KeyError:
        return 0
