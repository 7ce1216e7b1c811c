"""The audit record: who changed what. Append-only; it names rows by their public ids and holds nothing about guests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import ForeignKey, Index, String, Table
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import bulk
from hotspot.append_only import append_only
from hotspot.database import Base, BigId


@append_only
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
