"""The list of a site's batches, and when other systems are told that stock runs low."""

import re
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE, AuditEntry
from hotspot.database import Database
from hotspot.keys import Keyring
from portal.staff import batch_list
from tests.factories import Place, a_pass, a_place, a_user, some_vouchers
from tests.portal.conftest import MovableClock
from tests.portal.desk import signed_in, words_of
from vouchers.issuing import Order, open_batch
from vouchers.stock_alarms import StockAlarm, check_stock

EMAIL = "owner@example.org"


@pytest.fixture
def place(database: Database, keyring: Keyring, clock: MovableClock) -> Place:
    """A place with an owner, and four batches: two with a note, one of a pass called Festival."""
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
        festival = a_pass(session)
        festival.name = "Festival 100%"
        for article, note in (
            (place.article, "Room 7"),
            (festival, ""),
            (place.article, "room 9_"),
            (place.article, ""),
        ):
            open_batch(session, COMMAND_LINE, keyring, place.site, Order(article, note=note), clock())
        foreign = a_place(session, keyring)
        some_vouchers(session, keyring, foreign.site, foreign.article, now=clock())
    return place


def test_batches_are_found_by_a_word_in_their_note_or_their_pass(app: Flask, place: Place) -> None:
    owner = signed_in(app, EMAIL)
    path = f"/desk/sites/{place.site.public_id}/batches"
    for word, found in (("", 4), ("ROOM", 2), ("festival", 1), ("0%", 1), ("_", 1), ("nobody", 0)):
        page = owner.get(f"{path}?{urlencode({'word': word})}")
        assert len(re.findall(r'href="/desk/batches/', page.text)) == found, word
    assert "There is none like that." in words_of(owner.get(f"{path}?word={'x' * 5000}"))


def test_batches_come_page_by_page(app: Flask, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_list, "PAGE", 3)
    owner = signed_in(app, EMAIL)
    path: str | None = f"/desk/sites/{place.site.public_id}/batches?word="
    seen: list[str] = []
    while path:
        page = owner.get(path).text
        seen += re.findall(r'href="/desk/batches/([a-z2-7]+)"', page)
        older = re.search(r'href="([^"]*before=[^"]*)"', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert len(set(seen)) == len(seen) == 4
    assert owner.get(f"/desk/sites/{place.site.public_id}/batches?before=zzzzzzzzzzzzzzzz").status_code == 404


def test_a_threshold_is_set_on_the_page_and_only_what_is_changed(
    app: Flask, place: Place, database: Database, clock: MovableClock
) -> None:
    owner, path = signed_in(app, EMAIL), f"/desk/sites/{place.site.public_id}/stock"
    field = f"below-{place.article.public_id}"
    owner.submit(owner.get(path), path, **{field: "5"})
    with database.write() as session:
        check_stock(session, clock())
    answer = owner.submit(owner.get(path), path)
    assert "Saved." in words_of(owner.get(answer.location))
    with database.read() as session:
        (alarm,) = session.scalars(select(StockAlarm)).all()
        assert (alarm.threshold, alarm.low_since) == (5, clock())
        assert len(session.scalars(select(AuditEntry).where(AuditEntry.action == "stock alarm set")).all()) == 1
    for wrong in ("-1", "100001", "many", "9" * 400, "٣"):
        refused = owner.submit(owner.get(path), path, **{field: wrong})
        assert "from 0 to 100,000" in words_of(owner.get(refused.location)), wrong
