"""Who holds guests to a pass's limits, in words, where the gateways that serve it do not: said when a pass is defined."""

from collections.abc import Iterable, Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hotspot.place import Customer, Nas, Site
from radius.makes import ALL_MAKES, EnforcedBy, Limit, Make
from vouchers.passes import Terms

_WORDS = {
    EnforcedBy.DISCONNECT: "the PoP disconnects once accounting shows that it is used up",
    EnforcedBy.NEXT_LOGIN: "holds from the next login on",
    EnforcedBy.NOBODY: "nobody enforces it",
}


def makes_at(session: Session, site: Site | None, customer: Customer | None) -> list[Make]:
    """The makes of the NAS that may serve a pass of this site, of this customer, or of everybody; by title."""
    query = select(Nas.make).where(Nas.retired_at.is_(None)).distinct()
    if site or customer:
        of_customer = select(Site.id).where(Site.customer_id == customer.id) if customer else ()
        here = Nas.site_id == site.id if site else Nas.site_id.in_(of_customer)
        query = query.where(or_(Nas.site_id.is_(None), here))
    return sorted(
        (ALL_MAKES[name] for name in session.scalars(query) if name in ALL_MAKES), key=lambda make: make.title
    )


def who_enforces(terms: Terms, makes: Iterable[Make]) -> Iterator[str]:
    """A line for each limit of a pass that some make does not enforce by itself."""
    found: dict[tuple[Limit, EnforcedBy], list[str]] = {}
    for make in makes:
        for limit, by in make.enforced(terms):
            if by is not EnforcedBy.NAS:
                found.setdefault((limit, by), []).append(make.title)
    for (limit, by), titles in found.items():
        yield f"{limit.capitalize()} at {', '.join(titles)}: {_WORDS[by]}."
