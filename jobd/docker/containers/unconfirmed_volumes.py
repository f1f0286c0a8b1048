"""Volumes whose create request got no answer: the engine may have created the folder and lost the labels.

An engine that is stopped or killed during the request leaves a volume without labels. Such a volume belongs to this instance if
this process requested the name, got no answer, and the volume has no label and is not older than the request.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping

from jobd.docker.engine import Engine, Labels
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.docker.mapping import labels

_REMEMBERED = 4096
_SLACK_S = 1.0
"""The engine reports a volume's creation time in whole seconds."""


class UnconfirmedVolumes:
    """Creates volumes and remembers, in memory only, the requests without an answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: OrderedDict[str, float] = OrderedDict()

    async def create(
        self, name: str, named: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> Labels:
        """Creates a volume and returns its labels; an existing volume keeps its own labels.

        Raises: RefusedByEngine. EngineUnavailable: the volume may have been created.
        """
        before = self._asked.get(name)
        if before is None:
            self._asked[name] = time.monotonic()
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
        try:
            found = await self._engine.create_volume(name, named, options)
        except (Refusal, ServerError) as error:
            raise port_error("volume", error) from error
        if before is None or found.get(labels.MAKING) == named.get(labels.MAKING):
            self.forget(name)
        return found

    async def has(self, name: str, found: labels.Labels | None) -> bool:
        """True if the volume with the labels `found` is unconfirmed. Raises: EngineUnavailable."""
        asked = self._asked.get(name)
        if asked is None or found is None or found:
            return False
        age_s = await self._engine.volume_age_s(name)
        return age_s is not None and age_s <= time.monotonic() - asked + _SLACK_S

    def forget(self, name: str) -> None:
        """The engine answered the request, or the volume is removed."""
        self._asked.pop(name, None)
