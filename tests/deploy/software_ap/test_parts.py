"""The software access point's clockwork and arithmetic, without sockets."""

import pytest

from deploy.software_ap.connection import Cause, Connection, Limits
from deploy.software_ap.phones import Phone, Phones
from deploy.software_ap.uam import chap_proof, pap_proof, shared_challenge, signed_address
from radius.credentials import Pap
from sessions.records import Status

UNLIMITED = Limits(None, None, None, None)


@pytest.mark.parametrize(
    ("limits", "active_at", "now", "cause"),
    [
        (UNLIMITED, 0, 1e9, None),
        (Limits(60, None, None, None), 0, 59.9, None),
        (Limits(60, None, None, None), 59, 60, Cause.SESSION_TIMEOUT),
        (Limits(None, 60, None, None), 0, 60, Cause.IDLE_TIMEOUT),
        (Limits(None, 60, None, None), 30, 89, None),
        (Limits(None, 60, None, None), 30, 90, Cause.IDLE_TIMEOUT),
        (Limits(60, 60, None, None), 0, 60, Cause.SESSION_TIMEOUT),
        (Limits(None, None, None, 1500), 0, 1, Cause.SESSION_TIMEOUT),
        (Limits(None, None, None, 1501), 0, 1, None),
    ],
)
def test_a_connection_ends_at_the_first_limit(limits: Limits, active_at: int, now: float, cause: Cause | None) -> None:
    connection = Connection([], limits, 0)
    connection.count(500, 1000, active_at)
    assert connection.overrun(now) is cause


def test_an_interim_update_is_due_once_per_interval() -> None:
    connection = Connection([], Limits(None, None, 60, None), 1000)
    assert [connection.interim_is_due(now) for now in (1059, 1060, 1061, 1119, 1120)] == [
        False, True, False, False, True
    ]  # fmt: skip
    assert not Connection([], UNLIMITED, 0).interim_is_due(1e9)


def test_octets_past_32_bits_go_into_gigawords() -> None:
    connection = Connection([], UNLIMITED, 0)
    connection.count(5, (3 << 32) + 7, 1)
    report = dict(connection.report(Status.STOP, 10, Cause.USER_REQUEST))
    assert (report["Acct-Output-Gigawords"], report["Acct-Output-Octets"]) == (3, 7)
    assert (report["Acct-Input-Gigawords"], report["Acct-Input-Octets"]) == (0, 5)
    assert report["Acct-Session-Time"] == 10


def test_a_challenge_lives_ten_minutes() -> None:
    phone = Phone("x" * 22)
    challenge = phone.challenge(0)
    assert phone.challenge(599) == challenge
    assert phone.challenge(600) != challenge
    phone.challenge(0, fresh=True)
    assert phone.take_challenge(600) is None
    fresh = phone.challenge(600)
    assert phone.take_challenge(1199) == fresh
    assert phone.take_challenge(1199) is None


def test_a_phone_has_a_locally_administered_mac_of_its_own() -> None:
    macs = [Phone(f"{number:022}").mac.value for number in range(200)]
    assert len(set(macs)) == 200
    assert {int(mac[:2], 16) & 3 for mac in macs} == {2}


def test_an_odd_cookie_makes_no_phone_and_phones_do_not_pile_up() -> None:
    phones = Phones()
    assert phones.find("../..", "127.0.0.1", own_path=False).token != "../.."
    for number in range(2500):
        phones.find(f"{number:022}", "127.0.0.1", own_path=False)
    assert len(phones.all()) == 2000


def test_other_addresses_without_cookies_are_other_phones() -> None:
    phones = Phones()
    first, second = (phones.find(None, address, own_path=False) for address in ("127.0.0.1", "127.0.0.2"))
    assert first is not second
    assert phones.find(None, "127.0.0.1", own_path=True) is first


def test_a_hidden_password_longer_than_the_challenge_is_found_again() -> None:
    shared = shared_challenge(bytes(range(16)), "secret")
    clear = "mehr als sechzehn Zeichen: äöü".encode()
    hidden = bytes(octet ^ shared[index % 16] for index, octet in enumerate(clear))
    assert pap_proof(hidden.hex(), shared) == Pap(clear.decode())


@pytest.mark.parametrize("text", ["", "zz", "0", "ff" * 15, "ff" * 17])
def test_a_response_of_another_form_is_no_proof(text: str) -> None:
    assert chap_proof(text, bytes(16)) is None


def test_an_address_is_signed_as_the_protocol_has_it() -> None:
    """The md was computed once by hand: printf '%s' 'http://p/g/x?res=notyet&ssid=A%3a%20%c3%a9secret' | md5sum."""
    address = signed_address("http://p/g/x", [("res", "notyet"), ("ssid", "A: é")], "secret")
    assert address == "http://p/g/x?res=notyet&ssid=A%3a%20%c3%a9&md=5D1DB5FC1D2D0DBB23CEA5139651B25D"
