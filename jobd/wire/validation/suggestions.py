"""What is known of a field that is wrong: the known field with the most similar name, and the permitted values. Pure."""

import re
from functools import cache
from typing import Any

from msgspec import inspect

from jobd.wire.flag_names import FLAG_NAMES

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_MIN_SIMILARITY = 0.7


def suggested_field(kind: type, tree: object, field: str) -> str | None:
    """Returns the name of the known field that resembles the unknown `field`, a path in `tree`; None where none does."""
    parent, dot, name = field.rpartition(".")
    known = known_fields(kind, tree, parent if dot else "")
    if FLAG_NAMES.get(name) in known:
        return FLAG_NAMES[name]
    plain = {_plain(each): each for each in known}
    if _plain(name) in plain:
        return plain[_plain(name)]
    from difflib import get_close_matches

    found = get_close_matches(_plain(name[:64]), plain, 1, _MIN_SIMILARITY)
    return plain[found[0]] if found else None


def permitted_values(kind: type, tree: object, field: str) -> str | None:
    """Returns the values that `field` may have, `a, b or c`; None where they are not few."""
    info, _ = _found(kind, tree, field)
    members = _members(info)
    words = [
        str(value) for member in members if isinstance(member, inspect.LiteralType) for value in member.values
    ]
    if any(isinstance(member, inspect.IntType) for member in members):
        words.insert(0, "a whole number")
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else None


def known_fields(kind: type, tree: object, path: str) -> list[str]:
    """Returns the field names of the object at `path` of a tree for `kind`; none where its type is unknown."""
    struct = _struct(*_found(kind, tree, path))
    if struct is None:
        return []
    tag = [struct.tag_field] if struct.tag_field else []
    return [*tag, *(field.encode_name for field in struct.fields)]


def _found(kind: type, tree: object, path: str) -> tuple[inspect.Type | None, Any]:
    """Returns the type and the value at `path` of a tree for `kind`; None where they are unknown."""
    info: inspect.Type | None = _type_info(kind)
    value = tree
    for step in _STEP.finditer(path):
        struct = _struct(info, value)
        if step[1] is not None:
            info = _list_item(info)
            index = int(step[1])
            value = value[index] if isinstance(value, list) and index < len(value) else None
        else:
            fields = {field.encode_name: field.type for field in struct.fields} if struct else {}
            info = fields.get(step[2])
            value = value.get(step[2]) if isinstance(value, dict) else None
    return info, value


@cache
def _type_info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def _members(info: inspect.Type | None) -> tuple[inspect.Type, ...]:
    if info is None:
        return ()
    return tuple(info.types) if isinstance(info, inspect.UnionType) else (info,)


def _list_item(info: inspect.Type | None) -> inspect.Type | None:
    lists = [member for member in _members(info) if isinstance(member, inspect.ListType)]
    return lists[0].item_type if lists else None


def _struct(info: inspect.Type | None, value: Any) -> inspect.StructType | None:
    structs = [member for member in _members(info) if isinstance(member, inspect.StructType)]
    if len(structs) > 1 and isinstance(value, dict):
        structs = [struct for struct in structs if struct.tag == value.get(str(struct.tag_field))]
    return structs[0] if len(structs) == 1 else None
