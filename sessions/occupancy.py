"""How many guests are where now: what staff see of running visits, exact and without any person in it."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sessions.visit import Visit, is_counted


@dataclass(frozen=True)
class Occupancy:
    """Running visits by (site id, access point id); the access point is None where the NAS names only the site."""

    visits: dict[tuple[int, int | None], int]

    def at_site(self, site_id: int) -> int:
        """All guests at a site."""
        return sum(count for (site, _point), count in self.visits.items() if site == site_id)

    def on_access_point(self, site_id: int, access_point_id: int) -> int:
        """The guests on one access point."""
        return self.visits.get((site_id, access_point_id), 0)

    def elsewhere(self, site_id: int, access_point_ids: Collection[int]) -> int:
        """The site's guests who are on none of these access points: nobody knows on which, or it has been retired."""
        return self.at_site(site_id) - sum(self.on_access_point(site_id, point) for point in set(access_point_ids))


def guests_now(session: Session, site_ids: Collection[int]) -> Occupancy:
    """Count the guests at these sites who hold a place; one query for all."""
    rows = session.execute(
        select(Visit.site_id, Visit.access_point_id, func.count())
        .where(Visit.site_id.in_(site_ids), is_counted())
        .group_by(Visit.site_id, Visit.access_point_id)
    )
    return Occupancy({(site_id, access_point_id): count for site_id, access_point_id, count in rows})
