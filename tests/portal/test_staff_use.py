"""What a venue sees of its hotspot: today, the past, the stock, and what is wrong."""

import json
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.people import Role
from hotspot.place import AccessPoint, Site
from sessions.connection_log import Connection, Journal
from sessions.visit import hash_device
from tests.factories import Place, a_mac, a_place, a_user, directory, some_vouchers
from tests.portal.desk import Staff, signed_in, words_of
from vouchers.voucher import Voucher

EMAIL = "owner@example.org"


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
    return place


@pytest.fixture
def owner(app: Flask, place: Place) -> Staff:
    return signed_in(app, EMAIL)


def guests_were_here(database: Database, keyring: Keyring, place: Place, count: int, ended: datetime) -> None:
    with database.write() as session:
        site = directory(session, keyring).sites[place.site.id]
        journal = Journal(session)
        for number in range(count):
            device = hash_device(keyring, a_mac(5000 + number))
            journal.add(site, Connection(None, device, ended - timedelta(minutes=30), 1800, 0), ended)
        journal.write()


def page_of(place: Place) -> str:
    return f"/desk/sites/{place.site.public_id}/use"


def rows_of(page: str, table: str) -> dict[str, str]:
    (body,) = re.findall(rf'<table aria-labelledby="{table}">.*?</table>', page, re.DOTALL)
    return dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', body))


def test_the_charts_say_as_tables_what_they_show(
    owner: Staff, place: Place, database: Database, keyring: Keyring, now: datetime
) -> None:
    guests_were_here(database, keyring, place, 12, now - timedelta(minutes=10))
    guests_were_here(database, keyring, place, 4, now - timedelta(hours=3))
    guests_were_here(database, keyring, place, 1500, now - timedelta(days=3))
    page = owner.get(page_of(place)).text
    today = rows_of(page, "today")
    assert list(today) == [f"{hour:02}:00" for hour in range(4, 15)]
    assert today["13:00"] == "12"
    assert set(today.values()) == {"12", "fewer than 5"}
    days = rows_of(page, "days")
    assert len(days) == 28
    assert days["Fri 12. Jun"] == "1,500"
    assert rows_of(page, "clock")["13:00–14:00"] == "1,500"
    assert "Busiest hour 13:00–14:00" in words_of(owner.get(page_of(place)))
    assert page.count('role="img"') == page.count("<table") == 3


def test_a_site_that_nobody_used_has_charts_too(owner: Staff, place: Place) -> None:
    words = words_of(owner.get(page_of(place)))
    assert "Guests today fewer than 5" in words
    assert "Busiest hour" not in words


def test_a_site_in_privacy_mode_shows_no_use(owner: Staff, place: Place, database: Database, now: datetime) -> None:
    with database.write() as session:
        session.get_one(Site, place.site.id).privacy_mode = True
    assert "privacy mode" in words_of(owner.get(page_of(place)))
    assert "Guests today" not in words_of(owner.get("/desk"))


def test_guests_today_stand_on_the_overview(
    owner: Staff, place: Place, database: Database, keyring: Keyring, now: datetime
) -> None:
    assert "Guests today: fewer than 5" in words_of(owner.get("/desk"))
    guests_were_here(database, keyring, place, 7, now - timedelta(hours=1))
    assert "Guests today: 7" in words_of(owner.get("/desk"))


@pytest.mark.parametrize(("role", "status"), [(Role.OWNER, 200), (Role.READ_ONLY, 200), (Role.FRONT_DESK, 404)])
def test_use_is_not_the_front_desks_to_see(
    app: Flask, place: Place, database: Database, role: Role, status: int
) -> None:
    with database.write() as session:
        a_user(session, role, customer=place.customer, email="colleague@example.org")
    colleague = signed_in(app, "colleague@example.org")
    assert colleague.get(page_of(place)).status_code == status
    assert ("Guests today" in words_of(colleague.get("/desk"))) == (status == 200)


@pytest.mark.parametrize(
    ("unused", "used", "told"),
    [
        (10, 4, "Day pass : 10"),
        (1, 14, "Day pass : 1, at this rate until Tuesday"),
        (3, 140, "Day pass : 3, at this rate until tonight"),
        (10, 7, "Day pass : 10, at this rate until 5 Jul 2026"),
        (10, 1, "Day pass : 10"),
        (0, 6, "Day pass : none left"),
    ],
)
def test_the_stock_says_how_long_it_lasts(
    owner: Staff, place: Place, database: Database, keyring: Keyring, now: datetime, unused: int, used: int, told: str
) -> None:
    with database.write() as session:
        place.article.name = "Day pass"
        session.add(place.article)
        some_vouchers(session, keyring, place.site, place.article, unused + used)
        for voucher in session.scalars(select(Voucher).limit(used)):
            voucher.first_used_at = now - timedelta(days=13)
    words = words_of(owner.get("/desk"))
    assert told.replace(" :", ":") in words.replace(" :", ":")
    if "rate" not in told:
        assert "at this rate" not in words


def test_an_access_point_that_went_silent_is_named_to_its_own_people_alone(
    app: Flask, owner: Staff, place: Place, database: Database, keyring: Keyring, now: datetime
) -> None:
    assert "Nothing is heard" not in words_of(owner.get("/desk"))
    with database.write() as session:
        point = session.get_one(AccessPoint, place.access_point.id)
        point.name, point.silent_since = "Terrace", now - timedelta(minutes=25)
        other = a_place(session, keyring)
        a_user(session, customer=other.customer, email="stranger@example.org")
    told = f"Terrace at {place.site.name}: silent since today, 13:35"
    assert told in words_of(owner.get("/desk"))
    assert "Terrace" not in words_of(signed_in(app, "stranger@example.org").get("/desk"))


def test_the_desk_can_be_put_on_a_home_screen(client: FlaskClient, owner: Staff) -> None:
    page = owner.get("/desk")
    (address,) = re.findall(r'<link rel="manifest" href="(.*?)">', page.text)
    assert "manifest-src 'self'" in page.headers["Content-Security-Policy"]
    answer = client.get(address)
    assert answer.mimetype == "application/manifest+json"
    manifest = json.loads(answer.text)
    assert (manifest["start_url"], manifest["display"]) == ("/desk", "standalone")
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as picture:
            assert picture.mimetype == icon["type"]
            width = int.from_bytes(picture.data[16:20], "big")
        assert icon["sizes"] == f"{width}x{width}"
