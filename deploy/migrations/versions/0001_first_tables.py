"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite gives row numbers of its own only to a column declared INTEGER.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """From nothing; each table after those it refers to."""
    _create_customer()
    _create_data_key()
    _create_heartbeat()
    _create_legal_version()
    _create_limit_counter()
    _create_place_revision()
    _create_legal_text()
    _create_site()
    _create_user_account()
    _create_access_point()
    _create_audit_entry()
    _create_nas()
    _create_pass()
    _create_site_ssid()
    _create_batch()
    _create_log_entry()
    _create_radio()
    _create_voucher()
    _create_visit()
    _create_voucher_device()
    _create_disconnect()
    _create_leg()
    _create_day_keys()


def downgrade() -> None:
    """Back to nothing."""
    for table in (
        "leg",
        "disconnect",
        "voucher_device",
        "visit",
        "voucher",
        "radio",
        "log_entry",
        "batch",
        "site_ssid",
        "pass",
        "nas",
        "audit_entry",
        "access_point",
        "user_account",
        "site",
        "legal_text",
        "place_revision",
        "limit_counter",
        "legal_version",
        "heartbeat",
        "data_key",
        "customer",
    ):
        op.drop_table(table)
    if _on_postgresql():
        op.drop_table("log_day_key_even")
        op.drop_table("log_day_key_odd")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _one_of(name: str, *values: str) -> sa.Enum:
    """Text that a CHECK holds to these values."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _where(condition: str) -> dict[str, Any]:
    """What makes an index a partial one."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _create_day_keys() -> None:
    """The keys of the connection log's days; unlogged, so that they never reach a backup or a replica.

    On SQLite they are files beside the database.
    """
    if _on_postgresql():
        for parity in ("even", "odd"):
            op.execute(f"CREATE UNLOGGED TABLE log_day_key_{parity} (day date PRIMARY KEY, key bytea NOT NULL)")


def _create_customer() -> None:
    op.create_table(
        "customer",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("name", name=op.f("uq_customer_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_customer_public_id")),
    )


def _create_data_key() -> None:
    op.create_table(
        "data_key",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column(
            "purpose",
            _one_of("purpose", "codes", "devices", "tickets", "pages", "secrets", "sessions", "limits"),
            nullable=False,
        ),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_key")),
    )


def _create_heartbeat() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("beat_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )


def _create_legal_version() -> None:
    op.create_table(
        "legal_version",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", _one_of("legalkind", "terms", "imprint", "privacy"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_version")),
        sa.UniqueConstraint("kind", "number", name=op.f("uq_legal_version_kind_number")),
    )


def _create_limit_counter() -> None:
    op.create_table(
        "limit_counter",
        sa.Column("subject", sa.LargeBinary(length=24), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_limit_counter")),
    )
    op.create_index(op.f("ix_limit_counter_expires_at"), "limit_counter", ["expires_at"])


def _create_place_revision() -> None:
    op.create_table(
        "place_revision",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place_revision")),
    )


def _create_legal_text() -> None:
    op.create_table(
        "legal_text",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("version_id", BIG_ID, nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["legal_version.id"], name=op.f("fk_legal_text_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_text")),
        sa.UniqueConstraint("version_id", "language", name=op.f("uq_legal_text_version_id_language")),
    )


def _create_site() -> None:
    op.create_table(
        "site",
        sa.Column("customer_id", BIG_ID, nullable=False),
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", _one_of("sitekind", "single", "multi", "single-foreign"), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("day_ends", sa.Time(), nullable=False),
        sa.Column("line", sa.String(length=40)),
        sa.Column("address", sa.String(length=200)),
        sa.Column("latitude", sa.Float()),
        sa.Column("longitude", sa.Float()),
        sa.Column("privacy_mode", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "(kind = 'multi' AND slots = 250) OR (kind <> 'multi' AND slots = 1)", name=op.f("ck_site_slots_fit_kind")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_site_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("id", "slots", name=op.f("uq_site_id_slots")),
        sa.UniqueConstraint("public_id", name=op.f("uq_site_public_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_site_slug")),
    )
    op.create_index(op.f("ix_site_customer_id"), "site", ["customer_id"])


def _create_user_account() -> None:
    op.create_table(
        "user_account",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", _one_of("role", "operator", "owner"), nullable=False),
        sa.Column("customer_id", BIG_ID),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "(role = 'owner') = (customer_id IS NOT NULL)", name=op.f("ck_user_account_owner_has_customer")
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_user_account_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("email", name=op.f("uq_user_account_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_user_account_public_id")),
    )
    op.create_index(op.f("ix_user_account_customer_id"), "user_account", ["customer_id"])


def _create_access_point() -> None:
    op.create_table(
        "access_point",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("nas_identifier", sa.String(length=253)),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("capacity_is_soft", sa.Boolean(), nullable=False),
        sa.Column("outdoor", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.CheckConstraint("capacity BETWEEN 1 AND 10000", name=op.f("ck_access_point_capacity_is_sane")),
        sa.CheckConstraint("slot BETWEEN 1 AND slots", name=op.f("ck_access_point_slot_within_site")),
        sa.ForeignKeyConstraint(["site_id", "slots"], ["site.id", "site.slots"], name="fk_access_point_site_slots"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_point")),
        sa.UniqueConstraint("public_id", name=op.f("uq_access_point_public_id")),
    )
    op.create_index(
        "uq_access_point_nas_identifier",
        "access_point",
        ["nas_identifier"],
        unique=True,
        **_where("retired_at IS NULL"),
    )
    op.create_index(
        "uq_access_point_slot", "access_point", ["site_id", "slot"], unique=True, **_where("retired_at IS NULL")
    )


def _create_audit_entry() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("user_id", BIG_ID),
        sa.Column("customer_id", BIG_ID),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_audit_entry_customer_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_audit_entry_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_customer_id"), "audit_entry", ["customer_id"])


def _create_nas() -> None:
    op.create_table(
        "nas",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("network", sa.String(length=49), nullable=False),
        sa.Column("make", sa.String(length=20), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("uam_secret", sa.LargeBinary()),
        sa.Column("nas_identifier", sa.String(length=253)),
        sa.Column("gateway_addresses", sa.JSON(), nullable=False),
        sa.Column("message_authenticator", _one_of("messageauthenticatorpolicy", "yes", "no", "auto"), nullable=False),
        sa.Column("logins", sa.JSON(), nullable=False),
        sa.Column("grain", _one_of("grain", "ap", "site"), nullable=False),
        sa.Column("site_id", BIG_ID),
        sa.Column("coa_port", sa.Integer(), nullable=False),
        sa.Column("signed_at", MOMENT),
        sa.Column("accounting_heard_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_nas_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nas")),
        sa.UniqueConstraint("name", name=op.f("uq_nas_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_nas_public_id")),
    )
    op.create_index(op.f("ix_nas_network"), "nas", ["network"])
    op.create_index(op.f("ix_nas_site_id"), "nas", ["site_id"])


def _create_pass() -> None:
    op.create_table(
        "pass",
        sa.Column("slug", sa.String(length=40), nullable=False),
        sa.Column("site_id", BIG_ID),
        sa.Column("customer_id", BIG_ID),
        sa.Column("good_days", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("clock", _one_of("clock", "first-use", "online", "end-of-day", "until"), nullable=False),
        sa.Column("minutes", sa.Integer()),
        sa.Column("until", MOMENT),
        sa.Column("megabytes", sa.Integer()),
        sa.Column("down_kbit", sa.Integer()),
        sa.Column("up_kbit", sa.Integer()),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("replace", sa.Boolean(), nullable=False),
        sa.Column("free", sa.Boolean(), nullable=False),
        sa.Column("return_days", sa.Integer(), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("site_id IS NULL OR customer_id IS NULL", name=op.f("ck_pass_one_scope")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_pass_customer_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pass_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pass")),
        sa.UniqueConstraint("public_id", name=op.f("uq_pass_public_id")),
    )
    op.create_index(op.f("ix_pass_customer_id"), "pass", ["customer_id"])
    op.create_index(op.f("ix_pass_site_id"), "pass", ["site_id"])
    op.create_index(
        "uq_pass_slug_customer",
        "pass",
        ["slug", "customer_id"],
        unique=True,
        **_where("customer_id IS NOT NULL AND retired_at IS NULL"),
    )
    op.create_index(
        "uq_pass_slug_everywhere",
        "pass",
        ["slug"],
        unique=True,
        **_where("site_id IS NULL AND customer_id IS NULL AND retired_at IS NULL"),
    )
    op.create_index(
        "uq_pass_slug_site",
        "pass",
        ["slug", "site_id"],
        unique=True,
        **_where("site_id IS NOT NULL AND retired_at IS NULL"),
    )


def _create_site_ssid() -> None:
    op.create_table(
        "site_ssid",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("ssid", sa.String(length=32), nullable=False),
        sa.Column("valid_until", MOMENT),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_ssid_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_ssid")),
        sa.UniqueConstraint("site_id", "ssid", name=op.f("uq_site_ssid_site_id_ssid")),
    )


def _create_batch() -> None:
    op.create_table(
        "batch",
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("pass_id", BIG_ID, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("issued_by", BIG_ID),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["issued_by"], ["user_account.id"], name=op.f("fk_batch_issued_by")),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_batch_pass_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_batch_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("public_id", name=op.f("uq_batch_public_id")),
    )
    op.create_index(op.f("ix_batch_site_id"), "batch", ["site_id"])


def _create_log_entry() -> None:
    op.create_table(
        "log_entry",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("access_point_id", BIG_ID),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("token", sa.LargeBinary(length=8), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["access_point_id"], ["access_point.id"], name=op.f("fk_log_entry_access_point_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_log_entry_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_entry")),
        sa.UniqueConstraint("reference", name=op.f("uq_log_entry_reference")),
    )
    op.create_index("ix_log_entry_site_day", "log_entry", ["site_id", "day"])


def _create_radio() -> None:
    op.create_table(
        "radio",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("access_point_id", BIG_ID, nullable=False),
        sa.Column("mac", sa.String(length=17), nullable=False),
        sa.ForeignKeyConstraint(["access_point_id"], ["access_point.id"], name=op.f("fk_radio_access_point_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_radio")),
        sa.UniqueConstraint("mac", name=op.f("uq_radio_mac")),
    )
    op.create_index(op.f("ix_radio_access_point_id"), "radio", ["access_point_id"])


def _create_voucher() -> None:
    op.create_table(
        "voucher",
        sa.Column("serial", sa.String(length=12)),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("pass_id", BIG_ID, nullable=False),
        sa.Column("batch_id", BIG_ID),
        sa.Column("code_hash", sa.LargeBinary(length=24)),
        sa.Column("code_ciphertext", sa.LargeBinary()),
        sa.Column("free_device", sa.LargeBinary(length=24)),
        sa.Column("free_day", sa.Date()),
        sa.Column("good_until", MOMENT, nullable=False),
        sa.Column("first_used_at", MOMENT),
        sa.Column("ends_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("settled_octets", sa.BigInteger(), nullable=False),
        sa.Column("settled_seconds", sa.BigInteger(), nullable=False),
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("clock", _one_of("clock", "first-use", "online", "end-of-day", "until"), nullable=False),
        sa.Column("minutes", sa.Integer()),
        sa.Column("until", MOMENT),
        sa.Column("megabytes", sa.Integer()),
        sa.Column("down_kbit", sa.Integer()),
        sa.Column("up_kbit", sa.Integer()),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("replace", sa.Boolean(), nullable=False),
        sa.Column("free", sa.Boolean(), nullable=False),
        sa.Column("return_days", sa.Integer(), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_voucher_batch_id")),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_voucher_pass_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_voucher_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_voucher_code_hash")),
        sa.UniqueConstraint("public_id", name=op.f("uq_voucher_public_id")),
        sa.UniqueConstraint("serial", name=op.f("uq_voucher_serial")),
        sa.UniqueConstraint(
            "site_id",
            "pass_id",
            "free_device",
            "free_day",
            name=op.f("uq_voucher_site_id_pass_id_free_device_free_day"),
        ),
    )
    op.create_index(op.f("ix_voucher_batch_id"), "voucher", ["batch_id"])
    op.create_index("ix_voucher_free_day", "voucher", ["free_day"], **_where("free_day IS NOT NULL"))
    op.create_index("ix_voucher_site_id_id", "voucher", ["site_id", "id"])


def _create_visit() -> None:
    op.create_table(
        "visit",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("handle", sa.String(length=16), nullable=False),
        sa.Column("site_id", BIG_ID, nullable=False),
        sa.Column("access_point_id", BIG_ID),
        sa.Column("nas_id", BIG_ID, nullable=False),
        sa.Column("pass_id", BIG_ID, nullable=False),
        sa.Column("voucher_id", BIG_ID),
        sa.Column("way", _one_of("loginway", "ticket", "voucher", "mac"), nullable=False),
        sa.Column("state", _one_of("visitstate", "asked", "reserved", "open", "closed"), nullable=False),
        sa.Column("device", sa.LargeBinary(length=24)),
        sa.Column("swaps", sa.Boolean(), nullable=False),
        sa.Column("terms_id", BIG_ID),
        sa.Column("ticket_expires_at", MOMENT),
        sa.Column("page_token", sa.LargeBinary(length=24)),
        sa.Column("refusal", sa.String(length=32)),
        sa.Column("interim_seconds", sa.Integer(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("reserved_at", MOMENT),
        sa.Column("reserved_until", MOMENT),
        sa.Column("opened_at", MOMENT),
        sa.Column("last_heard_at", MOMENT),
        sa.Column("closed_at", MOMENT),
        sa.Column(
            "close_cause",
            _one_of(
                "closecause",
                "stopped",
                "silence",
                "never-started",
                "nas-restart",
                "superseded",
                "replaced",
                "logged-out",
                "revoked",
                "over",
            ),
        ),
        sa.Column("current_leg_id", BIG_ID),
        sa.Column("log_reference", sa.String(length=16)),
        sa.Column("identifiers", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["access_point_id"], ["access_point.id"], name=op.f("fk_visit_access_point_id")),
        sa.ForeignKeyConstraint(["nas_id"], ["nas.id"], name=op.f("fk_visit_nas_id")),
        sa.ForeignKeyConstraint(["pass_id"], ["pass.id"], name=op.f("fk_visit_pass_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_visit_site_id")),
        sa.ForeignKeyConstraint(["terms_id"], ["legal_version.id"], name=op.f("fk_visit_terms_id")),
        sa.ForeignKeyConstraint(["voucher_id"], ["voucher.id"], name=op.f("fk_visit_voucher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
        sa.UniqueConstraint("handle", name=op.f("uq_visit_handle")),
        sa.UniqueConstraint("page_token", name=op.f("uq_visit_page_token")),
    )
    op.create_index(
        "ix_visit_running_access_point", "visit", ["access_point_id"], **_where("state IN ('reserved', 'open')")
    )
    op.create_index("ix_visit_site_device", "visit", ["site_id", "device"])
    op.create_index(op.f("ix_visit_site_id"), "visit", ["site_id"])
    op.create_index("ix_visit_state", "visit", ["state", "closed_at"])
    op.create_index(op.f("ix_visit_voucher_id"), "visit", ["voucher_id"])
    op.create_index(
        "uq_visit_running_device",
        "visit",
        ["site_id", "device"],
        unique=True,
        **_where("state IN ('reserved', 'open')"),
    )


def _create_voucher_device() -> None:
    op.create_table(
        "voucher_device",
        sa.Column("voucher_id", BIG_ID, nullable=False),
        sa.Column("device", sa.LargeBinary(length=24), nullable=False),
        sa.Column("last_login_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["voucher_id"], ["voucher.id"], name=op.f("fk_voucher_device_voucher_id")),
        sa.PrimaryKeyConstraint("voucher_id", "device", name=op.f("pk_voucher_device")),
    )
    op.create_index("ix_voucher_device_device", "voucher_device", ["device"])


def _create_disconnect() -> None:
    op.create_table(
        "disconnect",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("visit_id", BIG_ID, nullable=False),
        sa.Column("nas_id", BIG_ID, nullable=False),
        sa.Column(
            "cause",
            _one_of(
                "closecause",
                "stopped",
                "silence",
                "never-started",
                "nas-restart",
                "superseded",
                "replaced",
                "logged-out",
                "revoked",
                "over",
            ),
            nullable=False,
        ),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", MOMENT),
        sa.ForeignKeyConstraint(["nas_id"], ["nas.id"], name=op.f("fk_disconnect_nas_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_disconnect_visit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disconnect")),
    )
    op.create_index("ix_disconnect_due", "disconnect", ["due_at"], **_where("done_at IS NULL"))
    op.create_index("uq_disconnect_pending", "disconnect", ["visit_id"], unique=True, **_where("done_at IS NULL"))


def _create_leg() -> None:
    op.create_table(
        "leg",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("visit_id", BIG_ID, nullable=False),
        sa.Column("nas_id", BIG_ID, nullable=False),
        sa.Column("access_point_id", BIG_ID),
        sa.Column("session", sa.LargeBinary(length=24), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("last_heard_at", MOMENT, nullable=False),
        sa.Column("stopped_at", MOMENT),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("octets_from_guest", sa.BigInteger(), nullable=False),
        sa.Column("octets_to_guest", sa.BigInteger(), nullable=False),
        sa.Column("terminate_cause", sa.Integer()),
        sa.ForeignKeyConstraint(["access_point_id"], ["access_point.id"], name=op.f("fk_leg_access_point_id")),
        sa.ForeignKeyConstraint(["nas_id"], ["nas.id"], name=op.f("fk_leg_nas_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_leg_visit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leg")),
        sa.UniqueConstraint(
            "visit_id", "nas_id", "session", "ordinal", name=op.f("uq_leg_visit_id_nas_id_session_ordinal")
        ),
    )
    op.create_index(op.f("ix_leg_nas_id"), "leg", ["nas_id"])
