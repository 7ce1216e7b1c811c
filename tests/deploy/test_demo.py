"""The demo: laid out once, in an empty database, with credentials of its own."""

import json
import re
from pathlib import Path

from sqlalchemy import select

from deploy.demo import load_demo
from hotspot.clock import utc_now
from hotspot.database import Database
from hotspot.directory import load_directory
from hotspot.keys import Keyring
from hotspot.legal import LegalKind, current_version
from hotspot.people import User
from hotspot.people.passwords import check_password
from hotspot.place import LoginWay, SiteKind
from hotspot.settings import Settings
from tests.deploy.conftest import Surfpass
from vouchers.finding import find_voucher
from vouchers.passes import passes_at
from vouchers.voucher import Voucher


def demo_json(surfpass_environment: dict[str, str]) -> Path:
    return Path(surfpass_environment["SURFPASS_DATA_DIR"]) / "demo.json"


def test_the_screen_is_short_and_everything_on_it_works(
    surfpass: Surfpass, surfpass_environment: dict[str, str], database: Database, keyring: Keyring
) -> None:
    screen = surfpass("demo").stdout
    assert len(screen.splitlines()) <= 14
    demo = load_demo(Settings(data_dir=Path(surfpass_environment["SURFPASS_DATA_DIR"])))
    assert demo is not None
    code = re.search(r"Voucher +(\S+)", screen)
    assert code is not None
    with database.read() as session:
        assert find_voucher(session, keyring, code[1]).first_used_at is None
        for email, password in (
            (demo.owner_email, demo.owner_password),
            (demo.operator_email, demo.operator_password),
        ):
            assert check_password(session.scalar(select(User).where(User.email == email)), password)
            assert f"{email}  {password}" in screen
        (nas,) = load_directory(session, keyring).nas
    assert nas.secret.decode() == demo.radius_secret
    assert demo.radius_secret in screen
    assert "http://127.0.0.1:3990/" in screen
    assert "http://127.0.0.1:8080/login" in screen


def test_the_demo_has_a_single_and_a_multi_site_passes_vouchers_and_texts(
    surfpass: Surfpass, database: Database, keyring: Keyring
) -> None:
    surfpass("demo")
    with database.read() as session:
        directory = load_directory(session, keyring)
        assert {site.kind for site in directory.sites.values()} == {SiteKind.SINGLE, SiteKind.MULTI}
        for site in directory.sites.values():
            assert site.access_point_ids
            offered = passes_at(session, site.id, site.customer_id)
            assert [one.slug for one in offered] == ["free", "hour", "day", "week"]
            assert session.scalar(select(Voucher.id).where(Voucher.site_id == site.id))
        (nas,) = directory.nas
        assert nas.logins == {LoginWay.TICKET, LoginWay.VOUCHER}
        assert nas.gateway_addresses == ("127.0.0.1:3990",)
        for kind in LegalKind:
            version = current_version(session, kind, utc_now())
            assert version is not None
            assert all(text.body.startswith("DEMO") for text in version.texts)
            assert {text.language for text in version.texts} == {"de", "en"}


def test_a_second_demo_shows_the_first_and_follows_the_setting(
    surfpass: Surfpass, surfpass_environment: dict[str, str], database: Database, keyring: Keyring
) -> None:
    first = surfpass("demo").stdout
    assert surfpass("demo").stdout == first
    surfpass_environment["SURFPASS_DEMO_AP_BIND"] = "127.0.0.1:3999"
    assert "http://127.0.0.1:3999/" in surfpass("demo").stdout
    with database.read() as session:
        assert load_directory(session, keyring).nas[0].gateway_addresses == ("127.0.0.1:3999",)


def test_only_the_owner_of_the_file_can_read_the_passwords(
    surfpass: Surfpass, surfpass_environment: dict[str, str]
) -> None:
    surfpass("demo")
    path = demo_json(surfpass_environment)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_two_installations_share_no_credential(surfpass: Surfpass, surfpass_environment: dict[str, str]) -> None:
    surfpass("demo")
    path = demo_json(surfpass_environment)
    demo = json.loads(path.read_text())
    passwords = [value for name, value in demo.items() if name.endswith(("secret", "password"))]
    assert len(set(passwords)) == 4
    assert all(re.fullmatch(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", one) for one in passwords)


def test_a_database_in_use_is_left_alone(surfpass: Surfpass, surfpass_environment: dict[str, str]) -> None:
    surfpass("customer", "add", "--name", "A real one")
    assert "not empty" in surfpass("demo", code=1).stderr
    assert not demo_json(surfpass_environment).exists()


def test_a_file_of_another_database_is_no_demo_of_this_one(
    surfpass: Surfpass, surfpass_environment: dict[str, str]
) -> None:
    surfpass("demo")
    path = demo_json(surfpass_environment)
    path.write_text(json.dumps({**json.loads(path.read_text()), "nas_id": "another"}))
    surfpass("demo", code=1)
    path.write_text("{")
    assert "damaged" in surfpass("demo", code=1).stderr
