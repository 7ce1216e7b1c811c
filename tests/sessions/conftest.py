"""The world in which visits are tested."""

from collections.abc import Callable
from typing import Any

import pytest

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import SiteKind
from tests import factories
from tests.conftest import NOON
from tests.sessions.world import World


@pytest.fixture
def make_world(database: Database, keyring: Keyring) -> Callable[..., World]:
    """Makes a world around a place; its options are those of `factories.a_place`."""

    def make(kind: SiteKind = SiteKind.SINGLE, **told: Any) -> World:
        with database.write() as session:
            place = factories.a_place(session, keyring, kind, **told)
            place.nas.accounting_heard_at = NOON
            snapshot = factories.directory(session, keyring)
        return World(database, keyring, place, snapshot)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A Multi site with two access points for 250 guests each, whose NAS has been heard accounting."""
    return make_world(SiteKind.MULTI, access_points=2)
