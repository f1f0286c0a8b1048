"""A JSON body to a struct, strictly: each name once, and null for what is absent.

Pure. The usual body is decoded once into its type and looked at once for names that are there twice; only a body that does not fit its
type and holds a null is taken apart again. What the values may be is in `job_spec.py`.

Source: RFC 8259, 4 (names within an object should be unique); RFC 7493, 2.3 (I-JSON: they must be).
"""

import json
from typing import Any, Generic, TypeVar

import msgspec

from jobd.wire.problem import InvalidSpec, Problem, problem_of
from jobd.wire.validation.nulls import null_remover
from jobd.wire.validation.suggestions import meant

T = TypeVar("T")

_LONGEST_NAME = 128
_TWICE = "is there twice; each name may stand once in an object"
_ANY = msgspec.json.Decoder()


class BodyDecoder(Generic[T]):
    """Decodes bodies into one type; a module's constant, since making one costs more than using it."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._typed = msgspec.json.Decoder(kind)
        self._without_nulls = null_remover(kind)

    def decode(self, body: bytes) -> T:
        """Returns what the body says.

        Raises:
            InvalidSpec: the body is no JSON, says a name twice, or has a wrong type, an unknown or a missing field.
        """
        try:
            try:
                value = self._typed.decode(body)
            except msgspec.ValidationError:
                # Every null is spelled so, also in a text: then the second look finds the same error again.
                if b"null" not in body:
                    raise
                tree = _ANY.decode(body)
                check_names(body)
                return self._converted(self._without_nulls(tree))
            check_names(body)
            return value
        except UnicodeDecodeError:
            raise InvalidSpec([Problem("", "the body is not UTF-8 text")]) from None
        except RecursionError:
            raise InvalidSpec([Problem("", "the body is nested too deeply")]) from None
        except msgspec.DecodeError as error:
            raise InvalidSpec(
                [problem_of(error, lambda field: meant(self._kind, _tree(body), field))]
            ) from None

    def convert(self, tree: object) -> T:
        """Returns what a tree of builtins says, as YAML or flags give it. Raises as `decode` does."""
        try:
            try:
                return self._converted(tree)
            except msgspec.ValidationError:
                return self._converted(self._without_nulls(tree))
        except RecursionError:
            raise InvalidSpec([Problem("", "it is nested too deeply")]) from None
        except msgspec.ValidationError as error:
            raise InvalidSpec([problem_of(error, lambda field: meant(self._kind, tree, field))]) from None

    def _converted(self, tree: object) -> T:
        return msgspec.convert(tree, self._kind)


def _tree(body: bytes) -> object:
    """What the body holds, to name what was meant."""
    try:
        return _ANY.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


class _Twice(Exception):
    """A name is there twice."""


def check_names(body: bytes) -> None:
    """Refuses a body of valid JSON that has an object with one name twice.

    Raises:
        InvalidSpec: with the path of the first such name.
    """
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=float)
    except _Twice:
        pairs = json.loads(body, object_pairs_hook=_Pairs, parse_int=float)
        raise InvalidSpec([Problem(_first_twice(pairs, "") or "", _TWICE)]) from None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    """Keeps nothing: only the names are of interest."""
    if len(pairs) > 1 and len(dict(pairs)) != len(pairs):
        raise _Twice


class _Pairs(list[tuple[str, Any]]):
    """An object with all its names, in their order."""


def _first_twice(value: object, at: str) -> str | None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, item in value:
            field = f"{at}.{name[:_LONGEST_NAME]}" if at else name[:_LONGEST_NAME]
            if name in seen:
                return field or '""'
            seen.add(name)
            if found := _first_twice(item, field):
                return found
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if found := _first_twice(item, f"{at}[{index}]"):
                return found
    return None
