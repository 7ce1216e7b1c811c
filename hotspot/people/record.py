"""Reading the audit record: by customer, person and kind, page by page."""

import enum
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, not_, or_, select
from sqlalchemy.orm import Session

from hotspot.api_keys import ApiKey
from hotspot.audit import AuditEntry
from hotspot.people import User
from hotspot.place import Customer


class Kind(enum.StrEnum):
    """What changes are about, by the first word of their subject."""

    VOUCHERS = "vouchers"
    PEOPLE = "people"
    PLACE = "place"


_SUBJECTS = {Kind.VOUCHERS: ("voucher", "vouchers", "batch"), Kind.PEOPLE: ("user", "tablet")}
# A venue has nothing to do with the gateways (R9).
_OPERATORS = ("nas",)


class Line(NamedTuple):
    """An entry with the names of who did it, a person or a key, None for the command line, and of whose it is."""

    id: int
    at: datetime
    action: str
    subject: str
    detail: str
    person: str | None
    customer: str | None


def read_record(
    session: Session,
    *,
    customer_id: int | None,
    user_id: int | None = None,
    kind: Kind | None = None,
    before: int | None = None,
    limit: int,
) -> list[Line]:
    """The entries, the latest first, before the one with the id `before`; of all customers for `customer_id` None."""
    columns = (AuditEntry.id, AuditEntry.at, AuditEntry.action, AuditEntry.subject, AuditEntry.detail)
    query = (
        select(*columns, func.coalesce(User.name, ApiKey.name), Customer.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(ApiKey, ApiKey.id == AuditEntry.api_key_id)
        .outerjoin(Customer, Customer.id == AuditEntry.customer_id)
    )
    if customer_id is not None:
        query = query.where(AuditEntry.customer_id == customer_id, not_(_is_about(_OPERATORS)))
    if user_id is not None:
        query = query.where(AuditEntry.user_id == user_id)
    if kind is not None:
        query = query.where(_is_of(kind))
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return [Line(*row) for row in session.execute(query.order_by(AuditEntry.id.desc()).limit(limit))]


def _is_of(kind: Kind) -> ColumnElement[bool]:
    if kind is Kind.PLACE:
        return not_(_is_about(tuple(word for words in _SUBJECTS.values() for word in words)))
    return _is_about(_SUBJECTS[kind])


def _is_about(words: tuple[str, ...]) -> ColumnElement[bool]:
    return or_(*(AuditEntry.subject.startswith(f"{word} ") for word in words))
