"""Which signals of the engine's `kill` events are jobd's own. Pure.

The engine notes each signal that it sends, whoever has ordered it: jobd, a person, or the engine itself while it is being stopped.

Source: Docker Engine API, SystemEvents (`kill`, attribute `signal`).
"""

import signal
from collections import OrderedDict

from jobd.docker.mapping.inspection import LONGEST_ID

_REMEMBERED = 8192


class OwnSignals:
    """The signals that jobd has ordered and whose events have not come."""

    def __init__(self) -> None:
        self._expected: OrderedDict[tuple[str, int], int] = OrderedDict()
        """How often, by container id and signal number."""

    def expect(self, container_id: str, name: str) -> None:
        """Jobd orders this signal now."""
        key = (container_id, _number(name))
        if len(container_id) > LONGEST_ID:
            return
        self._expected[key] = self._expected.pop(key, 0) + 1
        while len(self._expected) > _REMEMBERED:
            self._expected.popitem(last=False)

    def refused(self, container_id: str, name: str) -> None:
        """The engine has not sent this signal."""
        self._take((container_id, _number(name)))

    def is_own(self, container_id: str, number: str) -> bool:
        """Returns, once for each order, whether an event is of a signal that jobd has ordered."""
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
