"""Makes jobctl/sdk/fields.py: the fields of a job file as keyword arguments of the Python client.

A field has its name in Python, and the names of its flags; its type is that of the spec, or a form of a job file.
"""

import textwrap
from typing import Any, Literal, get_args, get_origin

import msgspec

from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.job import JobSpec
from scripts.manual.words import JOB_FIELDS

FILE = "jobctl/sdk/fields.py"
PARAMETERS = ("image", "command", "outputs")
"""Fields that are parameters of `submit` itself."""
_NAMES_AND_VALUES = "Mapping[str, str] | Sequence[str]"
_FORMS = {
    "memory": "int | str",
    "timeoutSeconds": "int | str",
    "stopTimeoutSeconds": "int | str",
    "shmSize": "int | str",
    "stopSignal": "str",
    "environment": _NAMES_AND_VALUES,
    "labels": _NAMES_AND_VALUES,
    "meta": _NAMES_AND_VALUES,
    "tmpfs": _NAMES_AND_VALUES,
    "entrypoint": "str | Sequence[str]",
    "callback": "str | Mapping[str, Any]",
    "artifacts": "Sequence[Mapping[str, Any]]",
    "after": "Sequence[Any]",
    "cpu": "float",
}
"""Types that a job file, or Python, takes beside those of the spec."""
_HEAD = '''"""The fields of a job as keyword arguments. Made by scripts/manual/python_fields.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class JobFields(TypedDict, total=False):
    """The fields of a job file with `_` for a capital or a dash. A name of a flag stands for its field; give only one of them."""

'''


def python_fields() -> str:
    """Returns the module as text."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(JobSpec)}
    lines = [_HEAD]
    for encoded, field in fields.items():
        flags = [flag.replace("-", "_") for flag, name in FLAG_NAMES.items() if name == encoded]
        names = list(dict.fromkeys([field.name, *flags]))
        if encoded in PARAMETERS:
            names = [name for name in names if name not in PARAMETERS]
        kind = _FORMS.get(encoded) or _type_of(field.type)
        for name in names:
            lines.append(f"    {name}: {'str' if encoded == 'command' else kind} | None\n")
            text = JOB_FIELDS[encoded] if name == field.name else f"The same as `{field.name}`"
            text = text[0].upper() + text[1:] + "."
            lines.append(textwrap.indent(f'"""{textwrap.fill(text, 100)}"""\n', "    "))
    return "".join(lines)


def _type_of(annotation: Any) -> str:
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]".replace("'", '"')
    if origin is list:
        inner = arguments[0]
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return "Sequence[str | Mapping[str, Any]]"
        return f"Sequence[{_type_of(inner)}]"
    if origin is dict:
        return "Mapping[str, str]"
    if isinstance(annotation, type):
        return annotation.__name__
    return " | ".join(_type_of(part) for part in arguments if part is not type(None))
