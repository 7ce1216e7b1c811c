"""How often which version of terms and prices was accepted: numbers by site and day that name nobody (R3).

While a visit is kept it says what its guest accepted. When it goes, it is counted; so nothing is counted while guests wait.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, ForeignKey, Integer, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.bulk import upsert
from hotspot.clock import site_day
from hotspot.database import Base
from hotspot.legal import LegalKind, LegalVersion
from hotspot.place import Site
from sessions.visit import Visit

Key = tuple[int, int, date]


class AgreementCount(Base):
    """How often guests who have long gone accepted a version, at a site on a day of it."""

    __tablename__ = "agreement_count"

    version_id: Mapped[int] = mapped_column(ForeignKey("legal_version.id"), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    accepted: Mapped[int] = mapped_column(Integer)


@dataclass(frozen=True)
class Accepted:
    """How often a version was accepted at a site on a day."""

    kind: LegalKind
    number: int
    site: str
    day: date
    count: int


def count_agreements(session: Session, visit_ids: Collection[int]) -> None:
    """Count what the guests of these visits accepted, as the visits go. A site in privacy mode keeps no history (R32)."""
    counts = Counter(_agreements(session, Visit.id.in_(visit_ids)))
    if not counts:
        return
    fresh = upsert(session, AgreementCount).values(
        [
            {"version_id": version_id, "site_id": site_id, "day": day, "accepted": counts[version_id, site_id, day]}
            for version_id, site_id, day in sorted(counts)
        ]
    )
    keys = [AgreementCount.version_id, AgreementCount.site_id, AgreementCount.day]
    total = {"accepted": AgreementCount.accepted + fresh.excluded.accepted}
    session.execute(fresh.on_conflict_do_update(index_elements=keys, set_=total))


def accepted(session: Session) -> list[Accepted]:
    """All acceptances that led to a visit, by version, site and day: of visits long gone and of those still kept."""
    counts = Counter[Key](_agreements(session, Visit.reserved_at.is_not(None)))
    for row in session.scalars(select(AgreementCount)):
        counts[row.version_id, row.site_id, row.day] += row.accepted
    versions = {version.id: version for version in session.scalars(select(LegalVersion))}
    slugs = {site.id: site.slug for site in session.scalars(select(Site))}
    found = [
        Accepted(versions[version_id].kind, versions[version_id].number, slugs[site_id], day, count)
        for (version_id, site_id, day), count in counts.items()
    ]
    return sorted(found, key=lambda one: (one.kind, one.number, one.day, one.site))


def _agreements(session: Session, visits: ColumnElement[bool]) -> Iterator[Key]:
    query = (
        select(Visit.terms_id, Visit.prices_id, Visit.site_id, Visit.asked_at, Site.timezone, Site.day_ends)
        .join(Site, Site.id == Visit.site_id)
        .where(visits, Site.privacy_mode.is_(False))
    )
    for terms_id, prices_id, site_id, asked_at, timezone, day_ends in session.execute(query):
        day = site_day(asked_at, ZoneInfo(timezone), day_ends)
        for version_id in (terms_id, prices_id):
            if version_id is not None:
                yield version_id, site_id, day
