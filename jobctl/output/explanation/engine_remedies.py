"""What helps with the tools of the daemon's engine, as `GET /v1/version` gives it. Pure.

A daemon of an older version gives none; what is said then is the caller's.
"""

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"\{(\w+)\}")


def of_engine(version: Mapping[str, Any], wrong: str) -> tuple[str, ...]:
    """Returns what the daemon says helps where this is wrong; nothing where it does not say."""
    remedies = version.get("remedies")
    found = remedies.get(wrong) if isinstance(remedies, dict) else None
    return tuple(map(str, found)) if isinstance(found, list) else ()


def filled(text: str, values: Mapping[str, object]) -> str:
    """Returns the text with the names that are known filled in."""
    return _NAME.sub(lambda name: str(values.get(name[1], name[0])), text)
