"""Customers, users, sites, access points and NAS by the command line."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.directory import load_directory
from hotspot.keys import Keyring
from hotspot.people import User
from hotspot.people.accounts import accept, find_invited
from hotspot.people.factors import code_at, codes_left, has_factor, new_secret, set_up_totp, step_at
from hotspot.people.passwords import check_password
from portal.handoffs import HANDOFFS
from radius.makes import MAKES
from tests.deploy.conftest import Surfpass

Json = Callable[..., Any]
PASSWORD = "a password of tests"


def test_every_add_prints_a_sentence_or_the_new_object(surfpass: Surfpass, surfpass_json: Json) -> None:
    assert surfpass("customer", "add", "--name", "A").stdout.startswith("Added customer A (id ")
    added = surfpass_json("customer", "add", "--name", "B")
    assert added["name"] == "B"
    assert len(added["id"]) == 16
    assert [one["name"] for one in surfpass_json("customer", "list")] == ["A", "B"]


def test_a_site_takes_all_its_options(surfpass: Surfpass, surfpass_json: Json) -> None:
    surfpass("customer", "add", "--name", "A")
    added = surfpass_json(
        *("site", "add", "--customer", "A", "--slug", "wiese", "--name", "Festwiese", "--kind", "multi"),
        *("--ssid", "Wiese", "--timezone", "Europe/Vienna", "--line", "GFO-W0100", "--day-ends", "05:30"),
        *("--address", "Am Anger 1", "--latitude", "50.9", "--longitude", "-7.1", "--privacy-mode"),
    )
    del added["id"]
    assert added == {
        "slug": "wiese",
        "name": "Festwiese",
        "kind": "multi",
        "customer": "A",
        "ssids": ["Wiese"],
        "timezone": "Europe/Vienna",
        "day_ends": "05:30",
        "line": "GFO-W0100",
        "address": "Am Anger 1",
        "latitude": 50.9,
        "longitude": -7.1,
        "privacy_mode": True,
        "own_page": False,
        "portal_url": "http://127.0.0.1:8080/g/wiese",
    }
    assert "wiese" in surfpass("site", "list").stdout
    assert surfpass("site", "list", "--format", "csv").stdout.splitlines()[0].startswith("id,slug,name,kind")


def test_a_user_gets_the_password_of_the_file(surfpass: Surfpass, database: Database, tmp_path: Path) -> None:
    surfpass("customer", "add", "--name", "A")
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\nand a note\n")
    options = ("user", "add", "--role", "owner", "--customer", "A", "--password-file")
    shown = surfpass(*options, str(file), "--email", "One@Example.org", "--format", "json").stdout
    surfpass(*options, "-", "--email", "two@example.org", input=PASSWORD)
    assert PASSWORD not in shown
    assert json.loads(shown)["email"] == "one@example.org"
    assert set(json.loads(shown)) == {"id", "email", "name", "role", "customer"}
    with database.read() as session:
        for email in ("one@example.org", "two@example.org"):
            assert check_password(session.scalar(select(User).where(User.email == email)), PASSWORD)


def test_a_user_is_invited_reset_and_retired(surfpass: Surfpass, database: Database, keyring: Keyring) -> None:
    surfpass("customer", "add", "--name", "A")
    invited = surfpass("user", "invite", "--name", "Anna", "--role", "front-desk", "--customer", "A").stdout
    with database.write() as session:
        token = invited.strip().rpartition("/login/invitation/")[2]
        email = "anna@example.org"
        accept(session, keyring, token, name="Anna", email=email, password_hash="x", now=utc_now())

    again = surfpass("user", "reset", "ANNA@example.org").stdout.strip().rpartition("/login/invitation/")[2]
    with database.read() as session:
        assert find_invited(session, keyring, again, utc_now()).name == "Anna"

    surfpass("user", "retire", "anna@example.org")
    assert "anna" not in surfpass("user", "list").stdout
    assert surfpass("user", "reset", "anna@example.org", code=1).stderr.count("\n") == 1


def test_an_operator_who_has_lost_everything_is_helped(
    surfpass: Surfpass, database: Database, keyring: Keyring
) -> None:
    invited = surfpass("user", "invite", "--name", "Op", "--role", "operator", "--email", "op@example.org").stdout
    with database.write() as session:
        user = find_invited(session, keyring, invited.strip().rpartition("/")[2], utc_now())
        secret = new_secret()
        code = code_at(secret, step_at(utc_now()))
        set_up_totp(session, COMMAND_LINE, keyring, user, secret, code, utc_now())
    surfpass("user", "drop-second-factor", "op@example.org")
    with database.read() as session:
        user = session.scalars(select(User)).one()
        assert not has_factor(session, user)
        assert codes_left(session, user.id) == 0


def test_an_access_point_is_found_by_each_of_its_radios(
    surfpass_json: Json, markt: str, database: Database, keyring: Keyring
) -> None:
    added = surfpass_json(
        *("ap", "add", "--site", markt, "--name", "Bar", "--mac", "02:00:00:00:00:01", "--mac", "0200.0000.0002"),
        *("--capacity", "7", "--nas-identifier", "bar", "--soft", "--outdoor"),
    )
    assert added["macs"] == ["02-00-00-00-00-01", "02-00-00-00-00-02"]
    assert (added["capacity"], added["soft"], added["outdoor"]) == (7, True, True)
    with database.read() as session:
        assert len(load_directory(session, keyring).by_mac) == 2
    assert surfpass_json("ap", "list", "--site", markt) == [added]


def test_a_second_access_point_on_a_single_site_is_refused(surfpass: Surfpass, markt: str) -> None:
    surfpass("ap", "add", "--site", markt, "--name", "Bar", "--mac", "020000000001")
    refused = surfpass("ap", "add", "--site", markt, "--name", "Hof", "--mac", "020000000002", code=1)
    assert "at most 1" in refused.stderr


@pytest.mark.parametrize("make", MAKES)
def test_a_nas_of_every_make_is_added_and_its_secrets_are_never_shown(surfpass_json: Json, make: str) -> None:
    added = surfpass_json(
        *("nas", "add", "--name", "Gateway", "--network", "127.0.0.1/32", "--make", make, "--secret", "rather secret"),
        *(
            "--uam-secret",
            "also secret",
            "--nas-identifier",
            "gw",
            "--message-authenticator",
            "auto",
            "--login",
            "ticket,voucher",
        ),
    )
    assert added["coa_port"] == MAKES[make].coa_port
    assert added["logins"] == ["ticket", "voucher"]
    for shown in (added, surfpass_json("nas", "list"), surfpass_json("nas", "show", "Gateway")):
        assert "rather secret" not in json.dumps(shown)
        assert "also secret" not in json.dumps(shown)


HANDED_BACK = [make for make, handoff in HANDOFFS.items() if handoff.ports]


@pytest.mark.parametrize("make", MAKES)
def test_gateway_addresses_are_for_makes_that_guests_are_handed_back_to(
    surfpass: Surfpass, surfpass_json: Json, make: str
) -> None:
    add = ("nas", "add", "--name", "G", "--network", "127.0.0.1/32", "--make", make, "--secret", "rather secret")
    given = ("--gateway-address", "10.1.0.1", "--gateway-address", "10.2.0.1:3990")
    if make not in HANDED_BACK:
        assert "leave --gateway-address out" in surfpass(*add, *given, code=2).stderr
        return
    assert surfpass_json(*add, *given)["gateway_addresses"] == ["10.1.0.1", "10.2.0.1:3990"]
    assert surfpass_json("nas", "show", "G")["uam_pap"] is False
    changed = surfpass_json("nas", "change", "G", "--gateway-address", "10.3.0.1", "--uam-pap")
    assert (changed["gateway_addresses"], changed["uam_pap"]) == (["10.3.0.1"], True)


def test_secrets_come_from_files_without_the_end_of_the_line(
    surfpass: Surfpass, database: Database, keyring: Keyring, markt: str, tmp_path: Path
) -> None:
    secret, uam = tmp_path / "secret", tmp_path / "uam"
    secret.write_text(" a secret with spaces \n")
    uam.write_text("the UAM secret\r\n")
    surfpass(
        *("nas", "add", "--name", "G", "--network", "10.1.0.0/24", "--make", "coovachilli", "--grain", "site"),
        *("--site", markt, "--secret-file", str(secret), "--uam-secret-file", str(uam), "--coa-port", "3799"),
    )
    with database.read() as session:
        (nas,) = load_directory(session, keyring).nas
    assert (nas.secret, nas.uam_secret) == (b" a secret with spaces ", "the UAM secret")


def test_a_secret_is_replaced_and_the_list_shows_until_when_the_old_one_is_valid(
    surfpass: Surfpass, surfpass_json: Json, database: Database, keyring: Keyring
) -> None:
    surfpass("nas", "add", "--name", "G", "--network", "10.1.0.0/24", "--make", "generic", "--secret", "the old secret")
    assert surfpass_json("nas", "show", "G")["old_secret_until"] is None
    (changed,) = surfpass_json(
        "nas", "secret", "G", "--secret-file", "-", "--keep-old-for", "2d", input="the new secret\n"
    )
    until = datetime.fromisoformat(changed["old_secret_until"])
    assert timedelta(days=2, minutes=-5) < until - utc_now() <= timedelta(days=2)
    assert changed["old_secret_until"] in surfpass("nas", "list").stdout
    with database.read() as session:
        (nas,) = load_directory(session, keyring).nas
    assert nas.secrets_at(utc_now()) == (b"the new secret", b"the old secret")
    surfpass("nas", "secret", "G", "--secret", "short", code=1)
    surfpass("nas", "secret", "G", code=2)
    surfpass("nas", "secret", "G", "--secret", "the newest secret", "--keep-old-for", "a week", code=2)
    surfpass("nas", "secret", "nobody", "--secret", "the newest secret", code=1)


def test_a_nas_is_changed_by_its_name(surfpass: Surfpass, surfpass_json: Json) -> None:
    surfpass("nas", "add", "--name", "G", "--network", "10.1.0.0/24", "--make", "generic", "--secret", "some secret")
    changed = surfpass_json(
        *("nas", "change", "G", "--message-authenticator", "auto", "--login", "ticket,mac", "--coa-port", "1700"),
    )
    assert (changed["message_authenticator"], changed["logins"], changed["coa_port"]) == (
        "auto",
        ["ticket", "mac"],
        1700,
    )
    assert "message authenticator" in surfpass("nas", "show", "G").stdout
    surfpass("nas", "change", "G", code=2)
    surfpass("nas", "change", "nobody", "--coa-port", "1700", code=1)


def test_the_guest_networks_of_a_nas_are_told_and_taken_back(surfpass: Surfpass, surfpass_json: Json) -> None:
    surfpass("customer", "add", "--name", "C")
    surfpass("site", "add", "--customer", "C", "--slug", "c", "--name", "C", "--kind", "single", "--ssid", "S")
    added = surfpass_json(
        *("nas", "add", "--name", "G", "--network", "10.1.0.0/24", "--make", "generic", "--secret", "some secret"),
        *("--site", "c", "--guest-network", "10.9.0.0/24", "--guest-network", "2001:db8::/64"),
    )
    assert added["guest_networks"] == ["10.9.0.0/24", "2001:db8::/64"]
    assert surfpass_json("nas", "change", "G", "--guest-network", "none")["guest_networks"] == []


WRONG_USES = {
    "an unknown option": ("site", "add", "--bogus"),
    "a missing option": ("customer", "add"),
    "a bad MAC": ("ap", "add", "--site", "markt", "--name", "Bar", "--mac", "02-00"),
    "a missing file": ("ap", "import", "--site", "markt", "/nonexistent.csv"),
    "an unknown make": (
        "nas",
        "add",
        "--name",
        "N",
        "--network",
        "10.0.0.0/8",
        "--make",
        "acme",
        "--secret",
        "secret99",
    ),
    "no secret": ("nas", "add", "--name", "N", "--network", "10.0.0.0/8", "--make", "generic"),
    "an unknown way to log in": (
        *("nas", "add", "--name", "N", "--network", "10.0.0.0/8", "--make", "generic"),
        *("--secret", "secret99", "--login", "ticket,magic"),
    ),
    "an unknown command": ("sites",),
    "a missing configuration": ("--config", "/nonexistent.toml", "site", "list"),
    "a network that is none": (
        *("nas", "add", "--name", "N", "--network", "10.0.0.1/8", "--make", "generic", "--secret", "secret99"),
    ),
    "a gateway address that is none": (
        *("nas", "add", "--name", "N", "--network", "10.0.0.0/8", "--make", "generic", "--secret", "secret99"),
        *("--gateway-address", "http://10.0.0.1/"),
    ),
    "an owner without a customer": ("user", "add", "--email", "a@b.example", "--role", "owner", "--password-file", "-"),
    "an hour that is none": (
        *("site", "add", "--customer", "A", "--slug", "s", "--name", "N", "--kind", "multi"),
        *("--ssid", "S", "--day-ends", "25:00"),
    ),
}


@pytest.mark.parametrize("arguments", WRONG_USES.values(), ids=WRONG_USES)
def test_wrong_use_ends_with_code_2_and_one_sentence(surfpass: Surfpass, arguments: tuple[str, ...]) -> None:
    surfpass(*arguments, code=2)


REFUSALS = {
    "an unknown customer": (
        *("site", "add", "--customer", "Nobody", "--slug", "s", "--name", "N", "--kind", "multi", "--ssid", "S"),
    ),
    "an unknown site": ("ap", "add", "--site", "nowhere", "--name", "Bar", "--mac", "020000000001"),
    "a short secret": (
        "nas",
        "add",
        "--name",
        "N",
        "--network",
        "10.0.0.0/8",
        "--make",
        "generic",
        "--secret",
        "short",
    ),
    "an unknown voucher": ("voucher", "show", "000000000"),
    "a mistyped code": ("voucher", "revoke", "AAAA-AAAA-AAA"),
}


@pytest.mark.parametrize("arguments", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_ends_with_code_1_and_one_sentence(surfpass: Surfpass, arguments: tuple[str, ...]) -> None:
    surfpass(*arguments, code=1)


def test_accounts_are_listed_without_their_hashes(surfpass: Surfpass, surfpass_json: Json) -> None:
    surfpass("user", "add", "--email", "op@pop.example", "--role", "operator", "--password-file", "-", input=PASSWORD)
    (listed,) = surfpass_json("user", "list")
    assert (listed["email"], listed["role"], listed["customer"]) == ("op@pop.example", "operator", None)
    assert "argon2" not in surfpass("user", "list").stdout


def test_an_own_page_is_switched_on_and_off(surfpass: Surfpass, surfpass_json: Json) -> None:
    surfpass("customer", "add", "--name", "A")
    told = ("--customer", "A", "--slug", "markt", "--name", "Markt", "--kind", "single", "--ssid", "Markt")
    surfpass("site", "add", *told)
    assert surfpass("site", "own-page", "markt", "--on").stdout == "The own page of markt is on.\n"
    assert [one["own_page"] for one in surfpass_json("site", "list")] == [True]
    surfpass("site", "own-page", "markt", "--off")
    assert [one["own_page"] for one in surfpass_json("site", "list")] == [False]
    surfpass("site", "own-page", "nowhere", "--on", code=1)
    surfpass("site", "own-page", "markt", code=2)
