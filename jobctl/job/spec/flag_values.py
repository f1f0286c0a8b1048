"""The values of single flags: capabilities, names, lists of words, KEY=VALUE. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jobctl.errors import Misuse
from jobctl.flag_words import words


def capabilities(flag: str, given: Sequence[str], field: str) -> list[str] | None:
    """Returns capabilities in the API's form; like docker, accepts any case, with or without CAP_."""
    names = distinct(flag, given, "the name of a capability", field)
    return [name.upper().removeprefix("CAP_") for name in names] or None


def given_name(flag: str, name: str | None, of: str, field: str) -> str | None:
    """Returns the name. Raises Misuse: the name is empty, which jobd takes as no name."""
    if name == "":
        raise Misuse(
            f"{flag} needs the name of {of}", field=field, hint="a variable of the shell may be empty"
        )
    return name


def distinct(flag: str, given: Sequence[str], needs: str, field: str) -> list[str]:
    """Returns the words of a flag, each once. Raises Misuse: a word is empty."""
    return list(dict.fromkeys(words(flag, given, needs, field)))


def key_values(flag: str, pairs: Sequence[str]) -> dict[str, str]:
    """Returns the pairs by key. Raises Misuse: a text is no KEY=VALUE."""
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise Misuse(
                f"{flag} {pair!r} must be KEY=VALUE", field=flag.removeprefix("--").replace("label", "labels")
            )
        values[key] = value
    return values
