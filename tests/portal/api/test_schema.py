"""The document is valid OpenAPI, and what the API does is what it says: examined by schemathesis."""

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.config import GenerationConfig, SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hotspot.database import Database
from hotspot.limits import Limit
from portal.api.operations import OPERATIONS
from tests.portal.api.conftest import Venue, told
from tests.portal.api.test_walls import names_of

EXAMPLES = 10
# A wish that is well formed may still be one that cannot be granted.
NOT_FOR_US = [positive_data_acceptance]


def schema_of(app: Flask, mode: GenerationMode) -> Any:
    """The document as schemathesis reads it from the application."""
    config = SchemathesisConfig()
    config.projects.default.generation = GenerationConfig(modes=[mode], with_security_parameters=False)
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_does_what_the_document_says_whatever_is_sent(
    app: Flask, venue: Venue, database: Database, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limit, "allowed", property(lambda _limit: 10**6))
    ours = names_of(venue, database)
    tried = 0
    for result in schema_of(app, mode).get_all_operations():
        operation = result.ok()
        told_of = operation.definition.raw
        if mode is GenerationMode.POSITIVE or told_of["parameters"] or "requestBody" in told_of:
            examine(operation, mode, ours, venue.till.token)
            tried += 1
    assert tried >= len(OPERATIONS) - 1


def examine(operation: Any, mode: GenerationMode, ours: dict[str, str], token: str) -> None:
    """Call one operation with examples, half of them on what there is."""

    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any, real: bool) -> None:
        path = case.meta.components.get(ParameterLocation.PATH)
        # What is wrong in an example has to stay in it.
        if real and path and path.mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: ours[name] for name in case.path_parameters})
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=NOT_FOR_US)

    check()


def test_the_document_has_every_operation_and_needs_no_key(app: Flask) -> None:
    document = told(app.test_client().get("/api/v1/openapi.json"))

    assert document["openapi"] == "3.1.0"
    named = {one["operationId"] for methods in document["paths"].values() for one in methods.values()}
    assert named == {one.name for one in OPERATIONS}
    assert "password" not in str(document)
