"""Passes, vouchers, legal texts and keys by the command line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, LegalVersion, current_version
from hotspot.place import LoginWay
from sessions.visit import Disconnect, Leg, Visit, VisitState
from tests.conftest import SECRET_KEY
from tests.deploy.conftest import Surfpass, runner_with
from tests.factories import a_nas
from vouchers.codes import Code
from vouchers.finding import find_voucher
from vouchers.voucher import Voucher

Json = Callable[..., Any]
PASS = ("pass", "add", "--name", "P", "--slug", "p")


def test_a_pass_takes_all_its_options(surfpass_json: Json, markt: str) -> None:
    added = surfpass_json(
        *(*PASS, "--clock", "online", "--minutes", "90", "--megabytes", "500", "--down-kbit", "10000"),
        *("--up-kbit", "2000", "--devices", "3", "--replace", "--good-days", "30", "--return-days", "7"),
        *("--price", "4.90", "--site", markt),
    )
    del added["id"]
    assert added == {
        "slug": "p",
        "name": "P",
        "clock": "online",
        "minutes": 90,
        "until": None,
        "megabytes": 500,
        "down_kbit": 10000,
        "up_kbit": 2000,
        "devices": 3,
        "replace": True,
        "free": False,
        "always": False,
        "good_days": 30,
        "return_days": 7,
        "price": "4.90",
        "tax_percent": 19.0,
        "currency": "EUR",
        "position": 300,
        "preselected": False,
        "shown": True,
        "site": "markt",
        "customer": None,
    }


@pytest.mark.parametrize(
    ("scope", "until", "meant"),
    [
        (("--site", "markt"), "2036-08-31T22:00", "2036-08-31T22:00:00+02:00"),
        (("--site", "markt"), "2036-12-31", "2036-12-31T00:00:00+01:00"),
        ((), "2036-08-31T22:00", "2036-08-31T22:00:00+00:00"),
        (("--site", "markt"), "2036-08-31T22:00-05:00", "2036-08-31T22:00:00-05:00"),
    ],
)
def test_an_end_without_an_offset_is_on_the_sites_clock(
    surfpass_json: Json, markt: str, scope: tuple[str, ...], until: str, meant: str
) -> None:
    added = surfpass_json(*PASS, "--clock", "until", "--until", until, *scope)
    assert datetime.fromisoformat(added["until"]) == datetime.fromisoformat(meant)


@pytest.mark.parametrize(("price", "shown"), [("4.90", "4.90"), ("0.07", "0.07"), ("1e1", "10.00"), ("3", "3.00")])
def test_a_price_is_read_to_the_cent(surfpass_json: Json, price: str, shown: str) -> None:
    added = surfpass_json(*PASS, "--clock", "first-use", "--minutes", "60", "--price", price)
    assert added["price"] == shown


def test_a_pass_says_who_enforces_what_its_gateways_do_not(surfpass: Surfpass, markt: str) -> None:
    secret = ("--secret", "a secret of this test")
    surfpass("nas", "add", "--name", "a", "--network", "10.0.0.1/32", "--make", "generic", "--site", markt, *secret)
    surfpass("nas", "add", "--name", "b", "--network", "10.0.0.2/32", "--make", "hostapd", *secret)
    limits = ("--clock", "first-use", "--minutes", "60", "--megabytes", "100", "--up-kbit", "1000")
    said = surfpass(*PASS, *limits, "--site", markt).stdout.splitlines()
    assert said[1:] == [
        "Volume at Generic WISPr, hostapd: the PoP disconnects once accounting shows that it is used up.",
        "Rate at hostapd: nobody enforces it.",
    ]
    assert len(surfpass(*PASS[:-1], "q", "--clock", "first-use", "--minutes", "60").stdout.splitlines()) == 1


@pytest.mark.parametrize("price", ["4.905", "4,90", "free", "NaN", "Infinity"])
def test_a_price_that_is_none_is_wrong_use(surfpass: Surfpass, price: str) -> None:
    surfpass(*PASS, "--clock", "first-use", "--minutes", "60", "--price", price, code=2)


def test_a_pass_has_one_scope_and_terms_that_can_be_kept(surfpass: Surfpass, markt: str) -> None:
    both = ("--site", markt, "--customer", "Gasthof am Markt")
    surfpass(*PASS, "--clock", "first-use", "--minutes", "60", *both, code=2)
    assert "--minutes" in surfpass(*PASS, "--clock", "first-use", code=2).stderr
    assert "past" in surfpass(*PASS, "--clock", "until", "--until", "2001-01-01", code=1).stderr


def test_passes_are_listed_everywhere_and_where_they_are_offered(
    surfpass: Surfpass, surfpass_json: Json, markt: str
) -> None:
    surfpass(*PASS, "--clock", "first-use", "--minutes", "60", "--customer", "Gasthof am Markt")
    everywhere = surfpass_json("pass", "list")
    assert [(one["slug"], one["site"], one["customer"]) for one in everywhere] == [
        ("day", "markt", None),
        ("p", None, "Gasthof am Markt"),
    ]
    assert len(surfpass_json("pass", "list", "--site", markt)) == 2


def test_a_pass_is_changed_described_and_retired(surfpass: Surfpass, surfpass_json: Json, markt: str) -> None:
    at = ("--site", markt)
    surfpass("pass", "change", "day", *at, "--price", "5.50", "--megabytes", "500", "--position", "7")
    surfpass("pass", "change", "day", *at, "--without", "megabytes", "--hide", "--replace", "--devices", "2")
    (day,) = surfpass_json("pass", "list", *at)
    assert (day["price"], day["megabytes"], day["position"], day["minutes"]) == ("5.50", None, 7, 1440)
    assert (day["shown"], day["replace"], day["devices"]) == (False, True, 2)
    surfpass("pass", "change", "day", *at, "--clock", "until", "--until", "2036-08-31T22:00", "--without", "minutes")
    (day,) = surfpass_json("pass", "list", *at)
    assert datetime.fromisoformat(day["until"]) == datetime.fromisoformat("2036-08-31T22:00+02:00")

    surfpass("pass", "text", "day", *at, "--language", "de", "--name", "Tageskarte", "--where-to-buy", "Theke.")
    surfpass("pass", "code-field", *at, "--position", "5", "--language", "de", "--where-to-buy", "Theke.")
    surfpass("pass", "preselect", "code", *at)
    surfpass("pass", "retire", "day", *at)
    assert surfpass_json("pass", "list", *at) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("change", "day"),
        ("change", "day", "--devices", "0"),
        ("change", "day", "--always"),
        ("text", "day", "--language", "nl", "--name", "Dag"),
        ("code-field", "--where-to-buy", "Theke."),
        ("preselect", "day"),
    ],
)
def test_changes_that_make_no_sense_are_wrong_use(surfpass: Surfpass, markt: str, arguments: tuple[str, ...]) -> None:
    surfpass("pass", *arguments, "--site", markt, code=2)


def test_only_a_pass_that_is_there_is_changed_or_retired(surfpass: Surfpass, markt: str) -> None:
    surfpass("pass", "change", "day", "--devices", "2", code=1)
    surfpass("pass", "retire", "week", "--site", markt, code=1)


def test_a_free_pass_for_always_is_added(surfpass_json: Json, markt: str) -> None:
    options = ("--clock", "first-use", "--minutes", "60", "--free", "--always", "--position", "3", "--hide")
    added = surfpass_json(*PASS, *options)
    assert (added["free"], added["always"], added["position"], added["shown"]) == (True, True, 3, False)


def test_vouchers_are_issued_in_each_format_and_their_codes_work(
    surfpass: Surfpass, surfpass_json: Json, markt: str, database: Database, keyring: Keyring
) -> None:
    wanted = ("voucher", "issue", "--site", markt, "--pass", "day", "--count", "2")
    issued = surfpass_json(*wanted)
    assert [set(one) for one in issued] == [{"code", "serial", "pass", "site", "good_from", "good_until"}] * 2
    with database.read() as session:
        for one in issued:
            assert Code.parse(one["code"]).printed == one["code"]
            assert find_voucher(session, keyring, one["code"]).serial == one["serial"]
    assert surfpass(*wanted, "--format", "csv").stdout.splitlines()[0] == "code,serial,pass,site,good_from,good_until"
    assert len(surfpass(*wanted).stdout.splitlines()) == 3


def test_vouchers_may_be_valid_from_a_moment_by_the_sites_clock(
    surfpass: Surfpass, surfpass_json: Json, markt: str
) -> None:
    wanted = ("voucher", "issue", "--site", markt, "--pass", "day", "--count", "1", "--good-from")
    (issued,) = surfpass_json(*wanted, "2039-07-01T08:00")
    assert issued["good_from"] == "2039-07-01T06:00:00+00:00"
    shown = surfpass_json("voucher", "show", issued["serial"])
    assert (shown["state"], shown["good_from"], shown["seconds_left"]) == ("not-yet-valid", issued["good_from"], 86400)
    assert shown["good_until"] == "2040-06-30T06:00:00+00:00"


@pytest.mark.parametrize("count", ["0", "-1", "10001"])
def test_too_few_or_too_many_vouchers_are_refused(surfpass: Surfpass, markt: str, count: str) -> None:
    surfpass("voucher", "issue", "--site", markt, "--pass", "day", "--count", count, code=2)


def test_an_unused_voucher_shows_what_it_would_give(surfpass_json: Json, markt: str) -> None:
    (issued,) = surfpass_json("voucher", "issue", "--site", markt, "--pass", "day", "--count", "1")
    shown = surfpass_json("voucher", "show", issued["code"].lower().replace("-", " "))
    assert shown == surfpass_json("voucher", "show", issued["serial"])
    assert shown == {
        "serial": issued["serial"],
        "state": "unused",
        "pass": "day",
        "site": "markt",
        "octets_used": 0,
        "octets_left": None,
        "seconds_used": 0,
        "seconds_left": 86400,
        "devices": 0,
        "devices_allowed": 1,
        "good_from": None,
        "good_until": issued["good_until"],
        "first_used_at": None,
        "ends_at": None,
    }


def test_revoking_makes_a_voucher_worthless_and_has_its_visits_ended(
    surfpass: Surfpass, surfpass_json: Json, markt: str, database: Database, keyring: Keyring
) -> None:
    (issued,) = surfpass_json("voucher", "issue", "--site", markt, "--pass", "day", "--count", "1")
    go_online(database, keyring, issued["code"])
    shown = surfpass_json("voucher", "show", issued["serial"])
    assert (shown["state"], shown["devices"], shown["octets_used"], shown["seconds_used"]) == ("in-use", 1, 3000, 600)
    assert 82_000 < shown["seconds_left"] < 86_400

    surfpass("voucher", "revoke", issued["code"])
    surfpass("voucher", "revoke", issued["serial"])
    shown = surfpass_json("voucher", "show", issued["serial"])
    assert (shown["state"], shown["seconds_left"], shown["octets_left"]) == ("revoked", 0, 0)
    with database.read() as session:
        assert len(session.scalars(select(Disconnect)).all()) == 1


def go_online(database: Database, keyring: Keyring, code: str) -> None:
    """Put a visit on a voucher, with one leg of ten minutes and 3000 octets that has stopped."""
    now = utc_now() - timedelta(minutes=20)
    with database.write() as session:
        voucher: Voucher = find_voucher(session, keyring, code)
        nas = a_nas(session, keyring)
        voucher.first_used_at, voucher.ends_at = now, now + timedelta(days=1)
        visit = Visit(
            site_id=voucher.site_id,
            nas_id=nas.id,
            pass_id=voucher.pass_id,
            voucher_id=voucher.id,
            way=LoginWay.TICKET,
            state=VisitState.OPEN,
            device=b"a device",
            asked_at=now,
            reserved_at=now,
            opened_at=now,
        )
        session.add(visit)
        session.flush()
        leg = Leg(visit_id=visit.id, nas_id=nas.id, session=b"session", ordinal=0, started_at=now, last_heard_at=now)
        leg.stopped_at = now + timedelta(minutes=10)
        leg.seconds, leg.octets_from_guest, leg.octets_to_guest = 600, 1000, 2000
        session.add(leg)


def test_a_legal_text_is_published_in_versions(
    surfpass: Surfpass, surfpass_json: Json, database: Database, tmp_path: Path
) -> None:
    german, english = tmp_path / "de.txt", tmp_path / "en.txt"
    german.write_text("\ufeffGrüß Gott.\n", encoding="utf-8")
    english.write_text("Hello.\n")
    options = ("legal", "publish", "--kind", "imprint", "--text", f"de={german}")
    assert surfpass_json(*options, "--text", f"en={english}")["number"] == 1
    future = surfpass_json(*options, "--valid-from", "2099-01-01T00:00")
    assert (future["number"], future["valid_from"]) == (2, "2099-01-01T00:00:00+00:00")
    with database.read() as session:
        version = current_version(session, LegalKind.IMPRINT, datetime.now(UTC))
        assert version is not None
        assert (version.text("de").body, version.text("en").body) == ("Grüß Gott.\n", "Hello.\n")
    surfpass("legal", "publish", "--kind", "imprint", "--text", f"nl={german}", code=2)
    surfpass("legal", "publish", "--kind", "imprint", "--text", str(german), code=2)


def test_slots_are_listed_shown_and_missed(surfpass: Surfpass, surfpass_json: Json, tmp_path: Path) -> None:
    assert {one["kind"]: one["number"] for one in surfpass_json("legal", "list")} == dict.fromkeys(LegalKind)
    said = surfpass("legal", "missing", code=1).stderr
    assert all(kind in said for kind in LegalKind)
    text = tmp_path / "fr.txt"
    text.write_text("Bonjour.\n")
    for kind in LegalKind:
        surfpass("legal", "publish", "--kind", kind.value, "--text", f"fr={text}")
    surfpass("legal", "publish", "--kind", "prices", "--text", f"fr={text}", "--valid-from", "2099-01-01")
    surfpass("legal", "missing")
    prices = surfpass_json("legal", "list")[1]
    assert (prices["kind"], prices["number"], prices["next_number"]) == ("prices", 1, 2)
    assert prices["next_valid_from"] == "2099-01-01T00:00:00+00:00"
    assert prices["missing_languages"] == ["en", "de", "it", "cs", "tr", "uk", "ar"]

    shown = surfpass_json("legal", "show", "--kind", "prices", "--number", "2")
    assert (shown["number"], shown["texts"]["fr"]["body"]) == (2, "Bonjour.\n")
    assert sha256(b"Bonjour.\n").hexdigest() in surfpass("legal", "show", "--kind", "terms", "--language", "fr").stdout
    surfpass("legal", "show", "--kind", "prices", "--number", "3", code=1)
    surfpass("legal", "publish", "--kind", "prices", "--text", f"fr={text}", "--valid-from", "2001-01-01", code=1)


def test_acceptances_are_listed_by_version_site_and_day(
    surfpass: Surfpass, surfpass_json: Json, markt: str, database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    assert surfpass_json("legal", "accepted") == []
    text = tmp_path / "terms.txt"
    text.write_text("Be kind.\n")
    surfpass("legal", "publish", "--kind", "terms", "--text", f"en={text}")
    (issued,) = surfpass_json("voucher", "issue", "--site", markt, "--pass", "day", "--count", "1")
    go_online(database, keyring, issued["code"])
    with database.write() as session:
        version, visit = session.scalars(select(LegalVersion)).one(), session.scalars(select(Visit)).one()
        visit.terms_id, visit.asked_at = version.id, datetime(2026, 6, 15, 12, tzinfo=UTC)
    expected = {"kind": "terms", "number": 1, "site": "markt", "day": "2026-06-15", "count": 1}
    assert surfpass_json("legal", "accepted") == [expected]


def test_after_rewrapping_only_the_new_key_opens_the_database(
    surfpass: Surfpass, surfpass_environment: dict[str, str]
) -> None:
    new_key = SECRET_KEY[::-1]
    surfpass("keys", "rewrap", "--new-secret-key-file", "-", input="too short", code=1)
    surfpass("keys", "rewrap", "--new-secret-key-file", "-", input=new_key + "\n")
    assert "does not fit" in surfpass("customer", "list", code=1).stderr
    runner_with({**surfpass_environment, "SURFPASS_SECRET_KEY": new_key})("customer", "list")


def test_a_key_in_the_data_folder_is_replaced_there(surfpass_environment: dict[str, str], surfpass: Surfpass) -> None:
    folder = Path(surfpass_environment["SURFPASS_DATA_DIR"])
    folder.mkdir()
    (folder / "secret.key").write_text(SECRET_KEY)
    with_file = runner_with({**surfpass_environment, "SURFPASS_SECRET_KEY": ""})
    with_file("keys", "rewrap", "--new-secret-key-file", "-", input=SECRET_KEY[::-1])
    assert (folder / "secret.key").read_text().strip() == SECRET_KEY[::-1]
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    with_file("customer", "list")
    surfpass("customer", "list", code=1)


def test_a_sites_vouchers_are_listed_newest_first_without_their_codes(
    surfpass: Surfpass, surfpass_json: Json, markt: str
) -> None:
    issued = surfpass_json("voucher", "issue", "--site", markt, "--pass", "day", "--count", "3")
    listed = surfpass_json("voucher", "list", "--site", markt, "--limit", "2")
    assert {one["serial"] for one in listed} < {one["serial"] for one in issued}
    assert {one["state"] for one in listed} == {"unused"}
    shown = surfpass("voucher", "list", "--site", markt).stdout
    assert not [one["code"] for one in issued if one["code"] in shown]
