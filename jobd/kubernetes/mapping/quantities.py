"""Kubernetes' quantities: cores and bytes as text, both ways. Pure.

Source: Kubernetes API v1, Quantity; RFC 3339.
"""

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip
NEVER = "1970-01-01T00:00:00Z"
"""The kubelet's start time of a container that never started."""


def cores(count: float) -> str:
    """Returns cores as a quantity, at least a thousandth of a core."""
    return f"{max(round(count * 1000), 1)}m"


def mebibytes(count: int) -> str:
    """Returns MiB as a quantity."""
    return f"{count}Mi"


def number(text: str) -> Decimal:
    """Returns a quantity's number. Raises ValueError."""
    found = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?|[KMGTPE]i)", text.strip())
    if found is None:
        raise ValueError(f"not a quantity: {text[:40]!r}")
    try:
        return Decimal(found[1]) * _SUFFIXES[found[2]]
    except InvalidOperation:
        raise ValueError(f"not a quantity: {text[:40]!r}") from None


def timestamp(text: str | None) -> datetime | None:
    """Returns an aware time; None for no time, and for the time of a start that never was."""
    if not text or text == NEVER:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
