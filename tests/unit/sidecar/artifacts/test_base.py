"""The table of kinds is the wire contract's."""

import inspect
from typing import get_type_hints

from jobd.wire.artifact import KINDS
from sidecar.artifacts.base import HANDLERS, Moved, handler_of


def test_every_kind_of_the_contract_has_its_handler_and_no_other() -> None:
    assert set(HANDLERS) == set(KINDS)
    for kind, struct in KINDS.items():
        handler = handler_of(kind)
        hints = get_type_hints(handler)
        assert hints[next(iter(inspect.signature(handler).parameters))] is struct
        assert hints["return"] is Moved
