"""Vouchers: issuing them in batches, finding, listing and revoking them."""

import enum
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import (
    audit,
    people,  # noqa: F401 - the table that issued_by refers to
)
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.place import Site
from vouchers.codes import Code, Mistyped
from vouchers.passes import Pass, TermsColumns

LARGEST_BATCH = 10_000
_SERIAL_DIGITS = 9


class VoucherState(enum.StrEnum):
    """What staff are told of a voucher (decision 12)."""

    UNUSED = "unused"
    IN_USE = "in-use"
    OVER = "over"
    REVOKED = "revoked"


_is_free = text("free_day IS NOT NULL")


class Batch(Identified, Base):
    """Vouchers issued together."""

    __tablename__ = "batch"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    count: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(String(200))
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    issued_at: Mapped[datetime]


class Voucher(Identified, TermsColumns, Base):
    """The right to be online at one site. A free pass is one without a code, per device and day of the site."""

    __tablename__ = "voucher"
    __table_args__ = (
        UniqueConstraint("site_id", "pass_id", "free_device", "free_day", "free_round"),
        Index("ix_voucher_site_id_id", "site_id", "id"),
        Index("ix_voucher_free_day", "free_day", postgresql_where=_is_free, sqlite_where=_is_free),
    )  # fmt: skip

    serial: Mapped[str | None] = mapped_column(String(12), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"), index=True)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS), unique=True)
    code_ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    free_device: Mapped[bytes | None] = mapped_column(LargeBinary(HASH_OCTETS))
    free_day: Mapped[date | None]
    # Of a free pass that may be taken again: how often it was taken before on that day.
    free_round: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    good_from: Mapped[datetime | None]
    good_until: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    settled_octets: Mapped[int] = mapped_column(BigInteger, default=0)
    settled_seconds: Mapped[int] = mapped_column(BigInteger, default=0)


@dataclass(frozen=True, repr=False)
class Issued:
    """A voucher just issued, with its code in clear."""

    serial: str
    code: Code
    voucher: Voucher


def new_serial() -> str:
    """A random serial number that staff can read out: nine digits, no secret."""
    return f"{secrets.randbelow(10**_SERIAL_DIGITS):0{_SERIAL_DIGITS}}"


def issue(
    session: Session,
    actor: Actor,
    keyring: Keyring,
    site: Site,
    article: Pass,
    count: int,
    now: datetime,
    note: str = "",
    good_from: datetime | None = None,
) -> list[Issued]:
    """Issue `count` vouchers of a pass at a site, which may be used from `good_from` on.

    Refusal for a free pass, one that gives nothing from then on, or a count that is not 1 to LARGEST_BATCH.
    """
    if not 1 <= count <= LARGEST_BATCH:
        raise WrongUse("bad-count", f"Issue 1 to {LARGEST_BATCH} vouchers at a time.")
    if article.free:
        raise Refusal("pass-is-free", f"{article.name!r} is a free pass: guests take it without a voucher.")
    start = max(now, good_from or now)
    if article.until and article.until <= start:
        raise Refusal("pass-is-over", f"{article.name!r} has ended by then and gives nothing any more.")
    batch = Batch(
        site_id=site.id,
        pass_id=article.id,
        count=count,
        note=note.strip()[:200],
        issued_by=actor.user_id,
        issued_at=now,
    )
    session.add(batch)
    session.flush()
    terms = article.copied_terms()
    good_until = start + timedelta(days=article.good_days)
    issued = []
    for serial, code in zip(_unused_serials(session, count), _unused_codes(session, keyring, count), strict=True):
        voucher = Voucher(
            serial=serial,
            site_id=site.id,
            pass_id=article.id,
            batch_id=batch.id,
            code_hash=keyring.hash(Purpose.CODES, code.value),
            code_ciphertext=keyring.encrypt(Purpose.CODES, code.value),
            good_from=good_from,
            good_until=good_until,
            **terms,
        )
        issued.append(Issued(serial, code, voucher))
    session.add_all(one.voucher for one in issued)
    session.flush()
    detail = f"{count} x {article.slug}"
    subject = f"batch {batch.public_id}"
    audit.record(session, actor, "vouchers issued", subject, now, customer_id=site.customer_id, detail=detail)
    return issued


def _unused_serials(session: Session, count: int) -> list[str]:
    """Serials that no voucher has; the unique constraint catches the rest of the chance."""
    chosen: set[str] = set()
    while len(chosen) < count:
        chosen |= {new_serial() for _ in range(count - len(chosen))}
        chosen -= {
            taken for taken in session.scalars(select(Voucher.serial).where(Voucher.serial.in_(chosen))) if taken
        }
    return list(chosen)


def _unused_codes(session: Session, keyring: Keyring, count: int) -> list[Code]:
    chosen: dict[bytes, Code] = {}
    while len(chosen) < count:
        fresh = (Code.new() for _ in range(count - len(chosen)))
        chosen |= {keyring.hash(Purpose.CODES, code.value): code for code in fresh}
        for taken in session.scalars(select(Voucher.code_hash).where(Voucher.code_hash.in_(chosen))):
            chosen.pop(taken or b"", None)
    return list(chosen.values())


def free_voucher(
    article: Pass, site_id: int, device: bytes, day: date, ends: datetime, taken_before: int = 0
) -> Voucher:
    """The code-less voucher that a device takes with a free pass on a day of the site."""
    return Voucher(
        site_id=site_id,
        pass_id=article.id,
        free_device=device,
        free_day=day,
        free_round=taken_before,
        good_until=ends,
        settled_octets=0,
        settled_seconds=0,
        **article.copied_terms(),
    )


def code_hashes(keyring: Keyring, code: Code) -> list[bytes]:
    """What `Voucher.code_hash` may be for this code."""
    return keyring.hashes(Purpose.CODES, code.value)


def find_by_code(session: Session, keyring: Keyring, code: Code) -> Voucher | None:
    """The voucher with this code, or None."""
    return session.scalar(select(Voucher).where(Voucher.code_hash.in_(code_hashes(keyring, code))))


def find_voucher(session: Session, keyring: Keyring, code_or_serial: str) -> Voucher:
    """The voucher with this code or serial number; NotFound tells a mistyped code from an unknown one."""
    wanted = code_or_serial.strip()
    if wanted.isdecimal() and len(wanted) == _SERIAL_DIGITS:
        found = session.scalar(select(Voucher).where(Voucher.serial == wanted))
        if found is None:
            raise NotFound("no-voucher", "There is no voucher with this serial number.")
        return found
    try:
        found = find_by_code(session, keyring, Code.parse(wanted))
    except Mistyped as error:
        raise NotFound("mistyped", "This is neither a code nor a serial number: check each character.") from error
    if found is None:
        raise NotFound("no-voucher", "There is no voucher with this code.")
    return found


def clear_code(keyring: Keyring, voucher: Voucher) -> Code | None:
    """The code for reprinting; None once the voucher has been used."""
    if voucher.code_ciphertext is None:
        return None
    return Code(keyring.decrypt(Purpose.CODES, voucher.code_ciphertext).decode())


def revoke(session: Session, actor: Actor, voucher: Voucher, customer_id: int, now: datetime) -> None:
    """Make a voucher worthless; the entry point ends its visits in the same transaction. Revoking twice changes nothing."""
    session.refresh(voucher, with_for_update=True)
    if voucher.revoked_at:
        return
    voucher.revoked_at = now
    voucher.code_ciphertext = None
    audit.record(session, actor, "voucher revoked", f"voucher {voucher.public_id}", now, customer_id=customer_id)


def list_vouchers(
    session: Session, site_ids: Sequence[int], *, before: int | None = None, limit: int = 50
) -> list[Voucher]:
    """The sites' vouchers with a code, the newest first, a page at a time: those with an id under `before`."""
    query = select(Voucher).where(Voucher.site_id.in_(site_ids), Voucher.serial.is_not(None))
    if before is not None:
        query = query.where(Voucher.id < before)
    return list(session.scalars(query.order_by(Voucher.id.desc()).limit(limit)))


def count_vouchers(session: Session, site_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """How many vouchers are still unused and good to use, by site."""
    rows = session.execute(
        select(Voucher.site_id, func.count())
        .where(
            Voucher.site_id.in_(site_ids),
            Voucher.serial.is_not(None),
            Voucher.first_used_at.is_(None),
            Voucher.revoked_at.is_(None),
            Voucher.good_until > now,
        )
        .group_by(Voucher.site_id)
    )
    return {row[0]: row[1] for row in rows}
