"""Makes jobd/wire/job-file.schema.json: a JSON Schema for job files, which editors use. `job_file_rules.py` has the rules of values.

Source: JSON Schema 2020-12; man/job.5.
"""

import copy
import json
from typing import Any

import msgspec

from jobd.api.openapi import nullable
from jobd.wire.flag_names import FLAG_NAMES
from jobd.wire.job import JobSpec
from scripts.manual import job_file_rules as rules
from scripts.manual import words

FILE = "jobd/wire/job-file.schema.json"
Schema = dict[str, Any]

_REFERENCE = "#/$defs/{name}"
_PLAIN = ("string", "integer", "number", "boolean")
_DESCRIPTIONS = {
    "JobSpec": words.JOB_FIELDS,
    "Callback": words.CALLBACK_FIELDS,
    "Dependency": words.DEPENDENCY_FIELDS,
    "Output": words.OUTPUT_FIELDS,
    "Mount": words.MOUNT_FIELDS,
    "Port": words.PORT_FIELDS,
    "Ulimit": words.ULIMIT_FIELDS,
    "Device": words.DEVICE_FIELDS,
}
_OWN_FIELDS = ("id", "set")


def job_file_schema() -> str:
    """Returns the schema as text."""
    _, components = msgspec.json.schema_components([JobSpec], ref_template=_REFERENCE)
    definitions = {name: _struct(name, nullable(schema)) for name, schema in sorted(components.items())}
    job = definitions.pop("JobSpec")
    job["required"] = ["image"]
    definitions["Job"] = _with_flag_names(job)
    definitions["JobOfSeveral"] = _of_several(definitions["Job"])
    templates = {f"{name}Template": _template(schema) for name, schema in definitions.items()}
    definitions |= templates
    for name in ("JobTemplate", "JobOfSeveralTemplate"):
        definitions[name]["properties"]["matrix"] = rules.MATRIX
        definitions[name]["required"] = ["image", "matrix"]
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A job file of jobctl",
        "description": "One job, several jobs, or a job with a matrix; see man 5 job. jobctl validate checks more than this schema can say.",
        "type": "object",
        "properties": {
            "jobs": {"description": "Several jobs by their names, with after between the names."},
            "matrix": {"description": rules.MATRIX["description"]},
        },
        "if": {"required": ["jobs"]},
        "then": {"$ref": "#/$defs/SeveralJobs"},
        "else": _by_matrix("Job"),
        "$defs": {**definitions, "SeveralJobs": _several()},
    }
    return json.dumps(_shortened(document), indent=1, ensure_ascii=False) + "\n"


def _struct(name: str, schema: Schema) -> Schema:
    """Returns a struct's schema with its rules and descriptions."""
    made = copy.deepcopy(schema)
    made.pop("description", None)
    made.pop("title", None)
    made["additionalProperties"] = False
    own = rules.FIELDS if name == "JobSpec" else rules.INNER.get(name, {})
    descriptions = _DESCRIPTIONS.get(name, words.ARTIFACT_FIELDS)
    for field, given in made["properties"].items():
        part = given
        if name not in _DESCRIPTIONS and field == "id":
            part = _restricted(part, rules.FIELDS["id"])
        if field in own:
            part = _restricted(part, own[field])
        if name == "JobSpec" and field in rules.FORMS:
            part = _with_form(part, rules.FORMS[field])
        if field in descriptions:
            part = {"description": descriptions[field], **part}
        part.pop("discriminator", None)
        made["properties"][field] = part
    return made


def _restricted(schema: Schema, rule: Schema) -> Schema:
    """Returns a field's schema with its rule, which null need not meet."""
    if "anyOf" not in schema:
        return {**schema, **rule}
    choices = [one if one == {"type": "null"} else _narrowed(one, rule) for one in schema["anyOf"]]
    return {**schema, "anyOf": choices}


def _narrowed(choice: Schema, rule: Schema) -> Schema:
    """Returns a choice with the rule, if the rule is about values of its type."""
    of_arrays, of_objects = {"minItems", "maxItems", "items"}, {"maxProperties", "propertyNames"}
    kind = choice.get("type")
    if (rule.keys() <= of_arrays and kind != "array") or (rule.keys() <= of_objects and kind != "object"):
        return choice
    if "items" in rule:
        return {**choice, **rule}
    return {**choice, **rule} if "anyOf" not in rule else {**choice, "anyOf": rule["anyOf"]}


def _with_form(schema: Schema, form: Schema) -> Schema:
    """Returns a field's schema that also takes the form of files; entries of lists may have either form."""
    choices = list(schema.get("anyOf", [schema]))
    if "items" in form:
        for choice in choices:
            if choice.get("type") == "array":
                choice["items"] = {"anyOf": [choice["items"], form["items"]]}
                return schema
    rest = {name: part for name, part in schema.items() if name in ("default", "description")}
    return {"anyOf": [*choices, form], **rest}


def _with_flag_names(job: Schema) -> Schema:
    """Returns a job's schema with the names of flags. Two names of one field exclude each other."""
    excluded = []
    by_field: dict[str, list[str]] = {}
    for flag, field in FLAG_NAMES.items():
        text = job["properties"][field]["description"]
        job["properties"][flag] = {
            "description": f"The same as {field}: {text}",
            "$ref": _REFERENCE.format(name=f"Job/properties/{field}"),
        }
        by_field.setdefault(field, [field]).append(flag)
    for names in by_field.values():
        excluded += [
            {"not": {"required": [one, other]}}
            for index, one in enumerate(names)
            for other in names[index + 1 :]
        ]
    return {**job, "allOf": excluded}


def _of_several(job: Schema) -> Schema:
    """Returns the schema of a job among several: `after` names jobs of the file, and the file gives the id."""
    made = copy.deepcopy(job)
    made["properties"] = {
        name: {"$ref": _REFERENCE.format(name=f"Job/properties/{name}")} for name in job["properties"]
    }
    own = {*_OWN_FIELDS, *(flag for flag, field in FLAG_NAMES.items() if field in _OWN_FIELDS)}
    for name in own:
        made["properties"].pop(name, None)
    made["allOf"] = [rule for rule in made["allOf"] if not own & set(rule["not"]["required"])]
    entry = {"anyOf": [rules.JOB_OF_FILE, {"$ref": "#/$defs/Dependency"}]}
    made["properties"]["after"] = {
        "description": "jobs of this file that must end before this one starts: NAME, NAME:any or NAME:failed",
        "anyOf": [entry, {"type": "array", "items": entry}, {"type": "null"}],
    }
    return made


def _several() -> Schema:
    return {
        "type": "object",
        "properties": {
            "jobs": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": rules.JOB_NAMES,
                "additionalProperties": _by_matrix("JobOfSeveral"),
            },
            "set": {**rules.FIELDS["set"], "type": ["string", "null"]},
        },
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
    }


def _by_matrix(name: str) -> Schema:
    return {
        "if": {"type": "object", "required": ["matrix"]},
        "then": {"$ref": f"#/$defs/{name}Template"},
        "else": {"$ref": f"#/$defs/{name}"},
    }


def _shortened(schema: Any) -> Any:
    """Returns the same schema with `type: [string, null]` for a choice of these two, and without keywords of OpenAPI."""
    if isinstance(schema, list):
        return [_shortened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _shortened(part) for name, part in schema.items() if name != "discriminator"}
    match made.get("anyOf"):
        case [{"type": str(kind), **rest}, {"type": "null", **others}] if not rest and not others:
            del made["anyOf"]
            made["type"] = [kind, "null"]
    return made


def _template(schema: Any) -> Any:
    """Returns a schema whose plain values may be texts with a placeholder."""
    if isinstance(schema, list):
        return [_template(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name, slash, rest = schema["$ref"].removeprefix(_REFERENCE.format(name="")).partition("/")
        return {**schema, "$ref": _REFERENCE.format(name=f"{name}Template{slash}{rest}")}
    if schema.get("type") in _PLAIN or "enum" in schema or "const" in schema:
        description = {"description": schema["description"]} if "description" in schema else {}
        return {"anyOf": [schema, rules.PLACEHOLDER], **description}
    skipped = ("propertyNames", "allOf", "default")
    return {
        name: {field: _template(one) for field, one in part.items()}
        if name == "properties"
        else part
        if name in skipped
        else _template(part)
        for name, part in schema.items()
    }
