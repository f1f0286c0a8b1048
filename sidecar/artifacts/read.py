"""read: puts the content of a file into the artifact's event, as JSON where that is lossless, else as text.

Text stays text where JSON readers could change or refuse it: NaN and Infinity, numbers beyond 64 bits or a double, repeated names,
unpaired surrogates, very deep nesting. Bytes that are not UTF-8 become U+FFFD.
"""

import json
import math
from typing import Any

from jobd.wire.artifact import Read
from sidecar.artifacts.base import Caps, Context, Transferred
from sidecar.entry import shown
from sidecar.errors import ArtifactError

_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_DEEPEST = 100


def transfer(artifact: Read, context: Context) -> Transferred:
    """Returns the content. A file that is too large fails and is not cut."""
    caps = context.caps
    with context.interrupts.time_limit(caps.local_s), context.workspace.open(artifact.source) as file:
        raw = file.read(caps.content_bytes + 1)
    if len(raw) > caps.content_bytes:
        raise ArtifactError(
            f"{shown(artifact.source)}: is larger than {caps.content_bytes} bytes, the limit of an event; upload the file instead"
        )
    content = content_of(raw)
    check_encoded(artifact.source, content, caps)
    return Transferred(size_bytes=len(raw), content=content)


def check_encoded(path: str, content: Any, caps: Caps) -> None:
    """Checks the content's length as JSON.

    Raises:
        ArtifactError: the JSON is longer than `caps.encoded_content_bytes`.
    """
    if len(json.dumps(content, ensure_ascii=True)) > caps.encoded_content_bytes:
        raise ArtifactError(f"{shown(path)}: is too large for an event as JSON; upload the file instead")


def content_of(raw: bytes) -> Any:
    """Returns a JSON value or a text that every JSON reader reads unchanged."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw.decode(errors="replace")
    try:
        tree = json.loads(
            text, parse_constant=_refuse, parse_int=_integer, parse_float=_number, object_pairs_hook=_object
        )
        json.dumps(tree, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return tree if _depth_is_fine(tree) else text


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _integer(digits: str) -> int:
    if len(digits) > 20 or not _SMALLEST <= (value := int(digits)) <= _LARGEST:
        raise ValueError("beyond 64 bits")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("beyond a double")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is repeated")
    return members


def _depth_is_fine(tree: Any) -> bool:
    level = [tree]
    for _ in range(_DEEPEST):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return True
    return False
