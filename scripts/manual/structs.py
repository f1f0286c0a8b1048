"""The fields of the wire contract's structs with type, default and description. Each field must have a description."""

from typing import Any, Literal, get_args, get_origin

import msgspec

from scripts.manual.roff import tagged


def encoded_names(struct: type[msgspec.Struct]) -> list[str]:
    """Returns the names of a struct's fields on the wire."""
    return [field.encode_name for field in msgspec.structs.fields(struct)]


def struct_fields(
    struct: type[msgspec.Struct], descriptions: dict[str, str], leave_out: tuple[str, ...] = ()
) -> str:
    """Returns a struct's fields with types, defaults and descriptions. Both must have the same names."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    extra = set(descriptions) - set(fields) - set(leave_out)
    if missing := (set(fields) - set(descriptions)) | extra:
        raise SystemExit(
            f"scripts/manual/words.py: descriptions and fields of {struct.__name__} differ: {sorted(missing)}"
        )
    result = ""
    for name, field in fields.items():
        if name in leave_out:
            continue
        default = "required" if field.required and name != "id" else ""
        if field.default not in (msgspec.NODEFAULT, None, 0, False):
            default = f"default {field.default}".replace("True", "true")
        notes = "; ".join(part for part in (type_text(field.type), default) if part)
        result += tagged(f"{name} ({notes})", descriptions[name] + ".")
    return result


def type_text(annotation: Any) -> str:
    """Returns the name of a type in JSON."""
    plain = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): ""}
    if annotation in plain:
        return plain[annotation]
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin is list:
        return "list of texts" if arguments[0] is str else "list"
    if origin is dict:
        return "mapping of texts"
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return "mapping"
    return " or ".join(part for part in map(type_text, arguments) if part)
