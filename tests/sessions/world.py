"""A PoP in small for the tests of visits: guests log in, NAS account, time passes, the house is kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deploy.housekeeper import do_round
from hotspot import limits
from hotspot.database import Database
from hotspot.directory import Directory
from hotspot.keys import Keyring
from hotspot.legal import NOTHING_AGREED, Agreement
from hotspot.limits import Counted, Limit
from hotspot.mac import Mac
from hotspot.place import AccessPoint, LoginWay
from sessions.accounting import account
from sessions.admit import Admitted, Outcome, admit
from sessions.heartbeat import beat
from sessions.housekeeping import LISTENER, Round
from sessions.login import Login
from sessions.places import Overtaken, Places
from sessions.records import Record, Report, Status
from sessions.tickets import TICKET_LIFE, make_ticket
from sessions.usage import load_accounts
from sessions.visit import CloseCause, Disconnect, Leg, OrderKind, Visit, VisitState, hash_device
from tests import factories
from tests.conftest import NOON
from tests.factories import Place, revoke
from tests.round_trips import sent_statements
from vouchers.admission import Reason, Refused, Usage
from vouchers.passes import Clock, Pass
from vouchers.voucher import Voucher

MOST_TRIES = 2
INTERIM = 300
MOST_TRIES = 2


@dataclass
class World:
    """A place with its database; `now` is the world's clock, which `wait` moves on."""

    database: Database
    keyring: Keyring
    place: Place
    directory: Directory
    now: datetime = NOON
    codes: list[str] = field(default_factory=list)
    places: Places = field(default_factory=Places)

    def wait(self, **duration: float) -> None:
        """Let time pass: `wait(minutes=5)`."""
        self.now += timedelta(**duration)

    def reload(self) -> None:
        """Take a new snapshot of the place, as the doors do after a change."""
        with self.database.read() as session:
            self.directory = factories.directory(session, self.keyring)

    def voucher(
        self, clock: Clock = Clock.FIRST_USE, *, good_days: int = 365, return_days: int = 14, **terms: Any
    ) -> str:
        """The code of a new voucher; `terms` as `factories.a_pass` takes them."""
        with self.database.write() as session:
            article = factories.a_pass(session, clock, good_days=good_days, return_days=return_days, **terms)
            (issued,) = factories.some_vouchers(session, self.keyring, self.place.site, article, now=self.now)
        return issued.code.value

    def vouchers(self, count: int) -> list[str]:
        """The codes of `count` new vouchers of the place's pass."""
        with self.database.write() as session:
            issued = factories.some_vouchers(
                session, self.keyring, self.place.site, self.place.article, count, now=self.now
            )
        return [one.code.value for one in issued]

    def free_pass(self, **terms: Any) -> Pass:
        """A free hour, unless `terms` say otherwise."""
        with self.database.write() as session:
            return factories.a_pass(session, free=True, **{"minutes": 60, "devices": 1} | terms)

    def ask(
        self,
        code: str | None = None,
        *,
        free: Pass | None = None,
        swaps: bool = False,
        device: Mac | None = None,
        agreement: Agreement = NOTHING_AGREED,
    ) -> str:
        """What the portal does after a code or a free pass: a visit that is asked for. Returns its handle."""
        place = self.place
        with self.database.write() as session:
            voucher = (
                session.scalars(select(Voucher).where(Voucher.id == self.voucher_id(code))).one() if code else None
            )
            pass_id = voucher.pass_id if voucher else free.id if free else place.article.id
            visit = Visit(
                site_id=place.site.id,
                nas_id=place.nas.id,
                pass_id=pass_id,
                voucher_id=voucher.id if voucher else None,
                way=LoginWay.TICKET,
                state=VisitState.ASKED,
                device=hash_device(self.keyring, device) if device else None,
                swaps=swaps,
                terms_id=agreement.terms_id,
                prices_id=agreement.prices_id,
                asked_at=self.now,
                ticket_expires_at=self.now + TICKET_LIFE,
            )
            session.add(visit)
        return visit.handle

    def ticket(self, handle: str) -> str:
        """The ticket that the portal hands out with a handle."""
        visit = self.visit(handle)
        assert visit.ticket_expires_at
        return make_ticket(self.keyring, handle, visit.nas_id, visit.site_id, visit.ticket_expires_at)

    def login(self, user_name: str, password: str | None = None, **told: Any) -> Login:
        """A login here; `told` as `factories.a_login` takes them."""
        return factories.a_login(self.directory, told.pop("place", self.place), user_name, password=password, **told)

    def ticket_login(self, handle: str, **told: Any) -> Login:
        """A login by ticket."""
        return self.login(handle, self.ticket(handle), **told)

    def admit(self, *logins: Login) -> list[Outcome]:
        """Admit logins in one transaction; in another one when what this process remembers of the places was old."""
        for _ in range(MOST_TRIES):
            with suppress(Overtaken), self.database.write() as session:
                return admit(session, self.keyring, logins, INTERIM, self.now, self.places)
        raise AssertionError("overtaken by nobody")

    def enter(self, user_name: str, password: str | None = None, **told: Any) -> Outcome:
        """One login, admitted or not."""
        return self.admit(self.login(user_name, password, **told))[0]

    def get_in(self, user_name: str, password: str | None = None, **told: Any) -> str:
        """One login that has to be admitted; returns the visit's handle."""
        outcome = self.enter(user_name, password, **told)
        assert isinstance(outcome, Admitted), outcome
        return outcome.handle

    def reason(self, user_name: str, password: str | None = None, **told: Any) -> Reason:
        """One login that has to be refused; returns why."""
        outcome = self.enter(user_name, password, **told)
        assert isinstance(outcome, Refused), outcome
        return outcome.reason

    def record(self, status: Status, handle: str | None, acct_session_id: str = "session-1", **told: Any) -> Record:
        """An Accounting-Request of now, unless `told` says otherwise; `access_point` places it."""
        place: Place = told.pop("place", self.place)
        point: AccessPoint = told.pop("access_point", place.access_point)
        fields: dict[str, Any] = {
            "at": self.now,
            "user_name": handle or "",
            "located": factories.located(self.directory, point),
            "nas_address": "10.0.0.1",
        }
        nas = factories.nas_of(self.directory, told.pop("nas", place.nas))
        return Record(nas, status, acct_session_id=acct_session_id, handle=handle, **fields | told)

    def account(self, *records: Record) -> Report:
        """Take records in one transaction."""
        with self.database.write() as session:
            return account(session, self.keyring, self.directory, records, self.now)

    def start(self, handle: str | None, acct_session_id: str = "session-1", **told: Any) -> Report:
        """Accounting Start."""
        return self.account(self.record(Status.START, handle, acct_session_id, **told))

    def interim(self, handle: str | None, seconds: int, acct_session_id: str = "session-1", **told: Any) -> Report:
        """Accounting Interim-Update."""
        return self.account(self.record(Status.INTERIM_UPDATE, handle, acct_session_id, **{"seconds": seconds, **told}))

    def stop(self, handle: str | None, seconds: int = 0, acct_session_id: str = "session-1", **told: Any) -> Report:
        """Accounting Stop."""
        return self.account(self.record(Status.STOP, handle, acct_session_id, **{"seconds": seconds, **told}))

    def go_online(self, code: str, device: Mac | None = None, **told: Any) -> str:
        """Log in and start a session; returns the visit's handle."""
        handle = self.get_in(code, device=device, **told)
        self.start(handle, f"session-{handle}", device=device, **{k: v for k, v in told.items() if k == "access_point"})
        return handle

    def listen(self) -> None:
        """The RADIUS door says that it listens."""
        with self.database.write() as session:
            beat(session, LISTENER, self.now)

    def listen_for(self, **duration: float) -> None:
        """Time passes while the RADIUS door listens."""
        end = self.now + timedelta(**duration)
        while self.now < end:
            self.listen()
            self.now = min(end, self.now + timedelta(seconds=60))
        self.listen()

    def guessed_before(self, limit: Limit, subject: str) -> None:
        """So many wrong codes were typed that one more uses `limit` up."""
        with self.database.write() as session:
            limits.hit(session, self.keyring, [Counted(limit, subject)] * (limit.allowed - 1), self.now)

    def keep_house(self) -> Round:
        """One round of house-keeping."""
        return do_round(self.database, self.directory, self.now)

    def revoke(self, code: str) -> None:
        """Revoke a voucher and end its visits, as staff do."""
        with self.database.write() as session:
            voucher = session.get_one(Voucher, self.voucher_id(code))
            revoke(session, voucher, self.now)

    def voucher_id(self, code: str) -> int:
        """The row number of a voucher."""
        from vouchers.finding import find_voucher

        with self.database.read() as session:
            return find_voucher(session, self.keyring, code).id

    def usages(self, voucher_ids: Sequence[int]) -> dict[int, Usage]:
        """What vouchers have used by now, by their row numbers."""
        with self.database.read() as session:
            vouchers = session.scalars(select(Voucher).where(Voucher.id.in_(voucher_ids)))
            return {id: account.usage for id, account in load_accounts(session, vouchers, self.now).items()}

    def stored(self, code: str) -> Voucher:
        """A voucher as it is stored now."""
        with self.database.read() as session:
            return session.get_one(Voucher, self.voucher_id(code))

    def visit(self, handle: str) -> Visit:
        """A visit as it is stored now."""
        with self.database.read() as session:
            return session.scalars(select(Visit).where(Visit.handle == handle)).one()

    def running_visits(self, device: Mac) -> Sequence[Visit]:
        """The visits that a device has now."""
        with self.database.read() as session:
            return session.scalars(
                select(Visit).where(Visit.device == hash_device(self.keyring, device), Visit.runs)
            ).all()

    def has_visit(self, handle: str) -> bool:
        """Whether a visit is stored."""
        with self.database.read() as session:
            return session.scalar(select(Visit.id).where(Visit.handle == handle)) is not None

    def legs(self, handle: str) -> Sequence[Leg]:
        """The legs of a visit, the oldest first."""
        with self.database.read() as session:
            query = select(Leg).join(Visit, Visit.id == Leg.visit_id).where(Visit.handle == handle)
            return session.scalars(query.order_by(Leg.started_at, Leg.id)).all()

    def outbox(self) -> list[tuple[str, CloseCause]]:
        """Which visits NAS still have to be told to end: handle and cause."""
        with self.database.read() as session:
            query = select(Visit.handle, Disconnect.cause).join(Visit, Visit.id == Disconnect.visit_id)
            pending = query.where(Disconnect.done_at.is_(None), Disconnect.kind == OrderKind.DISCONNECT)
            rows = session.execute(pending.order_by(Disconnect.id))
            return [(handle, cause) for handle, cause in rows if cause]

    def running(self) -> int:
        """How many visits hold a place."""
        with self.database.read() as session:
            return count_running(session)

    def counted_statements(self) -> AbstractContextManager[list[str]]:
        """The SQL statements that are sent meanwhile."""
        return sent_statements(self.database)


def count_running(session: Session) -> int:
    """How many visits hold a place."""
    query = select(func.count()).select_from(Visit).where(Visit.state.in_((VisitState.RESERVED, VisitState.OPEN)))
    return session.scalar(query) or 0
