"""Keys and webhooks on the owner's pages."""

import csv
import re

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

from hotspot.api_keys import ApiKey
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.limits import Limit
from hotspot.people import Role
from hotspot.webhooks import Delivery, Event, Webhook, tell
from tests.conftest import NOON
from tests.factories import Place, a_place, a_user
from tests.portal.desk import Staff, signed_in, words_of

EMAIL = "owner@example.org"
PAGE = "/desk/systems"


@pytest.fixture
def place(database: Database, keyring: Keyring) -> Place:
    """A venue with an owner."""
    with database.write() as session:
        place = a_place(session, keyring)
        a_user(session, customer=place.customer, email=EMAIL)
        a_user(session, Role.OPERATOR, email="operator@example.org")
    return place


def make_key(staff: Staff, **filled: str) -> tuple[int, str]:
    """Fill in the form for a key; the status, and the page's words."""
    answer = staff.submit(staff.get(PAGE), f"{PAGE}/keys", **{"name": "Kasse", "scope": "sites:read"} | filled)
    return answer.status_code, words_of(answer)


def test_an_owner_makes_a_key_that_works_and_withdraws_it(app: Flask, place: Place, database: Database) -> None:
    owner = signed_in(app, EMAIL)
    status, words = make_key(owner)
    found = re.search(r"spk_\w+", words)

    assert status == 200
    assert found
    headers = {"Authorization": f"Bearer {found[0]}"}
    assert app.test_client().get("/api/v1/sites", headers=headers).status_code == 200
    page = owner.get(PAGE)
    assert found[0] not in page.text
    assert "Kasse" in words_of(page)
    with database.read() as session:
        key_id = session.scalars(select(ApiKey.public_id)).one()
    assert owner.submit(page, f"{PAGE}/keys/{key_id}").status_code == 303
    assert app.test_client().get("/api/v1/sites", headers=headers).status_code == 401
    assert "withdrawn" in words_of(owner.get(PAGE))
    assert "Key for other systems added" in words_of(owner.get("/desk/record"))


def test_a_key_that_makes_no_sense_is_asked_for_again(app: Flask, place: Place, database: Database) -> None:
    owner = signed_in(app, EMAIL)

    assert "tick what the key may do" in make_key(owner, scope="everything")[1]
    assert make_key(owner, name="")[0] == 400
    assert make_key(owner, name="x" * 81)[0] == 400
    with database.read() as session:
        assert session.scalars(select(ApiKey)).all() == []


def test_an_operator_says_whose_key_it_is(app: Flask, place: Place, database: Database) -> None:
    operator = signed_in(app, "operator@example.org")

    assert make_key(operator, customer=place.customer.public_id)[0] == 200
    assert make_key(operator, customer="abcdefghijklmnop")[0] == 404
    with database.read() as session:
        assert session.scalars(select(ApiKey.customer_id)).all() == [place.customer.id]


def test_a_webhook_is_added_tried_sent_again_and_withdrawn(app: Flask, place: Place, database: Database) -> None:
    owner = signed_in(app, EMAIL)
    form = f"{PAGE}/webhooks"
    assert owner.submit(owner.get(PAGE), form, url="http://till.example/").status_code == 400
    added = owner.submit(owner.get(PAGE), form, url="https://till.example/hook?secret")
    assert "whsec_" in words_of(added)
    with database.read() as session:
        hook = session.scalars(select(Webhook.public_id)).one()

    assert owner.submit(owner.get(PAGE), f"{form}/{hook}", step="test").status_code == 303
    log = owner.get(f"{PAGE}/log")
    assert "till.example" in words_of(log)
    assert "secret" not in words_of(log)
    with database.read() as session:
        delivery = session.scalars(select(Delivery.public_id)).one()
    assert owner.submit(log, f"{PAGE}/log/{delivery}").status_code == 303
    with database.read() as session:
        assert session.scalars(select(Delivery.event)).all() == ["test", "test"]
    assert owner.submit(owner.get(PAGE), f"{form}/{hook}", step="retire").status_code == 303
    assert owner.post(f"{form}/{hook}", step="retire").status_code in (400, 404)
    assert "till.example" not in words_of(owner.get(f"{PAGE}/log"))


def test_messages_by_hand_are_bounded_and_what_was_lost_is_said(app: Flask, place: Place, database: Database) -> None:
    owner, form = signed_in(app, EMAIL), f"{PAGE}/webhooks"
    owner.submit(owner.get(PAGE), form, url="https://till.example/")
    with database.read() as session:
        hook = session.scalars(select(Webhook)).one()
    page = owner.get(PAGE)
    assert "messages were lost" not in words_of(page)
    for _ in range(Limit.MESSAGES_BY_HAND.allowed + 1):
        owner.submit(page, f"{form}/{hook.public_id}", step="test")
    with database.write() as session:
        deliveries = session.scalars(select(Delivery.public_id)).all()
        session.get_one(Webhook, hook.id).lost_at = NOON
    assert len(deliveries) == Limit.MESSAGES_BY_HAND.allowed
    log = owner.get(f"{PAGE}/log")
    assert "wait ten minutes" in words_of(log)
    owner.submit(log, f"{PAGE}/log/{deliveries[0]}")
    with database.read() as session:
        assert session.scalar(select(func.count(Delivery.id))) == len(deliveries)
    assert "messages were lost, last on 15 Jun 2026, 14:00" in words_of(owner.get(PAGE))


def test_the_log_is_no_way_to_look_around_in_networks(app: Flask, place: Place, database: Database) -> None:
    owner, told = signed_in(app, EMAIL), []
    owner.submit(owner.get(PAGE), f"{PAGE}/webhooks", url="https://till.example/")
    for outcome in ("no-address", "not-public", "too-slow", "cut-off", "no-answer"):
        with database.write() as session:
            hook = session.scalars(select(Webhook.id)).one()
            session.execute(delete(Delivery))
            tell(session, [hook], Event.TEST, {}, NOON)
            session.execute(update(Delivery).values(outcome=outcome, attempts=1))
        found = re.search(r"1 try · ([\w ]+?) Send", words_of(owner.get(f"{PAGE}/log")))
        told.append(found and found[1])

    assert told == ["the name has no address on the public internet"] * 2 + ["no answer"] * 3


def test_the_record_says_which_system_has_issued_a_voucher(app: Flask, place: Place, database: Database) -> None:
    owner = signed_in(app, EMAIL)
    found = re.search(r"spk_\w+", make_key(owner, name="Kasse am Tor", scope="vouchers:issue")[1])
    assert found
    headers = {"Authorization": f"Bearer {found[0]}", "Idempotency-Key": "first"}
    path = f"/api/v1/sites/{place.site.public_id}/batches"
    issued = app.test_client().post(path, json={"pass_id": place.article.public_id}, headers=headers).json
    assert issued

    entry = re.search(r"Vouchers issued.{0,60}", words_of(owner.get("/desk/record")))
    assert entry
    assert "Kasse am Tor" in entry[0]
    assert "Kasse am Tor" in words_of(owner.get(f"/desk/vouchers/{issued['vouchers'][0]['id']}"))
    head, line = csv.reader(owner.get(f"/desk/sites/{place.site.public_id}/sales.csv").text.splitlines())
    told = dict(zip(head, line, strict=True))
    assert (told["kind"], told["person"], told["key"]) == ("issued", "", "Kasse am Tor")
