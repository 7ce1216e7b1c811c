"""Large prints, made outside of any request: a row says who wants what, how far it is, and holds the file, encrypted.

Whoever makes them claims a row and says again and again that it is at work: a row of one that died is claimed anew.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, Integer, LargeBinary, String, Text, and_, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified, enum_column
from hotspot.errors import Refusal
from hotspot.keys import Keyring, Purpose
from hotspot.place import Site
from vouchers.printing.orders import Order
from vouchers.voucher import Batch

# It holds codes in clear, which may be used any time: nobody needs it for longer than a jam of paper takes.
FILES_LIVE = timedelta(hours=1)
# Who makes one says so every second or two.
SILENCE = timedelta(seconds=60)
MOST_WAITING = 5
MOST_TRIES = 3

# How the audit record calls codes on paper, and on a page or in an answer.
PRINTED = "vouchers printed"
SHOWN = "codes shown"


class FileState(enum.StrEnum):
    """How far a print has come."""

    QUEUED = "queued"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING = (FileState.QUEUED, FileState.WORKING)


class PrintFile(Identified, Base):
    """A print of a batch for one user, who alone may fetch it."""

    __tablename__ = "print_file"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"))
    state: Mapped[FileState] = mapped_column(enum_column(FileState))
    total: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer, default=0)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    order: Mapped[str] = mapped_column("print_order", Text)
    # Whose work it is: a random word of the one at work.
    worker: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[datetime]
    heard_at: Mapped[datetime] = mapped_column(index=True)


class PrintFileBody(Base):
    """The file of a print, encrypted."""

    __tablename__ = "print_file_body"

    file_id: Mapped[int] = mapped_column(ForeignKey("print_file.id", ondelete="CASCADE"), primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True)
class Claimed:
    """A print to be made; its order is not parsed yet: one that cannot be is to fail as that print, not as the claim."""

    file_id: int
    batch_id: int
    site_id: int
    order: str


def order_file(
    session: Session, actor: Actor, user_id: int, site: Site, batch: Batch, order: Order, total: int, now: datetime
) -> PrintFile:
    """Have a batch printed into a file; Refusal while the user waits for too many others."""
    waiting = session.scalars(select(PrintFile.id).where(PrintFile.user_id == user_id, PrintFile.state.in_(WAITING)))
    if len(waiting.all()) >= MOST_WAITING:
        raise Refusal("too-many-prints", f"{MOST_WAITING} prints are being made for you already.")
    file = PrintFile(
        user_id=user_id, site_id=site.id, batch_id=batch.id, state=FileState.QUEUED, total=total, order=order.text(),
        created_at=now, heard_at=now,
    )  # fmt: skip
    session.add(file)
    session.flush()
    record_print(session, actor, site, batch, total, now)
    return file


def record_print(
    session: Session, actor: Actor, site: Site, batch: Batch, count: int, now: datetime, entry: str = PRINTED
) -> None:
    """Note in the audit record that codes of a batch were printed, or shown, and how many."""
    subject, detail = f"batch {batch.public_id}", f"{count} x"
    audit.record(session, actor, entry, subject, now, customer_id=site.customer_id, detail=detail)


def has_work(session: Session, now: datetime) -> bool:
    """Whether a print waits to be made."""
    return session.scalar(select(PrintFile.id).where(_claimable(now)).limit(1)) is not None


def _claimable(now: datetime) -> ColumnElement[bool]:
    left = and_(PrintFile.state == FileState.WORKING, PrintFile.heard_at < now - SILENCE)
    return or_(PrintFile.state == FileState.QUEUED, left)


def give_up(session: Session, now: datetime) -> int:
    """Give up what no worker could finish in MOST_TRIES, and each has died of; returns how many."""
    spent = update(PrintFile).where(_claimable(now), PrintFile.tries >= MOST_TRIES)
    return len(session.scalars(spent.values(state=FileState.FAILED).returning(PrintFile.id)).all())


def claim(session: Session, worker: str, now: datetime) -> Claimed | None:
    """Take the print that has waited longest, of those that are not given up."""
    file = session.scalar(
        select(PrintFile).where(_claimable(now)).order_by(PrintFile.id).limit(1).with_for_update(skip_locked=True)
    )
    if file is None:
        return None
    file.state, file.worker, file.heard_at, file.done = FileState.WORKING, worker, now, 0
    file.tries += 1
    return Claimed(file.id, file.batch_id, file.site_id, file.order)


def report(session: Session, claimed: Claimed, worker: str, done: int, now: datetime) -> bool:
    """Say how far a print is; False when it is not this worker's any more, since somebody has cancelled it."""
    return _move(session, claimed.file_id, worker, done=done, heard_at=now)


def finish(session: Session, keyring: Keyring, claimed: Claimed, worker: str, body: bytes, now: datetime) -> bool:
    """Keep the file; False when nobody waits for it any more."""
    if not _move(session, claimed.file_id, worker, state=FileState.DONE, heard_at=now):
        return False
    session.add(PrintFileBody(file_id=claimed.file_id, ciphertext=keyring.encrypt(Purpose.SECRETS, body)))
    return True


def give_back(session: Session, claimed: Claimed, worker: str) -> None:
    """Let another make it, as when the worker is told to stop; that was no try."""
    _move(session, claimed.file_id, worker, state=FileState.QUEUED, tries=PrintFile.tries - 1)


def fail(session: Session, claimed: Claimed, worker: str, now: datetime) -> None:
    """It cannot be made."""
    _move(session, claimed.file_id, worker, state=FileState.FAILED, heard_at=now)


def _move(session: Session, file_id: int, worker: str, **values: object) -> bool:
    """Race: it may have been cancelled meanwhile, or claimed by another."""
    mine = PrintFile.id == file_id, PrintFile.worker == worker, PrintFile.state == FileState.WORKING
    return session.scalar(update(PrintFile).where(*mine).values(**values).returning(PrintFile.id)) is not None


def cancel(session: Session, file: PrintFile) -> None:
    """End a print that is not finished, or throw its file away."""
    session.execute(update(PrintFile).where(PrintFile.id == file.id).values(state=FileState.CANCELLED))
    session.execute(delete(PrintFileBody).where(PrintFileBody.file_id == file.id))


def body_of(session: Session, keyring: Keyring, file: PrintFile) -> bytes | None:
    """The PDF, while it is kept."""
    ciphertext = session.scalar(select(PrintFileBody.ciphertext).where(PrintFileBody.file_id == file.id))
    return keyring.decrypt(Purpose.SECRETS, ciphertext) if ciphertext else None


def forget_old(session: Session, now: datetime) -> int:
    """Delete what nobody has touched for an hour, files and rows; returns how many."""
    old = select(PrintFile.id).where(PrintFile.heard_at < now - FILES_LIVE)
    session.execute(delete(PrintFileBody).where(PrintFileBody.file_id.in_(old)))
    query = delete(PrintFile).where(PrintFile.heard_at < now - FILES_LIVE).returning(PrintFile.id)
    return len(session.scalars(query).all())
