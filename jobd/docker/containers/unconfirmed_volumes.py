"""Volumes whose making was asked for and never answered: the engine may have made the folder and lost the labels.

An engine that is stopped or killed just then leaves a volume that does not say whose it is. Owns the one other proof that it is
ours: this process asked for the name, no answer came, and what stands there bears no label and is no older than that.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping

from jobd.docker.engine import Engine, Labels
from jobd.docker.http.errors import Refusal, Trouble, meant
from jobd.docker.mapping import labels

_REMEMBERED = 4096
_SLACK_S = 1.0
"""The engine tells the age of a volume in whole seconds."""


class UnconfirmedVolumes:
    """Makes volumes and remembers those that were left unanswered. What it remembers ends with the process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: OrderedDict[str, float] = OrderedDict()

    async def create(
        self, name: str, named: Mapping[str, str], options: Mapping[str, str] | None = None
    ) -> Labels:
        """Makes a volume and returns its labels; one that was there already keeps, and shows, its own.

        Raises: RefusedByEngine. EngineUnavailable: whether it was made is not known.
        """
        before = self._asked.get(name)
        if before is None:
            self._asked[name] = time.monotonic()
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
        try:
            found = await self._engine.create_volume(name, named, options)
        except (Refusal, Trouble) as error:
            raise meant("volume", error) from error
        if before is None or found.get(labels.MAKING) == named.get(labels.MAKING):
            self.forget(name)
        return found

    async def has(self, name: str, found: labels.Labels | None) -> bool:
        """True where the volume that shows the labels `found` is one of these. Raises: EngineUnavailable."""
        asked = self._asked.get(name)
        if asked is None or found is None or found:
            return False
        age_s = await self._engine.volume_age_s(name)
        return age_s is not None and age_s <= time.monotonic() - asked + _SLACK_S

    def forget(self, name: str) -> None:
        """The name was answered for, or what had it is gone."""
        self._asked.pop(name, None)
