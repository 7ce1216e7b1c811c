"""Printers that fetch their jobs from us, since a PoP cannot reach into a venue's network: the printers and their queues.

A printer's address holds a random key, of which the database has a keyed hash. A job holds the numbers of vouchers and never a
code: what is printed is made when the printer fetches it, and a voucher that was used meanwhile is not printed.
"""

import enum
import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Integer, LargeBinary, String, Text, and_, delete, false, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified, enum_column
from hotspot.errors import WrongUse
from hotspot.keys import HASH_OCTETS, Keyring, Purpose
from hotspot.place import Site
from vouchers.printing.card import Face
from vouchers.printing.orders import face_of, face_values
from vouchers.voucher import Voucher

KEY_OCTETS = 18
WIDTHS = (58, 80)
MOST_SLIPS = 50
MOST_TRIES = 5
# A printer that has fetched a job and says nothing of it, by when it is given the job again.
SILENCE = timedelta(seconds=60)
# A guest has long gone: what a printer has not fetched by then is not wanted any more.
JOBS_WAIT = timedelta(hours=1)
# So long "print the last again" is there, and a person sees what became of a job.
JOBS_LIVE = timedelta(hours=24)


class PrinterKind(enum.StrEnum):
    """How a printer fetches its jobs."""

    STAR = "star"
    EPSON = "epson"


class JobState(enum.StrEnum):
    """How far a job has come; `dropped` ones were too old when the printer came back."""

    QUEUED = "queued"
    FETCHED = "fetched"
    DONE = "done"
    FAILED = "failed"
    DROPPED = "dropped"


WAITING = (JobState.QUEUED, JobState.FETCHED)


class Printer(Identified, Base):
    """A receipt printer at a site; `width` of its paper in millimetres. `prints_taps`: at once whatever one tap issues."""

    __tablename__ = "printer"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    kind: Mapped[PrinterKind] = mapped_column(enum_column(PrinterKind))
    width: Mapped[int] = mapped_column(Integer)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    prints_taps: Mapped[bool] = mapped_column(default=False, server_default=false())
    retired_at: Mapped[datetime | None]


class PrintJob(Identified, Base):
    """What a printer is to print; without vouchers it is a test."""

    __tablename__ = "print_job"

    printer_id: Mapped[int] = mapped_column(ForeignKey("printer.id"), index=True)
    requested_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    vouchers: Mapped[str] = mapped_column(Text)
    face: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(Integer, default=0)
    trouble: Mapped[str] = mapped_column(String(60), default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime] = mapped_column(index=True)

    @property
    def voucher_ids(self) -> list[int]:
        """The vouchers to print."""
        found: list[int] = json.loads(self.vouchers)
        return found

    @property
    def looks(self) -> Face:
        """The texts of the slips."""
        return face_of(json.loads(self.face))


def add_printer(
    session: Session,
    actor: Actor,
    keyring: Keyring,
    site: Site,
    name: str,
    kind: PrinterKind,
    width: int,
    now: datetime,
) -> tuple[Printer, str]:
    """Add a printer to a site; the key in its address is told this once."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60:
        raise WrongUse("bad-name", "A printer has a name of 1 to 60 characters.")
    if width not in WIDTHS:
        raise WrongUse("bad-width", "Paper is 58 or 80 mm wide.")
    key = secrets.token_urlsafe(KEY_OCTETS)
    printer = Printer(
        site_id=site.id, name=name, kind=kind, width=width, key_hash=_hash(keyring, key), created_at=now
    )  # fmt: skip
    session.add(printer)
    session.flush()
    subject = f"printer {printer.public_id}"
    audit.record(session, actor, "printer added", subject, now, customer_id=site.customer_id, detail=kind.value)
    return printer, key


def retire_printer(session: Session, actor: Actor, printer: Printer, customer_id: int, now: datetime) -> None:
    """Take a printer away: its address is nobody's any more, and what waits for it is dropped."""
    if printer.retired_at:
        return
    printer.retired_at = now
    for job in session.scalars(select(PrintJob).where(PrintJob.printer_id == printer.id, PrintJob.state.in_(WAITING))):
        job.state, job.changed_at = JobState.DROPPED, now
    audit.record(session, actor, "printer removed", f"printer {printer.public_id}", now, customer_id=customer_id)


def print_taps(session: Session, actor: Actor, printer: Printer, customer_id: int, on: bool, now: datetime) -> None:
    """Have a printer print at once what is issued with one tap, or no more."""
    printer.prints_taps = on
    subject, detail = f"printer {printer.public_id}", f"prints taps: {'yes' if on else 'no'}"
    audit.record(session, actor, "printer changed", subject, now, customer_id=customer_id, detail=detail)


def printers_at(session: Session, site_id: int) -> list[Printer]:
    """The printers of a site, in the order they were added."""
    query = select(Printer).where(Printer.site_id == site_id, Printer.retired_at.is_(None))
    return list(session.scalars(query.order_by(Printer.id)))


def find_by_key(session: Session, keyring: Keyring, key: str, kind: PrinterKind) -> Printer | None:
    """The printer whose address this is."""
    if not 1 <= len(key) <= 64:
        return None
    hashes = keyring.hashes(Purpose.SECRETS, "printer", key)
    query = select(Printer).join(Site, Site.id == Printer.site_id)
    alive = Printer.retired_at.is_(None), Site.retired_at.is_(None)
    return session.scalar(query.where(Printer.key_hash.in_(hashes), Printer.kind == kind, *alive))


def _hash(keyring: Keyring, key: str) -> bytes:
    return keyring.hash(Purpose.SECRETS, "printer", key)


def send(
    session: Session, actor: Actor, printer: Printer, voucher_ids: Sequence[int], face: Face, now: datetime
) -> PrintJob:
    """Have a printer print slips; without vouchers a test. WrongUse for more than MOST_SLIPS."""
    if len(voucher_ids) > MOST_SLIPS:
        raise WrongUse("too-many-slips", f"A receipt printer prints {MOST_SLIPS} at a time at most.")
    texts = json.dumps(face_values(face), ensure_ascii=False)
    return _queue(session, actor, printer, json.dumps([*voucher_ids]), texts, now)


def _queue(session: Session, actor: Actor, printer: Printer, vouchers: str, face: str, now: datetime) -> PrintJob:
    job = PrintJob(
        printer_id=printer.id, requested_by=actor.user_id, state=JobState.QUEUED, vouchers=vouchers, face=face,
        created_at=now, changed_at=now,
    )  # fmt: skip
    session.add(job)
    session.flush()
    return job


def send_again(session: Session, actor: Actor, printer: Printer, now: datetime) -> PrintJob | None:
    """Have a printer print its last slips once more, as after a jam; None when there were none."""
    last = select(PrintJob).where(PrintJob.printer_id == printer.id, PrintJob.vouchers != "[]")
    job = session.scalar(last.order_by(PrintJob.id.desc()).limit(1))
    return _queue(session, actor, printer, job.vouchers, job.face, now) if job else None


def record_again(session: Session, actor: Actor, job: PrintJob, customer_id: int, now: datetime) -> None:
    """Note in the audit record what is printed once more."""
    for public_id in session.scalars(select(Voucher.public_id).where(Voucher.id.in_(job.voucher_ids))):
        audit.record(
            session, actor, "voucher printed", f"voucher {public_id}", now, customer_id=customer_id, detail="again"
        )


def latest_jobs(session: Session, printer_ids: Sequence[int], limit: int = 20) -> list[PrintJob]:
    """The latest jobs of these printers, the newest first."""
    query = select(PrintJob).where(PrintJob.printer_id.in_(printer_ids))
    return list(session.scalars(query.order_by(PrintJob.id.desc()).limit(limit)))


def next_job(session: Session, printer: Printer, now: datetime) -> PrintJob | None:
    """What the printer is to print now; the same again while it has not said what became of it."""
    silent = and_(PrintJob.state == JobState.FETCHED, PrintJob.changed_at < now - SILENCE)
    waits = or_(PrintJob.state == JobState.QUEUED, silent)
    fresh = PrintJob.created_at >= now - JOBS_WAIT
    query = select(PrintJob).where(PrintJob.printer_id == printer.id, waits, fresh, PrintJob.tries < MOST_TRIES)
    return session.scalar(query.order_by(PrintJob.id).limit(1))


def job_of(session: Session, printer: Printer, public_id: str) -> PrintJob | None:
    """A job of this printer that waits or was fetched, by the name the printer was told."""
    query = select(PrintJob).where(PrintJob.printer_id == printer.id, PrintJob.state.in_(WAITING))
    return session.scalar(query.where(PrintJob.public_id == public_id) if public_id else query.order_by(PrintJob.id))


def fetched_job(session: Session, printer: Printer, public_id: str) -> PrintJob | None:
    """What this printer was given by that name, or where it names none what it was given last; None once its end is known."""
    query = select(PrintJob).where(PrintJob.printer_id == printer.id, PrintJob.state == JobState.FETCHED)
    named = query.where(PrintJob.public_id == public_id) if public_id else query
    return session.scalar(named.order_by(PrintJob.changed_at.desc(), PrintJob.id.desc()).limit(1))


def note_fetched(job: PrintJob, now: datetime) -> None:
    """The printer has been given the job."""
    job.state, job.changed_at = JobState.FETCHED, now
    job.tries += 1


def note_ended(job: PrintJob, trouble: str, now: datetime) -> None:
    """What the printer says of a job: an empty `trouble` is success; else it is tried again, MOST_TRIES times in all."""
    job.changed_at, job.trouble = now, trouble[:60]
    if not trouble:
        job.state = JobState.DONE
    else:
        job.state = JobState.QUEUED if job.tries < MOST_TRIES else JobState.FAILED


def give_up(job: PrintJob, trouble: str, now: datetime) -> None:
    """There is no use in trying any more."""
    job.state, job.trouble, job.changed_at = JobState.FAILED, trouble, now


def drop_old(session: Session, now: datetime) -> int:
    """Give up what no printer has fetched for an hour, and delete what is a day old; returns how many were given up."""
    session.execute(delete(PrintJob).where(PrintJob.changed_at < now - JOBS_LIVE))
    late = select(PrintJob).where(PrintJob.state.in_(WAITING), PrintJob.created_at < now - JOBS_WAIT)
    jobs = session.scalars(late).all()
    for job in jobs:
        job.state, job.changed_at = JobState.DROPPED, now
    return len(jobs)
