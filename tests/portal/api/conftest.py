"""Fixtures for the API: a venue, and tills that hold keys."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hotspot.api_keys import ApiKey, NewKey, Scope, add_key
from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import Customer
from tests.factories import Place, a_place, some_vouchers
from tests.portal.conftest import MovableClock
from vouchers.issuing import Issued

ALL_SCOPES = frozenset(Scope)


def told(answer: TestResponse) -> Any:
    """The JSON of an answer."""
    return answer.json


@dataclass
class Till:
    """A system that has a key."""

    client: FlaskClient
    token: str
    key: ApiKey | None = None

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        """Call an operation; `headers` with underscores for hyphens."""
        told = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=told)

    def get(self, path: str) -> Any:
        """What an operation answers that has to work."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, body: object = None, status: int = 200, **headers: str) -> Any:
        """What an operation answers that has to end so."""
        answer = self.ask("POST", path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json


@dataclass
class Venue:
    """A place, its vouchers, and a till that may do everything there."""

    place: Place
    vouchers: list[Issued]
    till: Till

    @property
    def site(self) -> str:
        """The address of its site."""
        return f"/sites/{self.place.site.public_id}"


MakeTill = Callable[..., Till]


@pytest.fixture
def make_till(app: Flask, database: Database, keyring: Keyring, clock: MovableClock) -> MakeTill:
    """Makes a till of a customer, with some scopes."""

    def make(customer: Customer, scopes: frozenset[Scope] = ALL_SCOPES, expires_at: datetime | None = None) -> Till:
        with database.write() as session:
            new = NewKey("Till", scopes, expires_at or clock.now + timedelta(days=30))
            made = add_key(session, COMMAND_LINE, keyring, customer, new, clock.now)
        return Till(app.test_client(), made.token, made.key)

    return make


@pytest.fixture
def venue(database: Database, keyring: Keyring, make_till: MakeTill, now: datetime) -> Venue:
    """A venue with three vouchers."""
    with database.write() as session:
        place = a_place(session, keyring)
        vouchers = some_vouchers(session, keyring, place.site, place.article, 3, now=now)
    return Venue(place, vouchers, make_till(place.customer))


@pytest.fixture
def neighbour(database: Database, keyring: Keyring, make_till: MakeTill, now: datetime) -> Venue:
    """Another customer's venue."""
    with database.write() as session:
        place = a_place(session, keyring)
        vouchers = some_vouchers(session, keyring, place.site, place.article, 1, now=now)
    return Venue(place, vouchers, make_till(place.customer))
