"""Visits that the portal keeps itself, for gateways that speak no RADIUS: admitted, told to the gateway, and accounted.

Admission, accounting and house-keeping are those of all visits; only the messages differ. Such a gateway asks every few
seconds whom to let in, and calls each guest by a name of its own, which stands for Acct-Session-Id here.
"""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from hotspot.directory import Directory, Located, NasRecord
from hotspot.keys import Keyring, Purpose
from hotspot.mac import Mac
from sessions.accounting import account
from sessions.admit import Outcome, admit
from sessions.asking import Asked
from sessions.held import VISIT, HeldLeg, HeldVisit, legs_of
from sessions.login import Login
from sessions.orders import read_identifiers
from sessions.records import Record, Status
from sessions.usage import accounts_by_id
from sessions.visit import Identifiers, Visit, is_counted
from vouchers.admission import DeviceFacts, Granted, PlaceFacts, decide

# Taken for an accounting interval: a visit is written down this often, and three times as long without a word is silence.
REPORT_SECONDS = 60
# A gateway that only polls keeps its visits alive; one that reports is sooner than this.
POLLS_COUNT_AFTER = timedelta(seconds=90)
# How long a gateway may take to let in a guest; by then the guest has given up.
TAKEN_WITHIN = timedelta(seconds=120)


class Progress(enum.Enum):
    """Whether a gateway has let in a guest whom the portal has admitted."""

    WAITING = 1
    TAKEN = 2
    NOT_TAKEN = 3


@dataclass(frozen=True, slots=True, repr=False)
class Kept:
    """A running visit at a gateway, what names it there, and its accounting session once the gateway has let the guest in."""

    visit: HeldVisit
    told: Identifiers
    leg: HeldLeg | None

    @property
    def name(self) -> str:
        """The gateway's name for the guest."""
        return self.told.acct_session_id or ""

    @property
    def is_shown(self) -> bool:
        """Whether more was heard of the guest than the gateway's unsigned word that it let the guest in."""
        return self.leg is not None and self.leg.last_heard_at > self.leg.started_at

    def is_let_in(self, nas: NasRecord) -> bool:
        """Whether the guest is in: by a signed report where the gateway has ever sent one, else by its unsigned word."""
        return self.is_shown if nas.reports_heard else self.leg is not None

    def record(self, nas: NasRecord, status: Status, now: datetime, octets: tuple[int, int] = (0, 0)) -> Record:
        """What the gateway says of the visit as an accounting record; `octets` from and to the guest."""
        begun = self.leg.started_at if self.leg else self.visit.accepted_at or now
        return Record(
            nas=nas,
            status=status,
            at=now,
            acct_session_id=self.name,
            handle=self.visit.handle,
            user_name=self.visit.handle,
            device=Mac.parse(self.told.mac),
            seconds=max(0, int((now - begun).total_seconds())),
            octets_from_guest=octets[0],
            octets_to_guest=octets[1],
        )


@dataclass(frozen=True, repr=False)
class Entry:
    """A guest to let in: the gateway's name for the guest, and the limits; `acknowledged`: unsigned, so perhaps not let in."""

    name: str
    granted: Granted
    acknowledged: bool


@dataclass(frozen=True)
class _Ticket:
    """The ticket of a guest whose gateway asks nobody: it does not leave the portal."""

    ticket: str

    def matches(self, candidate: str) -> bool:
        return candidate == self.ticket


def let_in(
    session: Session,
    keyring: Keyring,
    nas: NasRecord,
    located: Located,
    asked: Asked,
    device: Mac,
    name: str,
    now: datetime,
) -> Outcome:
    """Decide on a visit that was asked for in the same write transaction, and reserve its place.

    As with `admit`, IntegrityError, a deadlock or Overtaken means: roll back, and do all of it again.
    """
    login = Login(nas, located, asked.handle, _Ticket(asked.ticket), device, nas_address="", acct_session_id=name)
    (outcome,) = admit(session, keyring, [login], REPORT_SECONDS, now)
    return outcome


def to_let_in(session: Session, keyring: Keyring, directory: Directory, nas: NasRecord, now: datetime) -> list[Entry]:
    """The guests whom the gateway has still to let in, the first come first."""
    recent = Visit.accepted_at > now - TAKEN_WITHIN
    waiting = [kept for kept in load_kept(session, keyring, nas, recent) if not kept.is_let_in(nas)]
    accounts = accounts_by_id(session, {kept.visit.voucher_id for kept in waiting if kept.visit.voucher_id}, now)
    entries = []
    for kept in sorted(waiting, key=lambda one: one.visit.accepted_at or now):
        site, found = directory.sites.get(kept.visit.site_id), accounts.get(kept.visit.voucher_id or 0)
        if site and found and kept.visit.device:
            device, place = DeviceFacts(kept.visit.device, returns=True), PlaceFacts(site, capacity=0, occupied=0)
            decision = decide(found.facts, found.usage, device, place, now, least_seconds=1)
            if isinstance(decision, Granted):
                entries.append(Entry(kept.name, decision, acknowledged=kept.leg is not None))
    return entries


def begin(
    session: Session, keyring: Keyring, directory: Directory, nas: NasRecord, names: Collection[str], now: datetime
) -> None:
    """The gateway has let in the guests whom it calls so: their visits begin."""
    found = load_kept(session, keyring, nas, Visit.accepted_at > now - TAKEN_WITHIN)
    begun = [kept.record(nas, Status.START, now) for kept in found if kept.name in names and kept.leg is None]
    if begun:
        account(session, keyring, directory, begun, now)


def unheard(session: Session, keyring: Keyring, nas: NasRecord, now: datetime) -> list[Record]:
    """What a gateway that polls and does not report says by polling: the visits that go on, where that is worth a record.

    Guests whom it may still have to let in are not among them: no poll shows that they are in.
    """
    return [
        kept.record(nas, Status.INTERIM_UPDATE, now)
        for kept in load_kept(session, keyring, nas, Visit.accepted_at <= now - TAKEN_WITHIN)
        if kept.leg and kept.leg.last_heard_at < now - POLLS_COUNT_AFTER
    ]


def progress_of(session: Session, keyring: Keyring, visit: Visit, now: datetime) -> Progress:
    """How far the gateway is with the guest of a running visit."""
    told = read_identifiers(keyring, visit.identifiers, visit.id)
    if told is None or visit.accepted_at is None or _leg_of(keyring, told, legs_of(session, [visit.id])[visit.id]):
        return Progress.TAKEN
    return Progress.WAITING if now < visit.accepted_at + TAKEN_WITHIN else Progress.NOT_TAKEN


def load_kept(session: Session, keyring: Keyring, nas: NasRecord, *conditions: ColumnElement[bool]) -> list[Kept]:
    """The running visits of a gateway, as they stand; nothing is held."""
    query = select(*VISIT).where(Visit.site_id == nas.site_id, is_counted(), Visit.nas_id == nas.id, *conditions)
    visits = [HeldVisit(*row) for row in session.execute(query)]
    return with_legs(session, keyring, visits)


def with_legs(session: Session, keyring: Keyring, visits: Collection[HeldVisit]) -> list[Kept]:
    """Visits with what names them at their gateway; those whose names are erased are left out."""
    legs: Mapping[int, list[HeldLeg]] = legs_of(session, [visit.id for visit in visits])
    named = ((visit, read_identifiers(keyring, visit.identifiers, visit.id)) for visit in visits)
    return [Kept(visit, told, _leg_of(keyring, told, legs[visit.id])) for visit, told in named if told and told.mac]


def _leg_of(keyring: Keyring, told: Identifiers, legs: Collection[HeldLeg]) -> HeldLeg | None:
    """The accounting session that these identifiers name."""
    names = keyring.hashes(Purpose.SESSIONS, told.acct_session_id or "")
    return max((leg for leg in legs if leg.session in names), key=lambda leg: leg.ordinal, default=None)
