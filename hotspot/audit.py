"""The audit record: who changed what. Append-only; it names rows by their public ids and holds nothing about guests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import DDL, ForeignKey, Index, String, Table, event
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import bulk
from hotspot.database import Base, BigId


class AuditEntry(Base):
    """One change: actor, action, subject."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_customer_id_id", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # Of a row of api_key, none of which is ever deleted; a foreign key would tie that table to this one both ways.
    api_key_id: Mapped[int | None] = mapped_column(BigId)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(60), index=True)
    detail: Mapped[str] = mapped_column(String(200), default="")


# The database itself lets nobody change or remove an entry, whatever the program does.
_ON_SQLITE = (
    "CREATE TRIGGER audit_entry_keeps_entries BEFORE DELETE ON audit_entry"
    " BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END",
    "CREATE TRIGGER audit_entry_keeps_values BEFORE UPDATE ON audit_entry"
    " BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END",
)
_ON_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME; END $$",
    "CREATE TRIGGER audit_entry_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)
for _dialect, _statements in (("sqlite", _ON_SQLITE), ("postgresql", _ON_POSTGRESQL)):
    for _statement in _statements:
        event.listen(AuditEntry.__table__, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Actor:
    """Who acts: a signed-in user, another system by its API key, or the command line where both are None."""

    user_id: int | None = None
    api_key_id: int | None = None


COMMAND_LINE = Actor()


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    now: datetime,
    *,
    customer_id: int | None = None,
    detail: str = "",
) -> None:
    """Write one line of the audit record; `subject` is a kind and a public id, such as `site abcd...`."""
    session.add(
        AuditEntry(
            at=now,
            user_id=actor.user_id,
            api_key_id=actor.api_key_id,
            customer_id=customer_id,
            action=action,
            subject=subject,
            detail=detail[:200],
        )
    )


def record_many(
    session: Session,
    actor: Actor,
    action: str,
    subjects: Sequence[str],
    now: datetime,
    *,
    customer_id: int | None = None,
    detail: str = "",
) -> None:
    """Write a line for each of many subjects that one action has changed, in one statement."""
    columns = ("at", "user_id", "api_key_id", "customer_id", "action", "subject", "detail")
    rows = [(now, actor.user_id, actor.api_key_id, customer_id, action, one, detail[:200]) for one in subjects]
    bulk.insert(session, cast(Table, AuditEntry.__table__), columns, rows)
