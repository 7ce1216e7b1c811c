"""Reservations: what a round of admission has granted, written together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from hotspot import bulk
from hotspot.directory import SiteRecord
from hotspot.keys import Keyring
from hotspot.legal import Agreement
from hotspot.place import LoginWay
from sessions.closing import close
from sessions.connection_log import Journal
from sessions.held import HeldVisit, legs_of, write_visits
from sessions.login import Login, Wish
from sessions.outbox import ask_disconnect_ids, change_limits
from sessions.usage import Account
from sessions.visit import CloseCause, Identifiers, VisitState, VoucherDevice, seen_address
from vouchers.admission import Granted
from vouchers.voucher import Voucher

# How long after its interval a reserved place waits for the first accounting.
ACCOUNTING_GRACE = timedelta(seconds=120)
# A volume pass is watched more closely, so that its end is not overshot by much (decision 7).
VOLUME_INTERIM_SECONDS = 60


@dataclass(slots=True)
class Grant:
    """A login that was granted, to be written once all of the round are decided."""

    wish: Wish
    account: Account
    granted: Granted
    visit: HeldVisit


@dataclass(frozen=True, slots=True)
class Closing:
    """A visit that gives way to a grant."""

    visit: HeldVisit
    site: SiteRecord
    cause: CloseCause


@dataclass(frozen=True)
class Reservations:
    """Writes grants and closings in the caller's transaction."""

    session: Session
    keyring: Keyring
    interim_seconds: int
    now: datetime

    def write(self, grants: Sequence[Grant], closings: Sequence[Closing], told: Sequence[HeldVisit]) -> None:
        """Closings first: one device has one running visit at a site, and the index says so at every statement."""
        self._write_closings(closings)
        self._store_free_passes(grants)
        self._start_clocks(grants)
        for grant in grants:
            self._reserve(grant)
        write_visits(self.session, [*(grant.visit for grant in grants), *told])
        self._remember_devices(grants)
        self._share_anew(grants)

    def _write_closings(self, closings: Sequence[Closing]) -> None:
        if not closings:
            return
        legs = legs_of(self.session, {closing.visit.id for closing in closings})
        journal = Journal(self.session)
        for one in closings:
            close(journal, one.site, one.visit, legs[one.visit.id], one.cause, self.now)
        journal.write()
        write_visits(self.session, [one.visit for one in closings])
        replaced = [(one.visit.id, one.visit.nas_id) for one in closings if one.cause is CloseCause.REPLACED]
        ask_disconnect_ids(self.session, replaced, CloseCause.REPLACED, self.now)

    def _store_free_passes(self, grants: Sequence[Grant]) -> None:
        """A free pass that a device takes for the first time today."""
        fresh = [grant.account for grant in grants if grant.account.fresh and not grant.account.id]
        self.session.add_all(account.fresh for account in fresh)
        if fresh:
            self.session.flush()
        for account in fresh:
            account.id = account.fresh.id if account.fresh else 0

    def _start_clocks(self, grants: Sequence[Grant]) -> None:
        """First use; the rows are ours since they were locked, so no other login can start these clocks too."""
        first = {
            grant.account.id: (grant.account.id, self.now, grant.granted.ends_at, None)
            for grant in grants
            if grant.account.facts.first_used_at is None
        }
        columns = ("id", "first_used_at", "ends_at", "code_ciphertext")
        bulk.update(self.session, cast(Table, Voucher.__table__), columns, list(first.values()))

    def _reserve(self, grant: Grant) -> None:
        wish, account, visit = grant.wish, grant.account, grant.visit
        terms, point = account.facts.terms, wish.login.located.access_point
        visit.pass_id = account.pass_id
        visit.voucher_id = account.id
        visit.device = wish.device
        visit.nas_id = wish.login.nas.id
        visit.access_point_id = point.id if point else None
        visit.refusal = None
        visit.interim_seconds = self.interim_seconds if terms.megabytes is None else VOLUME_INTERIM_SECONDS
        visit.is_metered = terms.is_metered
        visit.identifiers = self._identifiers(wish.login, visit).seal(self.keyring)
        visit.address = seen_address(self.keyring, wish.login.nas, wish.login.framed_address) or visit.address
        visit.accepted_at = self.now
        visit.reserved_until = self._reserved_until(wish.login, visit, grant.granted)
        if visit.state is VisitState.ASKED:
            visit.state = VisitState.RESERVED
            visit.reserved_at = self.now

    def _identifiers(self, login: Login, visit: HeldVisit) -> Identifiers:
        """What the request says; the session of a visit that goes on at the same NAS, where it does not say that."""
        session_id = login.acct_session_id
        if session_id is None and visit.state is VisitState.OPEN and visit.identifiers:
            before = Identifiers.unseal(self.keyring, visit.identifiers)
            session_id = before.acct_session_id if before.nas_address == login.nas_address else None
        return Identifiers(
            user_name=login.user_name,
            mac=login.device.value if login.device else "",
            nas_address=login.nas_address,
            acct_session_id=session_id,
            framed_address=login.framed_address,
        )

    def _reserved_until(self, login: Login, visit: HeldVisit, granted: Granted) -> datetime:
        """A NAS never heard accounting would lose its guests' places while they are online (decision 3)."""
        if not login.nas.accounting_heard:
            return self.now + timedelta(seconds=granted.seconds_left)
        return self.now + timedelta(seconds=visit.interim_seconds) + ACCOUNTING_GRACE

    def _remember_devices(self, grants: Sequence[Grant]) -> None:
        """Only where a device can come back by its MAC: elsewhere there is nothing to remember it for."""
        rows = {
            (grant.account.id, grant.wish.device): grant.wish.accepted
            for grant in grants
            if LoginWay.MAC in grant.wish.login.nas.logins
        }
        columns = ("voucher_id", "device", "last_login_at", "promised_at", *Agreement._fields)
        latest = [(*key, self.now, None, *rows[key]) for key in sorted(rows)]
        bulk.put(self.session, cast(Table, VoucherDevice.__table__), columns, latest)

    def _share_anew(self, grants: Sequence[Grant]) -> None:
        """Where a further device has come, what is left of a volume is divided anew: the others are told (decision 7)."""
        last_of = {
            grant.account.id: grant.visit.handle
            for grant in grants
            if grant.account.facts.terms.megabytes is not None and len(grant.account.running) > 1
        }
        for voucher_id, handle in last_of.items():
            change_limits(self.session, voucher_id, self.now, except_handle=handle)
