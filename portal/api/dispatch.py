"""From a request to an operation and back: who calls, may they, how often, and is what they sent what the table says."""

from collections.abc import Callable
from functools import partial

from flask import Flask, Response, request
from pydantic import BaseModel, ValidationError

from hotspot.errors import NotFound, Refusal, WrongUse
from portal.api.call import Call
from portal.api.caller import count, identify
from portal.api.models import Model
from portal.api.operations import OPERATIONS, Operation
from portal.api.problems import PREFIX, Problem
from portal.context import current

# Longer ones are not stored (vouchers/once.py), and some of the room is the key's own name.
LONGEST_ONCE_KEY = 200
_MOST_ERRORS = 20


def init_app(app: Flask) -> None:
    """Give `app` an address for each operation."""
    for one in OPERATIONS:
        view = partial(_answer, one)
        rule = f"{PREFIX}{one.path}"
        app.add_url_rule(rule, f"api.{one.name}", view, methods=[one.method], provide_automatic_options=False)


def _answer(operation: Operation, **names: str) -> Response:
    """Do what is asked; whoever has no right learns nothing of what there is."""
    portal = current()
    now = portal.clock()
    caller = identify(portal, now)
    headers = count(portal, caller, now)
    try:
        if operation.scope not in caller.scopes:
            raise Problem(
                403, headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{operation.scope}"'}
            )
        call = Call(portal, caller, now, _once_key(operation, caller.public_id))
        answer = _refusing(partial(operation.view, call, **names, **_parsed(operation)))
    except Problem as problem:
        problem.headers = headers | problem.headers
        raise
    return Response(answer.model_dump_json(), operation.status, headers, content_type="application/json")


def _refusing(work: Callable[[], Model]) -> Model:
    """What the domain refuses, as problems."""
    try:
        return work()
    except NotFound as error:
        raise Problem(404, error.code, error.sentence) from error
    except WrongUse as error:
        raise Problem(422, error.code, error.sentence) from error
    except Refusal as error:
        # The draft on idempotency keys asks for 422 where a key comes with another request.
        raise Problem(422 if error.code == "key-used" else 409, error.code, error.sentence) from error


def _once_key(operation: Operation, caller: str) -> str:
    """The Idempotency-Key, a string in quotes or bare; one system's keys are not another's."""
    if not operation.once:
        return ""
    sent = request.headers.get("Idempotency-Key", "").strip()
    key = sent[1:-1] if len(sent) > 1 and sent[0] == sent[-1] == '"' else sent
    if not 1 <= len(key) <= LONGEST_ONCE_KEY:
        detail = f"Send an Idempotency-Key of 1 to {LONGEST_ONCE_KEY} characters: a new one for each new order."
        raise Problem(400, "no-idempotency-key", detail)
    return f"api {caller} {key}"


def _parsed(operation: Operation) -> dict[str, BaseModel]:
    """Body and parameters, as the models want them."""
    given: dict[str, BaseModel] = {}
    asked = request.args.to_dict(flat=False)
    if operation.query:
        once = {name: values[0] if len(values) == 1 else values for name, values in asked.items()}
        given["query"] = _checked(partial(operation.query.model_validate, once), "")
    elif asked:
        raise _wrong([{"at": name, "detail": "There is no such parameter."} for name in sorted(asked)[:_MOST_ERRORS]])
    if operation.body:
        if request.mimetype != "application/json":
            raise Problem(415)
        given["body"] = _checked(partial(operation.body.model_validate_json, request.get_data()), "/")
    return given


def _checked(validate: Callable[[], BaseModel], start: str) -> BaseModel:
    try:
        return validate()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        if found[0]["type"] == "json_invalid":
            raise Problem(400, "bad-json", "The body is no JSON.") from error
        # An unknown name is the caller's own text; it is told back in part only.
        errors = [{"at": _pointer(start, one["loc"]), "detail": one["msg"][:200]} for one in found[:_MOST_ERRORS]]
        raise _wrong(errors) from error


def _pointer(start: str, where: tuple[int | str, ...]) -> str:
    return start + "/".join(str(part)[:60].replace("~", "~0").replace("/", "~1") for part in where)


def _wrong(errors: list[dict[str, str]]) -> Problem:
    return Problem(422, "invalid", "Something in the request is not as the document says.", errors=errors)
