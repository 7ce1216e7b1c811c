"""Extensions: a device's voucher is followed by another one once it gives nothing more. See docs/visits.md.

The visit goes on: `sessions/extending.py` says how. Here is who follows whom, and what that makes of a visit's limits.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ForeignKey, Index, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.database import Base
from hotspot.directory import SiteRecord
from hotspot.keys import HASH_OCTETS
from hotspot.questions import Query
from sessions.usage import Account, accounts_by_id
from vouchers.admission import MOST_SECONDS, Granted, Reason, Refused, limits_of

# A voucher that refuses for one of these gives nothing more, and the next one has its turn.
SPENT = (Reason.OVER, Reason.USED_UP, Reason.FREE_PASS_USED)


class Extension(Base):
    """A device's voucher and the one that follows it. `told_at`: when its NAS was last told the limits of both."""

    __tablename__ = "extension"
    __table_args__ = (Index("ix_extension_device", "device"),)

    voucher_id: Mapped[int] = mapped_column(ForeignKey("voucher.id", ondelete="CASCADE"), primary_key=True)
    device: Mapped[bytes] = mapped_column(LargeBinary(HASH_OCTETS), primary_key=True)
    next_voucher_id: Mapped[int] = mapped_column(ForeignKey("voucher.id", ondelete="CASCADE"))
    asked_at: Mapped[datetime]
    told_at: Mapped[datetime]


class Extendable(Protocol):
    """A visit, as a row or held."""

    @property
    def voucher_id(self) -> int | None: ...
    @property
    def device(self) -> bytes | None: ...


_FOLLOWING = Query(
    lambda is_in: select(Extension.voucher_id, Extension.device, Extension.next_voucher_id).where(
        is_in(Extension.device, "devices")
    )
)


class Chains:
    """What follows the vouchers of some devices, with the accounts of those vouchers; at most three queries for all."""

    def __init__(self, session: Session, devices: Iterable[bytes | None], now: datetime) -> None:
        known = {device for device in devices if device}
        rows = _FOLLOWING.rows(session, devices=known) if known else []
        self._next = {(voucher_id, device): next_id for voucher_id, device, next_id in rows}
        self._accounts = accounts_by_id(session, set(self._next.values()), now)

    def ids_behind(self, voucher_id: int | None, device: bytes | None) -> list[int]:
        """The vouchers that follow one, in their turn."""
        found: list[int] = []
        while voucher_id and device and (voucher_id := self._next.get((voucher_id, device))):
            if voucher_id in found:
                break
            found.append(voucher_id)
        return found

    def behind(self, visit: Extendable) -> list[Account]:
        """The accounts of the vouchers that follow a visit's own."""
        return [self._accounts[one] for one in self.ids_behind(visit.voucher_id, visit.device)]


def extended(limits: Granted, followers: Collection[Account], site: SiteRecord, now: datetime) -> Granted:
    """A visit's limits together with what the vouchers that follow its own will add.

    Volume adds up where all have one; otherwise none holds for the whole time, and the PoP itself watches each.
    """
    for account in followers:
        more = limits_of(account.facts, account.usage, site, turn(limits, now))
        if isinstance(more, Refused):
            break
        octets = (limits.octets_left, more.octets_left)
        limits = limits._replace(
            seconds_left=min(MOST_SECONDS, limits.seconds_left + more.seconds_left),
            octets_left=None if None in octets else sum(one for one in octets if one),
        )
    return limits


def extended_of(session: Session, visits: Iterable[Extendable]) -> set[tuple[int, bytes]]:
    """Those of the visits, as (voucher id, device), whose voucher is followed by another."""
    devices = {visit.device for visit in visits if visit.device}
    query = select(Extension.voucher_id, Extension.device).where(Extension.device.in_(devices))
    return {(voucher_id, device) for voucher_id, device in session.execute(query)} if devices else set()


def turn(limits: Granted, now: datetime) -> datetime:
    """When the next voucher has its turn, by time; now where time alone never ends these limits."""
    return now + timedelta(seconds=limits.seconds_left) if limits.seconds_left < MOST_SECONDS else now
