"""The OpenAPI 3.1 document, made from the table of operations and its models."""

import re
from functools import cache
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from portal.api.dispatch import LONGEST_ONCE_KEY
from portal.api.models import Model, ProblemDetails
from portal.api.operations import OPERATIONS, Operation
from portal.api.problems import MEDIA_TYPE, PREFIX

_ID = {"type": "string", "pattern": "^[a-z2-7]{16}$"}
_PROBLEMS = {
    400: "The request cannot be read.",
    401: "There is no key, or none that is good.",
    403: "The key lacks the scope.",
    404: "There is nothing here, or nothing that the key may see.",
    409: "The state of things forbids it; `code` says why.",
    413: "The request is too large.",
    415: "The body is not application/json.",
    422: "Something in the request is not as described; `errors` says what.",
    429: "The key has used up its requests or vouchers; Retry-After says how long to wait.",
    500: "Something went wrong on our side.",
    503: "Try again as Retry-After says.",
}


@cache
def document(product: str, address: str) -> dict[str, Any]:
    """The document of an installation."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{product} API",
            "version": "1",
            "description": "Vouchers of a public hotspot for tills, hotel and campsite systems.",
        },
        "servers": [{"url": address}],
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {"schemas": _schemas(), "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def written(path: str) -> str:
    """A path as the document writes it."""
    return PREFIX + re.sub("<(.*?)>", r"{\1}", path)


def problems_of(operation: Operation) -> list[int]:
    """The statuses of the problems that an operation may answer with."""
    found = {400, 401, 403, 422, 429, 500, 503}
    if "<" in operation.path or operation.body or operation.query:
        found.add(404)
    if operation.body:
        found |= {413, 415}
    if operation.refuses:
        found.add(409)
    return sorted(found)


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        paths.setdefault(written(one.path), {})[one.method.lower()] = _operation(one)
    return paths


def _operation(one: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Needs the scope `{one.scope}`.",
        "parameters": _parameters(one),
        "responses": {
            str(one.status): {
                "description": "Done.",
                "content": {"application/json": {"schema": _reference(one.answer)}},
            },
            **{str(status): _problem(status) for status in problems_of(one)},
        },
    }
    if one.body:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(one.body)}}}
    return told


def _parameters(one: Operation) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _ID} for name in re.findall("<(.*?)>", one.path)
    ]
    if one.query:
        shown = one.query.model_json_schema()
        told += [{"name": name, "in": "query", "schema": schema} for name, schema in shown["properties"].items()]
    if one.once:
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_ONCE_KEY}
        told.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema})
    return told


def _problem(status: int) -> dict[str, Any]:
    return {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": _reference(ProblemDetails)}}}


def _reference(model: type[Model]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas() -> dict[str, Any]:
    """Each model is for one direction, so it has one schema."""
    wanted: set[tuple[type[Model], JsonSchemaMode]] = {(ProblemDetails, "serialization")}
    for one in OPERATIONS:
        wanted.add((one.answer, "serialization"))
        if one.body:
            wanted.add((one.body, "validation"))
    ordered = sorted(wanted, key=lambda pair: pair[0].__name__)
    _names, told = models_json_schema(ordered, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = told["$defs"]
    return schemas
