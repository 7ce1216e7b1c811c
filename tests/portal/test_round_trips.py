"""How often a guest's way through the portal waits for PostgreSQL; each time costs more than most statements."""

import pytest
from flask.testing import FlaskClient

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.place import LoginWay
from tests.portal.conftest import MovableClock
from tests.portal.desk import counting_queries
from tests.portal.guest import Stage
from tests.round_trips import counted_trips
from vouchers.issuing import Order, issue

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_a_login_takes_three_round_trips_and_nothing_goes_past_the_pipeline(
    database: Database, keyring: Keyring, client: FlaskClient, clock: MovableClock
) -> None:
    stage = Stage(database, keyring, client, clock, logins=(LoginWay.TICKET,))
    assert stage.phone.log_in(stage.voucher.code.value, stage.terms).status_code == 303
    with database.write() as session:
        (fresh,) = issue(session, COMMAND_LINE, keyring, stage.place.site, Order(stage.place.article), clock())
    page = stage.phone.arrive().text
    with counting_queries(database) as asked, counted_trips() as trips:
        sent = stage.phone.post(page, variant="voucher", code=fresh.code.value, terms=str(stage.terms.id))
    assert sent.status_code == 303
    # Of three trips the two of the transaction that writes carry its BEGIN and its COMMIT, and the first one a BEGIN.
    assert len(trips) == 3
    assert sum(trips) == len(asked) + 3
