"""The meaning of null in a JSON or YAML body: an optional field that is null is absent, as in Go's encoding/json.

Pure. Owns the rules for fields, map values and list elements, compiled once from a struct's types; `docs/wire-values.md` describes
them. An unknown field remains, null or not: decoding refuses it.

Source: Go documentation, `encoding/json`, Unmarshal.
"""

from collections.abc import Callable
from typing import Any

from msgspec import inspect

Cleaner = Callable[[Any], Any]


def null_remover(kind: type) -> Cleaner:
    """Returns a function that removes the nulls from a tree of builtins for `kind`.

    The function removes a known field that is null, also a required one. A null in a map or list of texts becomes the empty text; a
    null in a list of objects becomes an empty object, whose missing fields decoding names.
    """
    return _cleaner(inspect.type_info(kind)) or _unchanged


def _unchanged(value: Any) -> Any:
    return value


def _cleaner(info: inspect.Type) -> Cleaner | None:
    """Returns None for a type without inner values."""
    match info:
        case inspect.StructType():
            return _of_struct(info)
        case inspect.UnionType():
            return _of_union(info)
        case inspect.DictType(value_type=inner) if inner is not None:
            return _of_map(_zero(inner), _cleaner(inner))
        case inspect.ListType(item_type=inner) if inner is not None:
            return _of_list(_zero(inner), _cleaner(inner))
    return None


def _zero(info: inspect.Type) -> Callable[[], Any]:
    """Returns the maker of the value that Go's encoding/json uses for a null in a map or list: the element's zero value."""
    if isinstance(info, inspect.StrType):
        return str
    if isinstance(info, inspect.StructType) or (
        isinstance(info, inspect.UnionType)
        and all(isinstance(member, inspect.StructType) for member in info.types)
    ):
        return dict
    return lambda: None


def _of_struct(info: inspect.StructType) -> Cleaner:
    fields = {field.encode_name: _cleaner(field.type) for field in info.fields}
    if info.tag_field is not None:
        fields[info.tag_field] = None

    def clean(value: Any) -> Any:
        if type(value) is not dict:
            return value
        kept = {}
        for name, item in value.items():
            if item is None and name in fields:
                continue
            inner = fields.get(name)
            kept[name] = item if inner is None else inner(item)
        return kept

    return clean


def _of_union(info: inspect.UnionType) -> Cleaner | None:
    structs = [member for member in info.types if isinstance(member, inspect.StructType)]
    by_tag = {member.tag: _of_struct(member) for member in structs}
    others: dict[type, Cleaner] = {}
    for member in info.types:
        cleaner = None if isinstance(member, inspect.StructType) else _cleaner(member)
        if cleaner is not None:
            others[dict if isinstance(member, inspect.DictType) else list] = cleaner
    if not structs and not others:
        return None
    tag_field = structs[0].tag_field if structs else None

    def clean(value: Any) -> Any:
        inner: Cleaner | None = others.get(type(value))
        if structs and type(value) is dict:
            tag = value.get(tag_field) if tag_field is not None else None
            inner = by_tag.get(tag) if tag is None or isinstance(tag, str) else None
            if inner is None and tag is None:
                return {name: item for name, item in value.items() if name != tag_field}
        return value if inner is None else inner(value)

    return clean


def _of_map(zero: Callable[[], Any], inner: Cleaner | None) -> Cleaner:
    def clean(value: Any) -> Any:
        if type(value) is not dict:
            return value
        return {name: _element(item, zero, inner) for name, item in value.items()}

    return clean


def _of_list(zero: Callable[[], Any], inner: Cleaner | None) -> Cleaner:
    def clean(value: Any) -> Any:
        if type(value) is not list:
            return value
        return [_element(item, zero, inner) for item in value]

    return clean


def _element(item: Any, zero: Callable[[], Any], inner: Cleaner | None) -> Any:
    if item is None:
        return zero()
    return item if inner is None else inner(item)
