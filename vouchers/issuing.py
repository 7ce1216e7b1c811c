"""Issuing vouchers: a few at once, or a large batch bit by bit."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from hotspot import audit, bulk
from hotspot.audit import Actor
from hotspot.database import new_public_id
from hotspot.errors import Refusal, WrongUse
from hotspot.keys import Keyring, Purpose
from hotspot.place import Site
from vouchers.announcing import announce_issued
from vouchers.codes import Code
from vouchers.ledger import note_issued
from vouchers.passes import TO_THIRD_YEAR, Clock, Pass, TermsColumns
from vouchers.voucher import SERIAL_DIGITS, Batch, Voucher, not_begun

LARGEST_BATCH = 10_000
# What one transaction issues: on SQLite nobody else, and no login, can be written meanwhile.
CHUNK = 500
# As long as a pass may be good; nobody plans further ahead.
FURTHEST = timedelta(days=3660)


@dataclass(frozen=True)
class Order:
    """What is to be issued: `count` vouchers of a pass, to be used first between `good_from` and `good_until`.

    `until` is when they end whatever the pass says, as on a guest's departure. `inactive` ones have to be switched on.
    """

    article: Pass
    count: int = 1
    note: str = ""
    good_from: datetime | None = None
    good_until: datetime | None = None
    until: datetime | None = None
    inactive: bool = False


@dataclass(frozen=True, repr=False)
class Issued:
    """A voucher just issued, with its code in clear."""

    serial: str
    code: Code
    voucher: Voucher


def new_serial() -> str:
    """A random serial number that staff can read out: nine digits, no secret."""
    return f"{secrets.randbelow(10**SERIAL_DIGITS):0{SERIAL_DIGITS}}"


def issue(session: Session, actor: Actor, keyring: Keyring, site: Site, order: Order, now: datetime) -> list[Issued]:
    """Issue all that is ordered in the caller's transaction.

    Refusal for a free pass, one that gives nothing from then on, dates that exclude each other, or a count that is not 1 to
    LARGEST_BATCH.
    """
    batch = open_batch(session, actor, keyring, site, order, now)
    while batch.is_unfinished:
        issue_more(session, keyring, batch)
    return [
        Issued(
            voucher.serial or "", Code(keyring.decrypt(Purpose.CODES, voucher.code_ciphertext or b"").decode()), voucher
        )
        for voucher in session.scalars(select(Voucher).where(Voucher.batch_id == batch.id).order_by(Voucher.id))
    ]


def open_batch(session: Session, actor: Actor, keyring: Keyring, site: Site, order: Order, now: datetime) -> Batch:
    """Begin a batch and issue its first CHUNK; `issue_more` issues the rest, in further transactions if it is large.

    Refusal as for `issue`.
    """
    shared = _terms(order, now)
    shared |= _dates(order, shared["until"], ZoneInfo(site.timezone), now)
    batch = Batch(
        site_id=site.id,
        pass_id=order.article.id,
        count=order.count,
        issued=0,
        note=order.note.strip()[:200],
        issued_by=actor.user_id,
        issued_at=now,
        inactive=order.inactive,
        good_days=order.article.good_days if order.inactive and not order.good_until else None,
    )
    session.add(batch)
    session.flush()
    _insert(session, keyring, batch, shared, min(order.count, CHUNK))
    note_issued(session, actor, batch, shared, order.count, now)
    detail = f"{order.count} x {order.article.slug}{', inactive' if order.inactive else ''}"
    subject = f"batch {batch.public_id}"
    audit.record(session, actor, "vouchers issued", subject, now, customer_id=site.customer_id, detail=detail)
    return batch


def issue_like(
    session: Session, actor: Actor, keyring: Keyring, old: Voucher, shared: dict[str, object], note: str, now: datetime
) -> Batch:
    """Issue one voucher of the same pass as `old` with the terms and dates `shared`, as a batch of its own.

    The sales ledger is the caller's to write: the till is held last.
    """
    batch = Batch(
        site_id=old.site_id, pass_id=old.pass_id, count=1, issued=0, note=note, issued_by=actor.user_id, issued_at=now
    )
    session.add(batch)
    session.flush()
    _insert(session, keyring, batch, shared, 1)
    return batch


def last_moment(start: datetime, good_days: int, zone: ZoneInfo) -> datetime:
    """Until when vouchers may be used first that are good from `start` for so many days, or TO_THIRD_YEAR."""
    if good_days != TO_THIRD_YEAR:
        return start + timedelta(days=good_days)
    return datetime(start.astimezone(zone).year + 4, 1, 1, tzinfo=zone).astimezone(UTC)


def issue_more(session: Session, keyring: Keyring, batch: Batch) -> int:
    """Issue the next CHUNK of a batch, with the terms of those before; returns how many, 0 once there is nothing left to do."""
    # Race: two who go on with one batch, or one of whom cancels it, come one after the other.
    session.refresh(batch, with_for_update=True)
    if not batch.is_unfinished:
        return 0
    before = session.scalars(
        # One that nobody has changed since.
        select(Voucher).where(Voucher.batch_id == batch.id).order_by(Voucher.changes, Voucher.id).limit(1)
    ).one()
    shared = before.copied_terms() | {"good_from": before.good_from, "good_until": before.good_until}
    count = min(batch.count - batch.issued, CHUNK)
    _insert(session, keyring, batch, shared, count)
    return count


def _terms(order: Order, now: datetime) -> dict[str, Any]:
    """The terms of the pass, with the end that was agreed at the desk."""
    article = order.article
    if not 1 <= order.count <= LARGEST_BATCH:
        raise WrongUse("bad-count", f"Issue 1 to {LARGEST_BATCH} vouchers at a time.")
    if article.free:
        raise Refusal("pass-is-free", f"{article.name!r} is a free pass: guests take it without a voucher.")
    if article.until and article.until <= max(now, order.good_from or now):
        raise Refusal("pass-is-over", f"{article.name!r} has ended by then and gives nothing any more.")
    terms = article.copied_terms()
    if order.until is None:
        return terms
    if not max(now, order.good_from or now) < order.until <= now + FURTHEST:
        raise Refusal("bad-until", "The end has to lie in the future, and after the day from which it is good.")
    ends = min(order.until, article.until or order.until)
    # Minutes online stay what they are; whatever else counts time gives way to the end.
    own = {} if article.clock is Clock.ONLINE else {"clock": Clock.UNTIL, "minutes": None}
    return terms | own | {"until": ends}


def _dates(order: Order, until: datetime | None, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    start, furthest = max(now, order.good_from or now), now + 2 * FURTHEST
    # Of a day at the end of all dates nothing is reckoned.
    good_until = order.good_until or last_moment(min(start, furthest), order.article.good_days, zone)
    if not start < good_until or max(start, good_until) > furthest:
        raise Refusal(
            "bad-dates", "They have to be good for a time that has not passed, and at most twenty years ahead."
        )
    if order.inactive and not order.good_until:
        good_until = not_begun(until)
    return {"good_from": order.good_from, "good_until": min(good_until, order.until or good_until)}


_SHARED = ("good_from", "good_until", *TermsColumns.__annotations__)
_COLUMNS = (
    *("public_id", "serial", "site_id", "pass_id", "batch_id", "code_hash", "code_ciphertext", "free_round"),
    *("settled_octets", "settled_seconds", "note", "inactive", "changes", *_SHARED),
)


def _insert(session: Session, keyring: Keyring, batch: Batch, shared: dict[str, Any], count: int) -> None:
    """Many rows in one statement: ten thousand take a second, and not ten."""
    codes, serials = _unused_codes(session, keyring, count), _unused_serials(session, count)
    same = tuple(shared[name] for name in _SHARED)
    rows = [
        (new_public_id(), serial, batch.site_id, batch.pass_id, batch.id, code_hash,
         keyring.encrypt(Purpose.CODES, code.value), 0, 0, 0, "", bool(batch.inactive), 0, *same)
        for serial, (code_hash, code) in zip(serials, codes.items(), strict=True)
    ]  # fmt: skip
    bulk.insert(session, cast(Table, Voucher.__table__), _COLUMNS, rows)
    batch.issued += count
    session.flush()
    if not batch.is_unfinished:
        announce_issued(session, batch, str(shared["name"]))


def _unused_serials(session: Session, count: int) -> Sequence[str]:
    """Serials that no voucher has; the unique constraint catches the rest of the chance."""
    chosen: set[str] = set()
    while len(chosen) < count:
        chosen |= {new_serial() for _ in range(count - len(chosen))}
        chosen -= {
            taken for taken in session.scalars(select(Voucher.serial).where(Voucher.serial.in_(chosen))) if taken
        }
    return list(chosen)


def _unused_codes(session: Session, keyring: Keyring, count: int) -> dict[bytes, Code]:
    """Codes that no voucher has, by their hashes."""
    chosen: dict[bytes, Code] = {}
    while len(chosen) < count:
        fresh = (Code.new() for _ in range(count - len(chosen)))
        chosen |= {keyring.hash(Purpose.CODES, code.value): code for code in fresh}
        for taken in session.scalars(select(Voucher.code_hash).where(Voucher.code_hash.in_(chosen))):
            chosen.pop(taken or b"", None)
    return chosen


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
