"""Settings: environment `SURFPASS_*`, or a TOML file given by `--config`; frozen once read."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from hotspot.errors import SetupError

SECRETS_FROM_FILES = ("secret_key", "database_url")


def _user_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "surfpass"


class Settings(BaseSettings):
    """All that may differ between installations."""

    model_config = SettingsConfigDict(env_prefix="SURFPASS_", frozen=True, extra="ignore")

    data_dir: Path = Field(
        default_factory=_user_data_dir,
        description="Folder for the database, the keys, and spool/, metrics/ and trace/ of RADIUS.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in the data folder.")
    database_url_file: Path | None = Field(None, description="File that holds the database URL.")
    secret_key: str = Field("", description="Master key, 32 characters or more; empty means a file in the data folder.")
    secret_key_file: Path | None = Field(None, description="File that holds the master key.")
    portal_bind: str = Field("127.0.0.1:8080", description="host:port the portal listens on.")
    portal_url: str = Field("", description="Address guests and gateways reach the portal at; empty follows the bind.")
    bounce_url: str = Field("", description="Plain-HTTP address that leads scanned vouchers back through the gateway.")
    portal_workers: int = Field(2, ge=1, le=64, description="Portal worker processes.")
    trusted_proxies: int = Field(0, ge=0, le=5, description="Reverse proxies in front of the portal.")
    radius_bind: str = Field("127.0.0.1", description="Address RADIUS listens on; 0.0.0.0 or :: for all.")
    radius_auth_port: int = Field(1812, ge=1, le=65535, description="UDP port of authentication.")
    radius_acct_port: int = Field(1813, ge=1, le=65535, description="UDP port of accounting.")
    radius_workers: int = Field(0, ge=0, le=64, description="RADIUS worker processes; 0 follows database and cores.")
    interim_seconds: int = Field(300, ge=60, le=3600, description="Acct-Interim-Interval asked of a NAS, in seconds.")
    api_vouchers_per_hour: int = Field(
        20_000, ge=1, description="Vouchers that each key of the API may issue within an hour."
    )
    metrics_bind: str = Field("127.0.0.1:9464", description="host:port Prometheus asks for metrics; empty: none.")
    demo_ap_bind: str = Field("127.0.0.1:3990", description="host:port of the demo's software access point.")
    operator_name: str = Field("Hotspot operator", description="Provider named on the portal page.")
    product_name: str = Field("Public hotspot", description="Product named on the portal page.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged.")

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in SECRETS_FROM_FILES:
            path = values.get(f"{name}_file")
            if path and not values.get(name):
                try:
                    values[name] = Path(path).read_text().strip()
                except (OSError, ValueError) as error:
                    raise ValueError(f"SURFPASS_{name.upper()}_FILE cannot be read: {error}") from error
                if not values[name]:
                    raise ValueError(f"SURFPASS_{name.upper()}_FILE names an empty file")
        return values

    @field_validator("portal_bind", "demo_ap_bind", "metrics_bind")
    @classmethod
    def _bind_is_host_and_port(cls, bind: str, info: ValidationInfo) -> str:
        if not bind and info.field_name == "metrics_bind":
            return bind
        try:
            split_bind(bind)
        except SetupError as error:
            raise ValueError(error.sentence.rstrip(".")) from error
        return bind

    @field_validator("secret_key")
    @classmethod
    def _key_is_long_enough(cls, key: str) -> str:
        if key and len(key) < 32:
            raise ValueError("32 characters or more are needed")
        return key

    @field_validator("bounce_url")
    @classmethod
    def _bounce_is_plain_http(cls, url: str) -> str:
        """Gateways cannot intercept HTTPS."""
        if url and not url.startswith("http://"):
            raise ValueError("an address that begins with http:// is needed")
        return url.rstrip("/")

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'surfpass.db'}"

    @property
    def public_portal_url(self) -> str:
        """The portal's address as guests and gateways are told it, without a slash at the end."""
        return (self.portal_url or f"http://{self.portal_bind}").rstrip("/")


def load_settings(config: Path | None = None) -> Settings:
    """Read the settings; the environment wins over the TOML file `config`. SetupError names the setting that is wrong."""

    class FromFile(Settings):
        # A setting that is misspelt in the file would otherwise be ignored.
        model_config = SettingsConfigDict(toml_file=config, extra="forbid")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    if config is not None and not config.is_file():
        raise SetupError("no-config", f"There is no settings file {str(config)!r}.")
    try:
        return FromFile()
    except ValidationError as error:
        first = error.errors()[0]
        setting = f"SURFPASS_{'_'.join(str(part) for part in first['loc']).upper()}: " if first["loc"] else ""
        raise SetupError("bad-setting", f"{setting}{first['msg'].removeprefix('Value error, ')}.") from error
    except (OSError, ValueError) as error:
        raise SetupError("bad-setting", f"The settings cannot be read: {error}.") from error


def split_bind(bind: str) -> tuple[str, int]:
    """Split `host:port`, IPv6 hosts in brackets; SetupError when it is neither."""
    host, colon, port = bind.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise SetupError("bad-setting", f"{bind!r} is not host:port, such as 127.0.0.1:8080.")
    return host.strip("[]"), int(port)
