"""Generates the OpenAPI 3.1 document from the route table and the wire types. Pure.

Source: OpenAPI Specification 3.1.0.
"""

import re
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from jobd.wire.validation.limits import GROUP_PATTERN, ID_PATTERN, MAX_GROUP, MAX_ID
from jobd.wire.views.base import Error
from jobd.wire.views.deliveries import DeliveryList
from jobd.wire.views.job import Accepted, JobList, JobView

if TYPE_CHECKING:
    from jobd.api.route import Route

_COMMON_REFUSALS = (400, 401, 403, 503)
_REFERENCE = "#/components/schemas/{name}"
_LINKED_PATHS: tuple[tuple[type, str, str], ...] = (
    (Accepted, "/v1/jobs/{id}", "/id"),
    (JobView, "/v1/jobs/{id}", "/id"),
    (JobList, "/v1/jobs/{id}", "/jobs/0/id"),
    (DeliveryList, "/v1/deliveries/{id}", "/deliveries/0/id"),
)
"""A response type, the path that its links lead to, and the JSON pointer of the id in the response."""


def document(routes: "Iterable[Route]", version: str) -> dict[str, Any]:
    """Returns the document as builtins, for JSON."""
    routes = list(routes)
    types = [
        t
        for route in routes
        for t in (route.body, *chain(*route.responses.values()), *route.messages)
        if t is not None
    ]
    bodies = {route.body for route in routes if route.body is not None}
    unique = list({id(t): t for t in (*types, Error)}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REFERENCE)
    for name in _referenced(
        [schema for kind, schema in zip(unique, schemas, strict=True) if kind in bodies], components
    ):
        components[name] = nullable(components[name])
    schema_of = dict(zip(map(id, unique), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schema_of)
        for status, kinds in route.responses.items():
            if links := _links(kinds, routes):
                operation["responses"][str(status)]["links"] = links
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jobd",
            "version": version,
            "description": "Runs container jobs: files in, files out, live logs, the job's own exit code and signed events.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"apiKey": []}],
    }


def _referenced(schemas: list[Any], components: dict[str, Any]) -> set[str]:
    """Returns the names of the components that these schemas refer to, directly or indirectly."""
    found: set[str] = set()
    todo: list[Any] = list(schemas)
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix(_REFERENCE.format(name=""))
            if name and name not in found:
                found.add(name)
                todo.append(components[name])
            todo.extend(part.values())
        elif isinstance(part, list):
            todo.extend(part)
    return found


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns a body's schema that allows null for optional fields, and for texts in maps and lists.

    Source: docs/wire-values.md.
    """
    required = set(schema.get("required", ()))
    properties = {
        name: _texts_nullable(part) if name in required else _or_null(_texts_nullable(part))
        for name, part in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties} if properties else schema


def _texts_nullable(schema: dict[str, Any]) -> dict[str, Any]:
    changed = dict(schema)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict) and schema[inner].get("type") == "string":
            changed[inner] = _or_null(schema[inner])
    if "anyOf" in schema:
        changed["anyOf"] = [_texts_nullable(part) for part in schema["anyOf"]]
    return changed


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = schema.get("anyOf", [{name: part for name, part in schema.items() if name != "default"}])
    if {"type": "null"} not in choices:
        choices = [*choices, {"type": "null"}]
    kept: dict[str, Any] = {name: schema[name] for name in ("default", "discriminator") if name in schema}
    return {"anyOf": choices, **kept}


def _operation(route: "Route", schema_of: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.parameters)],
        "responses": {str(status): _success(route, status, schema_of) for status in route.responses},
    }
    refusals = {*_COMMON_REFUSALS, *route.refusals, *((415, 413) if route.body else ())}
    for status in sorted(refusals - set(route.responses)):
        operation["responses"][str(status)] = {
            "description": "refused",
            "content": {"application/json": {"schema": schema_of[id(Error)]}},
        }
    if route.open:
        operation["security"] = []
    if route.description:
        operation["description"] = route.description
    if route.body is not None:
        content: dict[str, Any] = {"application/json": {"schema": schema_of[id(route.body)]}}
        if route.multipart:
            content["multipart/form-data"] = {"schema": _multipart(schema_of[id(route.body)])}
        operation["requestBody"] = {"required": route.body_required, "content": content}
    return operation


def _success(route: "Route", status: int, schema_of: dict[int, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": "done"}
    if status in (101, 204):
        return response
    schemas = [schema_of[id(kind)] for kind in route.responses[status]]
    schema = {"anyOf": schemas} if len(schemas) > 1 else next(iter(schemas), {})
    response["content"] = {media: {"schema": schema} for media in route.media}
    return response


def _links(kinds: Iterable[type], routes: "Iterable[Route]") -> dict[str, Any]:
    """Returns links to the operations that take the id of a response, by their names."""
    return {
        route.handler.__name__: {
            "operationId": route.handler.__name__,
            "parameters": {"id": f"$response.body#{pointer}"},
        }
        for kind, path, pointer in _LINKED_PATHS
        if kind in kinds
        for route in routes
        if route.path == path or route.path.startswith(f"{path}/")
    }


def _multipart(spec: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": spec, "files": {"type": "string", "contentMediaType": "application/x-tar"}},
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    job_id = {"type": "string", "pattern": ID_PATTERN, "maxLength": MAX_ID}
    schema: dict[str, Any] = job_id
    if path.startswith("/v1/deliveries"):
        schema = {"type": "integer", "minimum": 1}
    elif path.startswith(("/v1/groups", "/v1/sets")):
        schema = {"type": "string", "pattern": GROUP_PATTERN, "maxLength": MAX_GROUP}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _parameter(parameter: Any) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.help,
        "schema": parameter.schema,
    }
