"""Reservations: what a round of admission has granted, written together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from hotspot.keys import Keyring
from sessions.login import Login, Wish
from sessions.usage import Account
from sessions.visit import CloseCause, Identifiers, Leg, Visit, VisitState, VoucherDevice, ask_disconnect, close
from vouchers.admission import Granted

# How long after its interval a reserved place waits for the first accounting.
ACCOUNTING_GRACE = timedelta(seconds=120)
# A volume pass is watched more closely, so that its end is not overshot by much (decision 7).
VOLUME_INTERIM_SECONDS = 60


@dataclass
class Grant:
    """A login that was granted, to be written once all of the round are decided."""

    wish: Wish
    account: Account
    granted: Granted
    visit: Visit


@dataclass(frozen=True)
class Closing:
    """A visit that gives way to a grant."""

    visit: Visit
    site: SiteRecord
    cause: CloseCause


@dataclass(frozen=True)
class Reservations:
    """Writes grants and closings in the caller's transaction."""

    session: Session
    keyring: Keyring
    interim_seconds: int
    now: datetime

    def write(self, grants: Sequence[Grant], closings: Sequence[Closing]) -> None:
        """Closings first: one device has one running visit at a site, and the index says so at every statement."""
        self._write_closings(closings)
        self.session.add_all(grant.account.voucher for grant in grants if grant.account.voucher.id is None)
        self.session.flush()
        for grant in grants:
            self._start_clock(grant)
            self._reserve(grant)
        self.session.flush()
        self._remember_devices(grants)

    def _write_closings(self, closings: Sequence[Closing]) -> None:
        if not closings:
            return
        legs: dict[int, list[Leg]] = {}
        ids = [closing.visit.id for closing in closings]
        for leg in self.session.scalars(select(Leg).where(Leg.visit_id.in_(ids))):
            legs.setdefault(leg.visit_id, []).append(leg)
        for one in closings:
            close(self.session, one.site, one.visit, legs.get(one.visit.id, ()), one.cause, self.now)
        replaced = [one.visit for one in closings if one.cause is CloseCause.REPLACED]
        ask_disconnect(self.session, replaced, CloseCause.REPLACED, self.now)
        self.session.flush()

    def _start_clock(self, grant: Grant) -> None:
        """First use; the row is ours since it was locked, so no other login can start this clock too."""
        voucher = grant.account.voucher
        if voucher.first_used_at is None:
            voucher.first_used_at = self.now
            voucher.ends_at = grant.granted.ends_at
            voucher.code_ciphertext = None

    def _reserve(self, grant: Grant) -> None:
        wish, voucher, visit = grant.wish, grant.account.voucher, grant.visit
        self.session.add(visit)
        visit.pass_id = voucher.pass_id
        point = wish.login.located.access_point
        visit.voucher_id = voucher.id
        visit.device = wish.device
        visit.nas_id = wish.login.nas.id
        visit.access_point_id = point.id if point else None
        visit.refusal = None
        visit.interim_seconds = VOLUME_INTERIM_SECONDS if voucher.megabytes is not None else self.interim_seconds
        visit.identifiers = _identifiers(wish.login).seal(self.keyring)
        visit.last_heard_at = self.now
        if visit.state is not VisitState.OPEN:
            visit.state = VisitState.RESERVED
            visit.reserved_at = self.now
            visit.reserved_until = self._reserved_until(wish.login, visit, grant.granted)

    def _reserved_until(self, login: Login, visit: Visit, granted: Granted) -> datetime:
        """A NAS never heard accounting would lose its guests' places while they are online (decision 3)."""
        if not login.nas.accounting_heard:
            return self.now + timedelta(seconds=granted.seconds_left)
        return self.now + timedelta(seconds=visit.interim_seconds) + ACCOUNTING_GRACE

    def _remember_devices(self, grants: Sequence[Grant]) -> None:
        if not grants:
            return
        insert = postgresql.insert if self.session.get_bind().dialect.name == "postgresql" else sqlite.insert
        rows = {(grant.account.voucher.id, grant.wish.device) for grant in grants}
        fresh = insert(VoucherDevice).values(
            [{"voucher_id": id, "device": device, "last_login_at": self.now} for id, device in sorted(rows)]
        )
        keys = [VoucherDevice.voucher_id, VoucherDevice.device]
        latest = {"last_login_at": fresh.excluded.last_login_at}
        self.session.execute(fresh.on_conflict_do_update(index_elements=keys, set_=latest))


def _identifiers(login: Login) -> Identifiers:
    return Identifiers(
        user_name=login.user_name,
        mac=login.device.value if login.device else "",
        nas_address=login.nas_address,
        framed_address=login.framed_address,
    )
