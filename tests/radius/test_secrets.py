"""A secret is replaced while guests come and go: old and new are both answered, each in kind, until the old one ends."""

import dataclasses
import hashlib
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.directory import Directory, NasRecord
from hotspot.keys import Keyring
from hotspot.nas_changes import NasChange, change_nas, change_secret, find_nas
from hotspot.place import MessageAuthenticatorPolicy, Nas, announce_change
from hotspot.settings import Settings
from radius.clients import Gate, Proven
from radius.sockets import Datagram
from tests.conftest import NOON
from tests.radius import test_observe as observing
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, login_attributes, record_attributes, serving

OLD, NEW = SECRET.encode(), b"the new secret"
WEEK = timedelta(days=7)
SILENCE = 0.3


def rotate(pop: Pop, secret: bytes = NEW) -> None:
    """Change the secret, and wait until the server knows."""
    with pop.database.write() as session:
        nas = find_nas(session, "loopback")
        change_secret(session, COMMAND_LINE, pop.keyring, nas, secret.decode(), WEEK, pop.clock())
    until(lambda: status(pop, secret) is not None)


def until(holds: Callable[[], bool]) -> None:
    """The server looks at the place once a second at least."""
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(pop: Pop, secret: bytes) -> wire.Answer | None:
    return wire.ask(pop.auth_port, wire.access_request([], secret, code=wire.STATUS_SERVER), timeout=SILENCE)


def log_in(pop: Pop, secret: bytes, code: str, *, chap: bool = False, signed: bool = True) -> int | None:
    """The code of the answer; its authenticators are checked with the same secret."""
    attributes = login_attributes(code, pop.device())
    if chap:
        proof = b"\x05" + hashlib.md5(b"\x05" + code.encode() + bytes(16)).digest()
        attributes += [(wire.CHAP_PASSWORD, proof), (wire.CHAP_CHALLENGE, bytes(16))]
    password = None if chap else code.encode()
    request = wire.access_request(attributes, secret, password=password, signed=signed)
    answer = wire.ask(pop.auth_port, request, timeout=1)
    return answer.code if answer else None


def account(pop: Pop, secret: bytes) -> int | None:
    answer = wire.ask(pop.acct_port, wire.accounting_request(record_attributes(1, "s", "x"), secret), timeout=1)
    return answer.code if answer else None


def test_a_secret_is_replaced_without_a_gap(pop: Pop) -> None:
    codes = iter(pop.codes(5))
    assert log_in(pop, OLD, next(codes)) == wire.ACCESS_ACCEPT
    assert log_in(pop, NEW, next(codes)) is None
    rotate(pop)
    for secret in (OLD, NEW, OLD):
        assert log_in(pop, secret, next(codes)) == wire.ACCESS_ACCEPT
        assert account(pop, secret) == wire.ACCOUNTING_RESPONSE
        assert status(pop, secret) is not None
    assert log_in(pop, b"neither of them", "0000-0000-000") is None


def test_the_old_secret_ends_with_its_time(pop: Pop) -> None:
    one, two = pop.codes(2)
    rotate(pop)
    pop.clock.ahead = WEEK.total_seconds() - 60
    assert log_in(pop, OLD, one) == wire.ACCESS_ACCEPT
    pop.clock.ahead = WEEK.total_seconds() + 1
    assert (log_in(pop, OLD, two), account(pop, OLD), status(pop, OLD)) == (None, None, None)
    assert log_in(pop, NEW, two) == wire.ACCESS_ACCEPT


def test_staff_see_that_a_device_still_uses_the_old_secret(pop: Pop) -> None:
    codes = iter(pop.codes(2))

    def used() -> bool:
        with pop.database.read() as session:
            return session.scalars(select(Nas)).one().old_secret_used_at is not None

    rotate(pop)
    assert log_in(pop, NEW, next(codes)) == wire.ACCESS_ACCEPT
    assert not used()
    assert log_in(pop, OLD, next(codes)) == wire.ACCESS_ACCEPT
    until(used)


def test_the_old_secret_that_only_accounting_uses_is_seen_too(pop: Pop) -> None:
    rotate(pop)
    assert account(pop, OLD) == wire.ACCOUNTING_RESPONSE
    with pop.database.read() as session:
        assert session.scalars(select(Nas)).one().old_secret_used_at is not None


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_an_unsigned_password_tells_the_secret_it_was_hidden_with(
    database: Database, keyring: Keyring, settings: Settings, secret: bytes
) -> None:
    clock = Clockwork()
    lay_out(database, keyring, clock(), policy=MessageAuthenticatorPolicy.NO)
    with serving(Pop(database, keyring, settings, clock)) as pop:
        codes = pop.codes(2)
        rotate(pop)
        assert log_in(pop, secret, codes[0], signed=False) == wire.ACCESS_ACCEPT
        assert log_in(pop, secret, codes[1], signed=False, chap=True) == wire.ACCESS_ACCEPT, "as the last one"


def test_what_accounting_proves_counts_for_a_chap_login_too(
    database: Database, keyring: Keyring, settings: Settings
) -> None:
    clock = Clockwork()
    lay_out(database, keyring, clock(), policy=MessageAuthenticatorPolicy.NO)
    with serving(Pop(database, keyring, settings, clock)) as pop:
        codes = iter(pop.codes(3))
        rotate(pop)
        for secret in (OLD, NEW, OLD):
            assert account(pop, secret) == wire.ACCOUNTING_RESPONSE
            with pop.database.write() as session:
                announce_change(session)
            time.sleep(SILENCE)
            assert log_in(pop, secret, next(codes), signed=False, chap=True) == wire.ACCESS_ACCEPT


def directory_of(nas: NasRecord) -> Directory:
    return Directory(revision=1, sites={}, access_points={}, by_mac={}, by_identifier={}, nas=(nas,))


def test_whoever_has_proved_nothing_is_answered_by_the_old_secret_until_the_new_one_was_seen() -> None:
    gone, plain = (b"long gone", NOON + 2 * WEEK), dataclasses.replace(observing.nas_record(7), signed=False)
    policy = MessageAuthenticatorPolicy.NO
    nas = dataclasses.replace(plain, message_authenticator=policy, secret=NEW, old_secrets=((OLD, NOON + WEEK), gone))
    proven, now = Proven(), NOON
    ports = [Gate(codes, lambda: directory_of(nas), lambda: now, proven) for codes in ((1, 12), (4, 12))]

    def secret_of(packet: wire.Wire, port: int = 0) -> bytes:
        source = ("127.0.0.1", 4000)
        return ports[port].admit(Datagram(packet.octets, source, source, ()), 0.0).secret

    chap = wire.access_request([(wire.CHAP_PASSWORD, bytes(17))], OLD, signed=False)
    assert secret_of(chap) == OLD
    assert secret_of(wire.accounting_request([], NEW), port=1) == NEW
    assert secret_of(chap) == NEW
    now = NOON + 3 * WEEK
    assert secret_of(chap) == NEW


def test_auto_can_be_chosen_for_a_nas_that_runs(pop: Pop) -> None:
    [code] = pop.codes(1)
    assert log_in(pop, OLD, code, signed=False) is None
    choose_auto(pop)
    until(lambda: log_in(pop, OLD, code, signed=False) is not None)


def test_auto_that_is_chosen_again_forgets_that_the_nas_has_signed(
    database: Database, keyring: Keyring, settings: Settings
) -> None:
    clock = Clockwork()
    lay_out(database, keyring, clock(), policy=MessageAuthenticatorPolicy.AUTO)
    with serving(Pop(database, keyring, settings, clock)) as pop:
        one, two = pop.codes(2)
        assert log_in(pop, OLD, one) == wire.ACCESS_ACCEPT
        assert log_in(pop, OLD, two, signed=False) is None
        choose_auto(pop)
        until(lambda: log_in(pop, OLD, two, signed=False) == wire.ACCESS_ACCEPT)


def choose_auto(pop: Pop) -> None:
    with pop.database.write() as session:
        change = NasChange(MessageAuthenticatorPolicy.AUTO)
        change_nas(session, COMMAND_LINE, find_nas(session, "loopback"), change, pop.clock())
