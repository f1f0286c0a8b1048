"""Makes docs/jobctl-output.schema.json: a JSON Schema for the --json output of each command.

Source: JSON Schema 2020-12.
"""

import inspect
import json
import re
from typing import Any

import msgspec

from scripts.manual.output_types import OUTPUTS

FILE = "docs/jobctl-output.schema.json"
_REFERENCE = "#/$defs/{name}"


def output_schema() -> str:
    """Returns the document as text."""
    types = list(dict.fromkeys(kind for kinds, _ in OUTPUTS.values() for kind in kinds))
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    reference = {kind: schema["$ref"] for kind, schema in zip(types, schemas, strict=True)}
    definitions: dict[str, Any] = dict(sorted(components.items()))
    for definition in definitions.values():
        if "description" in definition:  # versions of msgspec differ in the indentation of docstrings
            definition["description"] = inspect.cleandoc(definition["description"])
    commands = {}
    for name, (kinds, lines) in OUTPUTS.items():
        title = re.sub("[^a-z]+", "-", f"output-of-{name}")
        one = {"$ref": reference[kinds[0]]}
        definitions[title] = (
            one if len(kinds) == 1 else {"anyOf": [{"$ref": reference[kind]} for kind in kinds]}
        )
        commands[name] = {"lines": lines, "$ref": _REFERENCE.format(name=title)}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The output of jobctl with --json",
        "description": "Each entry of `commands` refers to the schema of a command's standard output, `error` to that of an error on "
        "standard error. lines: one value a line (NDJSON), else a single value. A field without a value may be absent. "
        "Later versions may add fields.",
        "commands": commands,
        "$defs": definitions,
    }
    return json.dumps(document, indent=1) + "\n"
