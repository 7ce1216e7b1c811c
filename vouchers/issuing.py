"""Issuing vouchers."""

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.errors import Refusal, WrongUse
from hotspot.keys import Keyring, Purpose
from hotspot.place import Site
from vouchers.codes import Code
from vouchers.passes import Pass
from vouchers.voucher import SERIAL_DIGITS, Batch, Voucher

LARGEST_BATCH = 10_000


@dataclass(frozen=True, repr=False)
class Issued:
    """A voucher just issued, with its code in clear."""

    serial: str
    code: Code
    voucher: Voucher


def new_serial() -> str:
    """A random serial number that staff can read out: nine digits, no secret."""
    return f"{secrets.randbelow(10**SERIAL_DIGITS):0{SERIAL_DIGITS}}"


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
