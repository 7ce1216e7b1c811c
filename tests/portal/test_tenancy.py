"""Tenancy: the whole URL map, walked by people who have no business there (decision 12)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hotspot.api_keys import NewKey, Scope, add_key
from hotspot.audit import COMMAND_LINE
from hotspot.clock import end_of_site_day
from hotspot.colours import BLACK, WHITE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.look_changes import NewLook, allow_own_page, save_look
from hotspot.people import Role
from hotspot.people.tablets import Tablet, enrol
from hotspot.pictures import encode_logo
from hotspot.place import Site
from hotspot.rights import RIGHTS, Right
from hotspot.webhooks import Delivery, Event, add_webhook, tell
from portal.staff.blueprint import RIGHTS_NEEDED
from sessions.desk import by_ids, note_vouchers
from tests.factories import a_pass, a_place, a_site, a_user, directory, some_vouchers
from tests.hotspot.pictures import a_picture
from tests.portal.desk import Staff, form_of, signed_in, words_of
from tests.vouchers.printing.pages import FACE
from vouchers.issuing import free_voucher
from vouchers.presets import NewPreset, add_preset
from vouchers.printing.files import claim, finish, order_file
from vouchers.printing.orders import Order, Output
from vouchers.printing.paper import STOCKS, Sheet
from vouchers.printing.printers import PrinterKind, add_printer
from vouchers.printing.sheets import Style
from vouchers.voucher import Batch, Voucher

# What everybody may open, and what shows the signed-in user's own customer and takes no name of anything.
OPEN_TO_ALL = {
    "staff.manifest",
    "staff.login",
    "staff.sign_in",
    "staff.invitation",
    "staff.accept_invitation",
    "staff.tablet",
    "staff.tablet_pin",
    "staff.enter_pin",
    "staff.second_step",
    "staff.take_second_step",
    "staff.sign_in_by_passkey",
}
NAMES_NOTHING = {
    "staff.desk", "staff.logout", "staff.search", "staff.record", "staff.record_csv",
    "staff.people", "staff.invite_person", "staff.account",
    "staff.change_own_password", "staff.end_sign_ins", "staff.confirm_sign_ins", "staff.factor", "staff.remove_factor",
    "staff.make_recovery_codes", "staff.new_app", "staff.set_up_app", "staff.new_passkey", "staff.keep_passkey",
    "staff.drop_passkey", "staff.change_own_pin", "staff.enrol_tablet",
    "staff.systems", "staff.make_key", "staff.make_webhook", "staff.webhook_log",
}  # fmt: skip
# What somebody has ordered, and not even colleagues find.
PERSONAL = {"staff.print_file", "staff.fetch_print_file", "staff.cancel_print_file"}


# A code as it is printed.
CODE = r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b"


@dataclass(frozen=True)
class Page:
    """An address of the staff pages, with somebody's public ids in it."""

    endpoint: str
    path: str
    method: str


@dataclass(frozen=True)
class Belongings:
    """The public ids of what a customer has, by the names that addresses call them."""

    site_id: str
    batch_id: str
    voucher_id: str
    look_id: str
    preset_id: str
    deed_id: str
    person_id: str
    file_id: str
    printer_id: str
    tablet_id: str
    key_id: str
    webhook_id: str
    delivery_id: str
    # Of a legal text and of a sign, and nobody's secret.
    kind: str = "terms"
    format: str = "sign-a5"
    # Of a link that is nobody's.
    token: str = "abc"


@pytest.fixture
def belongings(database: Database, keyring: Keyring, now: datetime) -> Belongings:
    """What a customer has; owner@, colleague@, desk@ and reader@ belong to it, other@ to another, operator@ to none."""
    with database.write() as session:
        place = a_place(session, keyring)
        owner = a_user(session, customer=place.customer, email="owner@example.org")
        colleague = a_user(session, customer=place.customer, email="colleague@example.org")
        a_user(session, customer=a_site(session).customer, email="other@example.org")
        a_user(session, Role.FRONT_DESK, customer=place.customer, email="desk@example.org")
        a_user(session, Role.READ_ONLY, customer=place.customer, email="reader@example.org")
        a_user(session, Role.OPERATOR, email="operator@example.org")
        voucher = some_vouchers(session, keyring, place.site, place.article, now=now)[0].voucher
        batch = session.get_one(Batch, voucher.batch_id)
        allow_own_page(session, COMMAND_LINE, place.site, True, now)
        logo = encode_logo(a_picture())
        look = save_look(session, COMMAND_LINE, place.site, NewLook(BLACK, WHITE, (), logo=logo), now)
        preset = add_preset(session, COMMAND_LINE, place.site, NewPreset("One hour", place.article), now)
        noted = note_vouchers(session, COMMAND_LINE, place.site, by_ids([voucher.id]), "a note", now)
        assert noted.deed
        new_key = NewKey("Till", {Scope.SITES_READ}, now + timedelta(days=9))
        key = add_key(session, COMMAND_LINE, keyring, place.customer, new_key, now).key
        hook = add_webhook(session, COMMAND_LINE, keyring, place.customer, "https://till.example/", now).webhook
        tell(session, [hook.id], Event.TEST, {}, now)
        delivery = session.scalars(select(Delivery)).one()
        order = Order(FACE, Output.SHEETS, Sheet(STOCKS["plain-85x55"]), Style())
        file = order_file(session, COMMAND_LINE, owner.id, place.site, batch, order, 1, now)
        claimed = claim(session, "worker", now)
        assert claimed
        finish(session, keyring, claimed, "worker", b"%PDF-", now)
        printer, _key = add_printer(session, COMMAND_LINE, keyring, place.site, "Bar", PrinterKind.STAR, 80, now)
        enrol(session, COMMAND_LINE, keyring, place.customer.id, None, "bar", now)
        tablet = session.scalars(select(Tablet)).one()
        return Belongings(
            *(place.site.public_id, batch.public_id, voucher.public_id, look.public_id),
            *(preset.public_id, noted.deed.public_id, colleague.public_id, file.public_id, printer.public_id),
            tablet_id=tablet.public_id,
            key_id=key.public_id,
            webhook_id=hook.public_id,
            delivery_id=delivery.public_id,
        )


def pages(app: Flask, belongings: Belongings) -> Iterator[Page]:
    """Every address of the staff pages. A new kind of name in an address needs a belonging to try it with."""
    adapter = app.url_map.bind("portal.example")
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("staff."):
            values = {name: getattr(belongings, name) for name in rule.arguments}
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Page(rule.endpoint, adapter.build(rule.endpoint, values, method), method)


def ask(staff: Staff, page: Page, token: str) -> TestResponse:
    """Open a page, or send it a form that carries a valid token."""
    return staff.get(page.path) if page.method == "GET" else staff.post(page.path, csrf_token=token)


def token_of(staff: Staff, path: str, action: str) -> str:
    """The form token of somebody's browser."""
    return form_of(staff.get(path), action)["csrf_token"]


def rows_of(database: Database) -> tuple[int | None, ...]:
    """How many vouchers there are, and how many of them are revoked."""
    with database.read() as session:
        return tuple(session.execute(select(func.count(Voucher.id), func.count(Voucher.revoked_at))).one())


def test_the_staff_pages_are_where_they_are_looked_for(app: Flask, belongings: Belongings) -> None:
    found = {page.endpoint for page in pages(app, belongings)}

    assert found >= OPEN_TO_ALL | NAMES_NOTHING
    assert len(found) >= 13


def test_every_address_under_the_desk_belongs_to_the_guarded_blueprint(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        assert rule.endpoint.startswith("staff.") == rule.rule.startswith(("/desk", "/login", "/logout"))


def test_a_stranger_is_sent_to_sign_in_from_everywhere(app: Flask, database: Database, belongings: Belongings) -> None:
    stranger = Staff(app.test_client())
    token, before = token_of(stranger, "/login", "/login"), rows_of(database)

    for page in pages(app, belongings):
        if page.endpoint not in OPEN_TO_ALL:
            answer = ask(stranger, page, token)
            assert answer.status_code == 303, page
            assert answer.location.partition("?")[0] == "/login", page
    assert rows_of(database) == before


def test_another_customers_owner_finds_nothing_anywhere(app: Flask, database: Database, belongings: Belongings) -> None:
    other = signed_in(app, "other@example.org")
    token, before = token_of(other, "/desk", "/logout"), rows_of(database)

    tried = [page for page in pages(app, belongings) if page.endpoint not in OPEN_TO_ALL | NAMES_NOTHING]
    assert len(tried) >= 8
    for page in tried:
        assert ask(other, page, token).status_code == 404, page
    assert rows_of(database) == before
    for public_id in (belongings.site_id, belongings.batch_id, belongings.voucher_id):
        assert public_id not in other.get("/desk").text


@pytest.mark.parametrize("email", ["owner@example.org", "colleague@example.org", "operator@example.org"])
def test_owner_colleague_and_operator_find_everything(app: Flask, belongings: Belongings, email: str) -> None:
    staff = signed_in(app, email)

    for page in pages(app, belongings):
        if page.method == "GET" and page.endpoint not in OPEN_TO_ALL:
            hidden = RIGHTS_NEEDED[page.endpoint] is Right.OPERATE and not email.startswith("operator")
            hidden = hidden or (page.endpoint in PERSONAL and not email.startswith("owner"))
            assert ask(staff, page, "").status_code == (404 if hidden else 200), page


def test_every_address_names_the_right_it_needs(app: Flask, belongings: Belongings) -> None:
    asked = {page.endpoint: RIGHTS_NEEDED[page.endpoint] for page in pages(app, belongings)}

    assert {endpoint for endpoint, right in asked.items() if right is None} == OPEN_TO_ALL
    assert set(asked) == set(RIGHTS_NEEDED)


def test_the_front_desk_issues_prints_and_looks_up_and_nothing_else() -> None:
    assert RIGHTS[Role.FRONT_DESK] == {Right.ACCOUNT, Right.LOOK_UP, Right.ISSUE, Right.PRINT, Right.TILL}
    assert RIGHTS[Role.READ_ONLY] == {Right.ACCOUNT, Right.LOOK_UP, Right.SEE_USE, Right.SEE_SALES}
    assert RIGHTS[Role.OPERATOR] - RIGHTS[Role.OWNER] == {Right.OPERATE}


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.READ_ONLY])
def test_what_is_beyond_a_right_looks_as_if_it_were_not_there(
    app: Flask, database: Database, belongings: Belongings, role: Role
) -> None:
    staff = signed_in(app, "desk@example.org" if role is Role.FRONT_DESK else "reader@example.org")
    token, before = token_of(staff, "/desk", "/logout"), rows_of(database)
    nowhere = staff.get("/desk/vouchers/abcdefghijklmnop").text.partition("<main>")[2]

    for page in pages(app, belongings):
        if page.endpoint in OPEN_TO_ALL | NAMES_NOTHING:
            continue
        elif RIGHTS_NEEDED[page.endpoint] not in RIGHTS[role]:
            answer = ask(staff, page, token)
            assert (answer.status_code, answer.text.partition("<main>")[2]) == (404, nowhere), page
        elif page.method == "GET":
            assert ask(staff, page, "").status_code == (404 if page.endpoint in PERSONAL else 200), page
    assert rows_of(database) == before


def test_pages_link_to_nothing_that_is_beyond_a_right(app: Flask, belongings: Belongings) -> None:
    adapter = app.url_map.bind("portal.example")
    for email, role in (("desk@example.org", Role.FRONT_DESK), ("reader@example.org", Role.READ_ONLY)):
        staff = signed_in(app, email)
        for page in pages(app, belongings):
            if page.method == "GET" and RIGHTS_NEEDED[page.endpoint] in RIGHTS[role]:
                answer = staff.get(page.path)
                text = answer.text if answer.mimetype == "text/html" else ""
                led_to = r'(href|method="get" action|action)="(/(?:desk|login|logout)[^"#?]*)'
                for kind, path in re.findall(led_to, text):
                    endpoint, _values = adapter.match(path, method="POST" if kind == "action" else "GET")
                    assert RIGHTS_NEEDED[endpoint] in RIGHTS[role] | {None}, (page, path)


def test_who_may_not_print_sees_no_code(app: Flask, belongings: Belongings) -> None:
    path = f"/desk/batches/{belongings.batch_id}"

    assert re.search(CODE, words_of(signed_in(app, "desk@example.org").get(path)))
    assert not re.search(CODE, words_of(signed_in(app, "reader@example.org").get(path)))


def test_the_cursor_of_a_list_goes_through_the_gate_too(app: Flask, database: Database, belongings: Belongings) -> None:
    other = signed_in(app, "other@example.org")
    with database.read() as session:
        own = session.scalars(select(Site.public_id).where(Site.public_id != belongings.site_id)).one()

    assert other.get(f"/desk/sites/{own}/vouchers").status_code == 200
    assert other.get(f"/desk/sites/{own}/vouchers?before={belongings.voucher_id}").status_code == 404


def test_a_site_that_is_retired_is_out_of_sight_with_all_that_is_there(
    app: Flask, database: Database, belongings: Belongings, now: datetime
) -> None:
    owner = signed_in(app, "owner@example.org")
    with database.write() as session:
        session.scalars(select(Site).where(Site.public_id == belongings.site_id)).one().retired_at = now

    for page in pages(app, belongings):
        if page.method == "GET" and page.endpoint not in OPEN_TO_ALL | NAMES_NOTHING | {"staff.person"}:
            assert ask(owner, page, "").status_code == 404, page


def test_a_free_pass_is_a_devices_day_and_no_voucher_to_look_at(
    app: Flask, database: Database, keyring: Keyring, belongings: Belongings, now: datetime
) -> None:
    with database.write() as session:
        site = session.scalars(select(Site).where(Site.public_id == belongings.site_id)).one()
        record = directory(session, keyring).sites[site.id]
        ends = end_of_site_day(now, record.zone, record.day_ends)
        taken = free_voucher(a_pass(session, minutes=30, free=True), site.id, b"d" * 24, now.date(), ends)
        session.add(taken)
        session.flush()

    owner = signed_in(app, "owner@example.org")
    assert owner.get(f"/desk/vouchers/{taken.public_id}").status_code == 404
    assert taken.public_id not in owner.get(f"/desk/sites/{belongings.site_id}/vouchers").text
