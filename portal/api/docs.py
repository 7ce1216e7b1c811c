"""The API described: the document for programs, and a page for people that is made from the same table.

Both are in English alone, as the names in the API are (docs/decisions/0027).
"""

from dataclasses import dataclass
from functools import cache

from flask import Blueprint, Response, json, render_template

from hotspot.api_keys import Scope
from portal.api.document import document, problems_of, written
from portal.api.models import Model, Query
from portal.api.operations import OPERATIONS, Operation
from portal.api.problems import PREFIX
from portal.context import current
from portal.languages import link_languages_nowhere

blueprint = Blueprint("api_docs", __name__)


@dataclass(frozen=True)
class FieldLine:
    """A field of a body or an answer."""

    name: str
    kind: str
    about: str


@dataclass(frozen=True)
class OperationLines:
    """An operation on the page."""

    name: str
    method: str
    path: str
    summary: str
    scope: str
    once: bool
    takes: list[FieldLine]
    answers: list[FieldLine]
    status: int
    problems: str


@blueprint.get(f"{PREFIX}/openapi.json")
def openapi() -> Response:
    """The document."""
    settings = current().settings
    told = document(settings.product_name, settings.public_portal_url)
    return Response(json.dumps(told, sort_keys=False), content_type="application/json")


@blueprint.get("/api/docs")
def docs() -> str:
    """The page."""
    settings = current().settings
    link_languages_nowhere()
    return render_template(
        "api/docs.html",
        operations=_all_lines(),
        scopes=[scope.value for scope in Scope],
        address=f"{settings.public_portal_url}{PREFIX}",
    )


@cache
def _all_lines() -> tuple[OperationLines, ...]:
    """Made once: anybody may ask for the page, as often as they like."""
    return tuple(_lines(one) for one in OPERATIONS)


def _lines(one: Operation) -> OperationLines:
    taken = one.body or one.query
    return OperationLines(
        name=one.name,
        method=one.method,
        path=written(one.path),
        summary=one.summary,
        scope=one.scope,
        once=one.once,
        takes=_fields(taken) if taken else [],
        answers=_fields(one.answer),
        status=one.status,
        problems=", ".join(str(status) for status in problems_of(one)),
    )


def _fields(model: type[Model] | type[Query]) -> list[FieldLine]:
    shown = model.model_json_schema(ref_template="{model}")["properties"]
    return [FieldLine(name, _kind(schema), schema.get("description", "")) for name, schema in shown.items()]


def _kind(schema: dict[str, object]) -> str:
    """A type in a few words: "list of Voucher", "date-time or null"."""
    if isinstance(choices := schema.get("anyOf"), list):
        return " or ".join(_kind(one) for one in choices)
    if isinstance(items := schema.get("items"), dict):
        return f"list of {_kind(items)}"
    return str(schema.get("$ref") or schema.get("format") or schema.get("type") or "")
