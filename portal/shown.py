"""What guests are shown and only staff change: what a site offers, how it looks, and the legal texts.

A process reads it once and keeps it as long as its revision stays the same. What comes into force by time is asked for with
the moment.
"""

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import TypeVar, cast

from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from hotspot.legal import Agreement, Timetable, load_timetable
from vouchers.offer import Offer, offer_at

Value = TypeVar("Value")


class Shown:
    """What is shown at one revision. Two threads may read the same thing at once; what they find is the same."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._kept: dict[Hashable, object] = {}

    def keep(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """What `read` returned when it was first asked under `key`: a frozen value, or rows of no session."""
        if key not in self._kept:
            self._kept[key] = read()
        return cast(Value, self._kept[key])

    def offer(self, session: Session, site: SiteRecord) -> Offer:
        """What the site's page offers."""
        return self.keep(("offer", site.id), lambda: _offer(session, site))

    def timetable(self, session: Session) -> Timetable:
        """When the versions of legal texts come into force."""
        return self.keep("timetable", lambda: load_timetable(session))

    def agreement(self, session: Session, now: datetime) -> Agreement:
        """What a guest has to accept at `now`."""
        return self.timetable(session).agreement(now)


def _offer(session: Session, site: SiteRecord) -> Offer:
    offer = offer_at(session, site.id, site.customer_id)
    # A rollback would make rows of this session forget what they hold.
    for row in offer.rows():
        session.expunge(row)
    return offer
