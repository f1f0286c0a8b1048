"""The base of the values that jobctl prints with --json."""

import msgspec


class Shape(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all outputs."""
