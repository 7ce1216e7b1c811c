"""A running RADIUS server for the tests of the door."""

from collections.abc import Iterator

import pytest

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.settings import Settings
from tests.radius.pop import Clockwork, Pop, lay_out, serving


@pytest.fixture
def pop(database: Database, keyring: Keyring, settings: Settings) -> Iterator[Pop]:
    """The PoP's RADIUS door on loopback, on either database."""
    clock = Clockwork()
    lay_out(database, keyring, clock())
    with serving(Pop(database, keyring, settings, clock)) as running:
        yield running
