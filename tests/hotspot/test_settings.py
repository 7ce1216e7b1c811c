"""Settings: where they come from, and that a wrong one is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hotspot.errors import SetupError
from hotspot.settings import Settings, load_settings, split_bind

LONG_KEY = "k" * 32


def test_without_any_setting_the_data_lie_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.data_dir == tmp_path / "surfpass"
    assert settings.database == f"sqlite:///{tmp_path}/surfpass/surfpass.db"
    assert settings.public_portal_url == "http://127.0.0.1:8080"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "surfpass.toml"
    config.write_text('portal_bind = "10.0.0.1:80"\nradius_auth_port = 11812\n')
    monkeypatch.setenv("SURFPASS_RADIUS_AUTH_PORT", "21812")
    settings = load_settings(config)
    assert (settings.portal_bind, settings.radius_auth_port) == ("10.0.0.1:80", 21812)


def test_secrets_may_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{LONG_KEY}\n")
    (tmp_path / "url").write_text("sqlite:////somewhere.db\n")
    monkeypatch.setenv("SURFPASS_SECRET_KEY_FILE", str(tmp_path / "key"))
    config = tmp_path / "surfpass.toml"
    config.write_text(f'database_url_file = "{tmp_path / "url"}"\n')
    settings = load_settings(config)
    assert (settings.secret_key, settings.database) == (LONG_KEY, "sqlite:////somewhere.db")


def test_a_secret_given_directly_wins_over_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURFPASS_SECRET_KEY", LONG_KEY)
    monkeypatch.setenv("SURFPASS_SECRET_KEY_FILE", "/does/not/exist")
    assert load_settings().secret_key == LONG_KEY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RADIUS_AUTH_PORT", "0"),
        ("RADIUS_ACCT_PORT", "radius"),
        ("INTERIM_SECONDS", "59"),
        ("PORTAL_WORKERS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY_FILE", "/does/not/exist"),
        ("DATABASE_URL_FILE", "/does/not/exist"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SURFPASS_{name}", value)
    with pytest.raises(SetupError, match=f"SURFPASS_{name}\\b") as caught:
        load_settings()
    assert caught.value.code == "bad-setting"


def test_a_file_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    config = tmp_path / "surfpass.toml"
    config.write_text("portal_bind = ")
    with pytest.raises(SetupError, match="cannot be read"):
        load_settings(config)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().log_level = "DEBUG"  # type: ignore[misc]


def test_the_portal_address_has_no_slash_at_its_end() -> None:
    assert Settings(portal_url="https://surf.example/").public_portal_url == "https://surf.example"


@pytest.mark.parametrize(
    ("bind", "host", "port"), [("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:1812", "::1", 1812), ("pop:65535", "pop", 65535)]
)  # fmt: skip
def test_a_bind_is_host_and_port(bind: str, host: str, port: int) -> None:
    assert split_bind(bind) == (host, port)


@pytest.mark.parametrize("bind", ["", "127.0.0.1", ":80", "host:", "host:0", "host:65536", "host:-1", "host:http"])
def test_what_is_no_bind_is_refused(bind: str) -> None:
    with pytest.raises(SetupError, match="host:port"):
        split_bind(bind)


def test_a_misspelt_setting_in_the_file_is_named(tmp_path: Path) -> None:
    config = tmp_path / "surfpass.toml"
    config.write_text('portal_bund = "10.0.0.1:80"\n')
    with pytest.raises(SetupError, match="SURFPASS_PORTAL_BUND"):
        load_settings(config)


def test_a_missing_settings_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_an_empty_secret_file_is_not_taken_for_no_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A truncated file would otherwise start an empty PoP beside the real one."""
    (tmp_path / "url").touch()
    monkeypatch.setenv("SURFPASS_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(SetupError, match="SURFPASS_DATABASE_URL_FILE"):
        load_settings()
