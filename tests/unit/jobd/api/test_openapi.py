"""The document is generated from the route table."""

from typing import Any

import pytest

from jobd.api.openapi import document
from jobd.api.route import Parameter, Route
from jobd.api.routes import ROUTES
from jobd.wire.job import JobSpec
from jobd.wire.views.deliveries import DeliveryList
from jobd.wire.views.job import Accepted, JobList, JobView

CREATES = {("PUT", "/v1/groups/{name}")}
"""The operations with an id that make what does not exist."""


async def handler(_: Any) -> Any:
    """Never called."""


def made(**options: object) -> dict[str, object]:
    route = Route("POST", "/v1/things/{id}", handler, "Do it", **options)  # type: ignore[arg-type]
    operation: dict[str, object] = document([route], "1.2.3")["paths"]["/v1/things/{id}"]["post"]
    return operation


def test_a_route_becomes_an_operation() -> None:
    operation = made(
        responses={202: (Accepted,), 200: (Accepted, JobView)},
        refusals=(409,),
        body=JobSpec,
        parameters=(Parameter("deep", {"type": "boolean"}, "how deep"),),
    )
    responses = operation["responses"]
    assert isinstance(responses, dict)
    assert set(responses) == {"200", "202", "400", "401", "403", "409", "413", "415", "503"}
    assert responses["202"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}
    }
    assert len(responses["200"]["content"]["application/json"]["schema"]["anyOf"]) == 2
    assert operation["parameters"] == [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[a-zA-Z0-9][a-zA-Z0-9_-]*$", "maxLength": 128}},
        {"name": "deep", "in": "query", "description": "how deep", "schema": {"type": "boolean"}},
    ]  # fmt: skip
    assert operation["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobSpec"}}},
    }
    assert "security" not in operation


def test_open_streaming_and_empty_answers() -> None:
    operation = made(
        responses={204: (), 200: ()}, media=("application/x-ndjson", "text/event-stream"), open=True
    )
    responses = operation["responses"]
    assert isinstance(responses, dict)
    assert "content" not in responses["204"]
    assert responses["200"]["content"] == {
        "application/x-ndjson": {"schema": {}},
        "text/event-stream": {"schema": {}},
    }
    assert operation["security"] == []
    assert "requestBody" not in operation


async def elsewhere(_: Any) -> Any:
    """Never called."""


@pytest.mark.parametrize(
    ("kind", "path", "id"),
    [
        (Accepted, "/v1/jobs/{id}/things", "/id"),
        (JobView, "/v1/jobs/{id}", "/id"),
        (JobList, "/v1/jobs/{id}", "/jobs/0/id"),
        (DeliveryList, "/v1/deliveries/{id}/things", "/deliveries/0/id"),
    ],
)
def test_a_response_links_to_the_operations_on_its_id(kind: type, path: str, id: str) -> None:
    source = Route("GET", "/v1/source", handler, "Look", {200: (kind,)})
    others = ("/v1/jobsworth", "/v1/jobs", "/v1/deliveries")
    routes = [source, Route("GET", path, elsewhere, "Do it", {204: ()}),
              *(Route("GET", other, handler, "Other", {204: ()}) for other in others)]  # fmt: skip
    made = document(routes, "1")["paths"]
    assert made["/v1/source"]["get"]["responses"]["200"]["links"] == {
        "elsewhere": {"operationId": "elsewhere", "parameters": {"id": f"$response.body#{id}"}}
    }
    assert "links" not in made[path]["get"]["responses"]["204"]


def test_every_link_passes_the_parameter_of_its_operation() -> None:
    operations = [
        operation for path in document(ROUTES, "1")["paths"].values() for operation in path.values()
    ]
    takes = {o["operationId"]: {p["name"] for p in o["parameters"] if p["in"] == "path"} for o in operations}
    assert len(takes) == len(operations)
    links = [
        link
        for operation in operations
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(links) > 20
    assert all(set(link["parameters"]) == takes[link["operationId"]] for link in links)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_complete(route: Route) -> None:
    assert route.summary[0].isupper()
    assert not route.summary.endswith(".")
    assert any(200 <= status < 300 or status == 101 for status in route.responses)
    creates = (route.method, route.path) in CREATES
    assert (404 in route.refusals) or creates or "{" not in route.path
    assert not (creates and 404 in route.refusals)
    assert all(parameter.help and parameter.schema for parameter in route.parameters)
    assert not set(route.responses) & set(route.refusals)


def test_the_document_is_the_same_each_time() -> None:
    assert document(ROUTES, "1") == document(ROUTES, "1")
    assert document(ROUTES, "1")["info"]["version"] == "1"
