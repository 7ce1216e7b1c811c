"""No clear code anywhere once a voucher has been used: not in the database, not in a log, not in an address."""

import io
import re
import sys
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from deploy.logging import configure_logging
from deploy.schema import METADATA
from hotspot.database import Database
from hotspot.keys import Keyring, Purpose
from sessions.admit import Admitted, admit
from tests.factories import Place, a_login, a_pass, a_place, a_user, directory
from tests.portal.conftest import MovableClock
from tests.portal.desk import Staff, signed_in
from vouchers.changing import forget_deeds

EMAIL = "owner@example.org"
CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}\b")


class Walk:
    """An owner at work, who notes every address that was asked for or led to."""

    def __init__(self, staff: Staff, place: Place) -> None:
        self.staff, self.place = staff, place
        self.site = f"/desk/sites/{place.site.public_id}"
        self.addresses: list[str] = []
        self.token = ""

    def get(self, path: str) -> str:
        """Open a page; its text."""
        answer = self.staff.get(path)
        found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text)
        self.token = found[1] if found else self.token
        self.addresses += [path, *re.findall(r'(?:href|action|src)="([^"]+)"', answer.text)]
        return answer.text

    def post(self, path: str, **filled: str) -> str:
        """Send a form; where it leads."""
        answer = self.staff.post(path, csrf_token=self.token, **filled)
        self.addresses += [path, answer.location or ""]
        return answer.location or ""

    def issue(self, key: str) -> tuple[str, str, str]:
        """Issue with one tap: batch, voucher and code."""
        self.get(self.site)
        slip = self.post(f"{self.site}/one", choice=self.place.article.public_id, once=key)
        text = self.get(slip)
        voucher = re.search(r"/desk/vouchers/([a-z2-7]{16})", text)
        assert voucher
        return slip.removesuffix("/slip"), voucher[1], CODE.findall(text)[0]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """All that is logged, at the most talkative level."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    configure_logging("DEBUG")
    return out


def rows_of(database: Database) -> dict[str, list[str]]:
    """Every value of every table, as text and as hexadecimal."""
    found: dict[str, list[str]] = {}
    with database.read() as session:
        for table in METADATA.sorted_tables:
            for row in session.execute(select(table)):
                for value in row:
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    found.setdefault(table.name, []).append(text)
    return found


def ciphertexts_that_open(database: Database, keyring: Keyring) -> list[str]:
    """The codes that somebody with the keys could still read."""
    opened = []
    with database.read() as session:
        for table in METADATA.sorted_tables:
            if "code_ciphertext" in table.c:
                for (sealed,) in session.execute(select(table.c.code_ciphertext)):
                    if sealed is not None:
                        opened.append(keyring.decrypt(Purpose.CODES, sealed).decode())
    return opened


def test_no_clear_code_is_left_anywhere_after_first_use(
    app: Flask, database: Database, keyring: Keyring, clock: MovableClock, now: datetime, log: io.StringIO
) -> None:
    with database.write() as session:
        place = a_place(session, keyring, article=a_pass(session, minutes=1440))
        a_user(session, customer=place.customer, email=EMAIL)
    walk = Walk(signed_in(app, EMAIL), place)
    codes = []

    def used(code: str) -> None:
        with database.write() as session:
            login = a_login(directory(session, keyring), place, code)
            assert isinstance(admit(session, keyring, [login], 300, clock())[0], Admitted)

    for number in range(3):
        batch, voucher, code = walk.issue(f"key {number}")
        codes.append(code)
        used(code)
        walk.post("/desk/vouchers", wanted=code)
        walk.get(f"/desk/vouchers/{voucher}")
        walk.get(batch)
        if number == 0:
            walk.post(f"{walk.site}/change", act="extend", voucher=voucher, amount="1", unit="hours", once="1")
        elif number == 1:
            walk.post(f"{walk.site}/change", act="revoke", voucher=voucher, once="1")
        else:
            slip = walk.post(f"/desk/vouchers/{voucher}/replace")
            codes.append(CODE.findall(walk.get(slip))[0])
            used(codes[-1])
    # One that was never used, and revoked: its code goes with the minute in which that can be undone.
    batch, voucher, code = walk.issue("never used")
    walk.post(f"{walk.site}/change", act="revoke", voucher=voucher, once="1")
    codes.append(code)
    clock.pass_by(minutes=2)
    with database.write() as session:
        forget_deeds(session, clock())
    walk.get(f"{walk.site}/vouchers")

    assert len(set(codes)) == 5
    assert clock() - now < timedelta(hours=1)
    plain = {spelling for code in codes for spelling in (code, code.replace("-", ""))}
    plain |= {spelling.lower() for spelling in plain}
    stored, logged = rows_of(database), log.getvalue()
    assert {"voucher", "audit_entry", "issue_request"} <= stored.keys()
    assert [name for name, values in stored.items() if any(code in value for value in values for code in plain)] == []
    assert ciphertexts_that_open(database, keyring) == []
    assert len(walk.addresses) > 100
    assert [address for address in walk.addresses if any(code in address for code in plain)] == []
    assert [code for code in plain if code in logged] == []
    assert logged
