"""Strict decoding of a JSON body into a struct: names must be unique, and null means that a field is absent.

Pure. Decodes a usual body once into its type and checks its names once; only a body with a null that does not match the type is
decoded again without its nulls. `job_spec.py` checks the values.

Source: RFC 8259, section 4 (names within an object should be unique); RFC 7493, section 2.3 (I-JSON: they must be).
"""

import json
from typing import Any, Generic, TypeVar

import msgspec

from jobd.wire.problem import InvalidSpec, Problem, problem_of
from jobd.wire.validation.nulls import null_remover
from jobd.wire.validation.suggestions import permitted_values, suggested_field

T = TypeVar("T")

_LONGEST_NAME = 128
_TWICE = "appears twice; each name must be unique in its object"
_ANY = msgspec.json.Decoder()


class BodyDecoder(Generic[T]):
    """Decodes bodies into one type. Construction is slow, so each decoder is a module's constant."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._typed = msgspec.json.Decoder(kind)
        self._without_nulls = null_remover(kind)

    def decode(self, body: bytes) -> T:
        """Returns the decoded body.

        Raises:
            InvalidSpec: the body is no JSON, or has a duplicate name, a wrong type, an unknown or a missing field.
        """
        try:
            try:
                value = self._typed.decode(body)
            except msgspec.ValidationError:
                # Without these letters there is no null. They may also be part of a text: then the second attempt fails the same way.
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
                [
                    problem_of(
                        error,
                        lambda field: suggested_field(self._kind, _tree(body), field),
                        lambda field: permitted_values(self._kind, _tree(body), field),
                    )
                ]
            ) from None

    def convert(self, tree: object) -> T:
        """Returns the struct of a tree of builtins, as from YAML or flags. Raises as `decode` does."""
        try:
            try:
                return self._converted(tree)
            except msgspec.ValidationError:
                return self._converted(self._without_nulls(tree))
        except RecursionError:
            raise InvalidSpec([Problem("", "it is nested too deeply")]) from None
        except msgspec.ValidationError as error:
            raise InvalidSpec(
                [
                    problem_of(
                        error,
                        lambda field: suggested_field(self._kind, tree, field),
                        lambda field: permitted_values(self._kind, tree, field),
                    )
                ]
            ) from None

    def _converted(self, tree: object) -> T:
        return msgspec.convert(tree, self._kind)


def _tree(body: bytes) -> object:
    """Returns the body as builtins, for a suggestion; None where the body is no JSON."""
    try:
        return _ANY.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


class _Twice(Exception):
    """An object has a duplicate name."""


def check_names(body: bytes) -> None:
    """Checks that the names in each object of valid JSON are unique.

    Raises:
        InvalidSpec: names the path of the first duplicate.
    """
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=float)
    except _Twice:
        pairs = json.loads(body, object_pairs_hook=_Pairs, parse_int=float)
        raise InvalidSpec([Problem(_first_twice(pairs, "") or "", _TWICE)]) from None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    """Checks the names and builds no object, to save memory."""
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
