"""Whose secret it is: the source address alone tells, IPv4 or IPv6, the closest network first (RFC 2865 §3)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.nas import NewNas, add_nas
from hotspot.place import LoginWay
from hotspot.settings import Settings
from tests.radius import wire
from tests.radius.pop import SECRET, Clockwork, Pop, lay_out, login_attributes, serving

WIDE, SINGLE, SIX = b"secret of the network", SECRET.encode(), b"secret of the IPv6 one"
# A reply that does not come is waited for this long.
SILENCE = 0.3


@pytest.fixture
def pop(database: Database, keyring: Keyring, settings: Settings) -> Iterator[Pop]:
    """The PoP on all addresses of loopback; NAS on 127.0.0.1, on 127.0.0.0/24 around it, and on ::1."""
    clock = Clockwork()
    lay_out(database, keyring, clock())
    with database.write() as session:
        for name, network, secret in (("wide", "127.0.0.0/24", WIDE), ("six", "::1/128", SIX)):
            nas = NewNas(name, network, "generic", secret.decode(), logins=(LoginWay.VOUCHER,))
            add_nas(session, COMMAND_LINE, keyring, nas, None, clock())
    with serving(Pop(database, keyring, settings, clock), host="::") as running:
        yield running


@contextmanager
def nas_at(address: str) -> Iterator[socket.socket]:
    """A NAS's socket on an address of its own."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((address, 0))
        yield own


@pytest.mark.parametrize(
    ("address", "secret", "answered"),
    [
        ("127.0.0.1", SINGLE, True),
        ("127.0.0.1", WIDE, False),
        ("127.0.0.2", WIDE, True),
        ("127.0.0.2", SINGLE, False),
        ("127.0.0.255", WIDE, True),
        ("127.0.1.1", WIDE, False),
        ("127.0.1.1", SINGLE, False),
        ("::1", SIX, True),
        ("::1", SINGLE, False),
    ],
)
def test_the_closest_network_has_the_secret(pop: Pop, address: str, secret: bytes, answered: bool) -> None:
    [code] = pop.codes(1)
    attributes = login_attributes(code, pop.device())
    with nas_at(address) as sender:
        host = "::1" if ":" in address else "127.0.0.1"
        access = wire.access_request(attributes, secret, password=code.encode())
        start = wire.accounting_request([(wire.ACCT_STATUS_TYPE, wire.integer(1)), *attributes], secret)
        for port, request in ((pop.auth_port, access), (pop.acct_port, start)):
            answer = wire.ask(port, request, timeout=2 if answered else SILENCE, sender=sender, host=host)
            assert (answer is not None) is answered
            assert answer is None or answer.code in (wire.ACCESS_ACCEPT, wire.ACCOUNTING_RESPONSE)


def test_who_is_not_enrolled_gets_no_answer(pop: Pop) -> None:
    """Neither to a request, nor to what is no packet at all."""
    with nas_at("127.0.2.1") as sender:
        for secret in (SINGLE, WIDE, b""):
            status = wire.access_request([], secret, code=wire.STATUS_SERVER)
            assert wire.ask(pop.auth_port, status, timeout=SILENCE, sender=sender) is None
        sender.sendto(b"hello", ("127.0.0.1", pop.auth_port))
        sender.settimeout(SILENCE)
        with pytest.raises(TimeoutError):
            sender.recv(100)


def test_a_nas_that_is_enrolled_while_the_server_runs_is_answered_at_once(pop: Pop) -> None:
    secret = b"secret of the new one"
    with nas_at("127.0.3.1") as sender:
        status = wire.access_request([], secret, code=wire.STATUS_SERVER)
        assert wire.ask(pop.auth_port, status, timeout=SILENCE, sender=sender) is None
        with pop.database.write() as session:
            new = NewNas("new", "127.0.3.0/24", "generic", secret.decode())
            add_nas(session, COMMAND_LINE, pop.keyring, new, None, pop.clock())
        # The snapshot is looked at again at most a second later; a NAS asks more than once.
        answers = (wire.ask(pop.auth_port, status, timeout=0.5, sender=sender) for _ in range(6))
        assert any(answers)


def test_the_reply_comes_from_the_address_that_was_asked(pop: Pop) -> None:
    for host, own, secret in (("127.0.0.77", "127.0.0.1", SINGLE), ("::1", "::1", SIX)):
        with nas_at(own) as sender:
            sender.connect((host, pop.auth_port))
            request = wire.access_request([], secret, code=wire.STATUS_SERVER)
            sender.send(request.octets)
            sender.settimeout(2)
            assert wire.check(request, sender.recv(4096)).code == wire.ACCESS_ACCEPT
