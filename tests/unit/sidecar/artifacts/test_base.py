"""The table of kinds is the wire contract's."""

import inspect
from typing import Any, get_type_hints

from jobd.wire.artifact import KINDS
from jobd.wire.validation.artifacts import artifact_problems
from sidecar.artifacts.base import HANDLERS, PATHS, Transferred, handler_of


def test_every_kind_of_the_contract_has_its_handler_and_no_other() -> None:
    assert set(HANDLERS) == set(KINDS)
    for kind, struct in KINDS.items():
        handler = handler_of(kind)
        hints = get_type_hints(handler)
        assert hints[next(iter(inspect.signature(handler).parameters))] is struct
        assert hints["return"] is Transferred


def test_every_path_of_the_contract_is_made_native_and_nothing_else() -> None:
    for kind, struct in KINDS.items():
        texts = [name for name in ("source", "out", "subdir") if name in struct.__struct_fields__]
        needed: dict[str, Any] = {
            name: "x" for name in ("source", "out", "job") if name in struct.__struct_fields__
        }
        checked = {
            name
            for name in texts
            if any(
                "must stay" in p.message
                for p in artifact_problems([struct(id="a", **{**needed, name: "../x"})])
            )
        }
        assert set(PATHS[kind]) == checked
