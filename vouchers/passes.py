"""Passes: the articles a site offers. A voucher takes a copy of its pass's terms, so a pass can change any time."""

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, and_, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified, enum_column
from hotspot.enrolment import check_slug
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.place import Customer, Site

MEGABYTE = 1_000_000


class Clock(enum.StrEnum):
    """When the time of a pass runs."""

    FIRST_USE = "first-use"
    ONLINE = "online"
    END_OF_DAY = "end-of-day"
    UNTIL = "until"


@dataclass(frozen=True)
class Terms:
    """What a pass gives. Minutes count by the clock; octets are both directions together; rates in kbit/s."""

    clock: Clock
    minutes: int | None = None
    until: datetime | None = None
    megabytes: int | None = None
    down_kbit: int | None = None
    up_kbit: int | None = None
    devices: int = 1
    replace: bool = False
    free: bool = False

    @property
    def is_metered(self) -> bool:
        """Whether use itself uses it up, and not only time that passes."""
        return self.megabytes is not None or self.clock is Clock.ONLINE

    @property
    def octets(self) -> int | None:
        """The volume in octets, None for no limit."""
        return None if self.megabytes is None else self.megabytes * MEGABYTE


class TermsColumns:
    """The columns that hold `Terms`, the same in a pass and in a voucher."""

    name: Mapped[str] = mapped_column(String(80))
    clock: Mapped[Clock] = mapped_column(enum_column(Clock))
    minutes: Mapped[int | None] = mapped_column(Integer)
    until: Mapped[datetime | None]
    megabytes: Mapped[int | None] = mapped_column(Integer)
    down_kbit: Mapped[int | None] = mapped_column(Integer)
    up_kbit: Mapped[int | None] = mapped_column(Integer)
    devices: Mapped[int] = mapped_column(Integer)
    replace: Mapped[bool]
    free: Mapped[bool]
    return_days: Mapped[int] = mapped_column(Integer)
    price_cents: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(String(3))

    @property
    def terms(self) -> Terms:
        """The terms as a value."""
        return Terms(
            clock=self.clock,
            minutes=self.minutes,
            until=self.until,
            megabytes=self.megabytes,
            down_kbit=self.down_kbit,
            up_kbit=self.up_kbit,
            devices=self.devices,
            replace=self.replace,
            free=self.free,
        )

    def copied_terms(self) -> dict[str, object]:
        """The values of these columns, for the voucher that takes a copy."""
        return {name: getattr(self, name) for name in TermsColumns.__annotations__}


class Pass(Identified, TermsColumns, Base):
    """An article, offered at one site, at all sites of a customer, or everywhere."""

    __tablename__ = "pass"
    __table_args__ = (
        CheckConstraint("site_id IS NULL OR customer_id IS NULL", name="one_scope"),
        *(
            Index(f"uq_pass_slug_{scope}", "slug", *columns, unique=True, sqlite_where=where, postgresql_where=where)
            for scope, columns, where in (
                ("site", ["site_id"], text("site_id IS NOT NULL AND retired_at IS NULL")),
                ("customer", ["customer_id"], text("customer_id IS NOT NULL AND retired_at IS NULL")),
                ("everywhere", [], text("site_id IS NULL AND customer_id IS NULL AND retired_at IS NULL")),
            )
        ),
    )

    slug: Mapped[str] = mapped_column(String(40))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    good_days: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


@dataclass(frozen=True)
class NewPass:
    """What is told of a pass when it is added."""

    slug: str
    name: str
    terms: Terms
    good_days: int = 365
    return_days: int = 14
    price_cents: int = 0
    currency: str = "EUR"


def add_pass(
    session: Session, actor: Actor, new: NewPass, *, site: Site | None, customer: Customer | None, now: datetime
) -> Pass:
    """Add a pass; Refusal when its terms cannot be kept or its slug is taken where it is offered."""
    check_slug(new.slug)
    _check_terms(new, now)
    if site and customer:
        raise WrongUse("two-scopes", "A pass belongs to a site or to a customer, not to both.")
    site_id, customer_id = (site.id if site else None), (customer.id if customer else None)
    same_scope = and_(Pass.site_id.is_not_distinct_from(site_id), Pass.customer_id.is_not_distinct_from(customer_id))
    if session.scalar(select(Pass.id).where(Pass.slug == new.slug, Pass.retired_at.is_(None), same_scope)):
        raise Refusal("slug-taken", f"There is a pass {new.slug!r} already.")
    added = Pass(
        slug=new.slug,
        name=new.name.strip(),
        clock=new.terms.clock,
        minutes=new.terms.minutes,
        until=new.terms.until,
        megabytes=new.terms.megabytes,
        down_kbit=new.terms.down_kbit,
        up_kbit=new.terms.up_kbit,
        devices=new.terms.devices,
        replace=new.terms.replace,
        free=new.terms.free,
        good_days=new.good_days,
        return_days=new.return_days,
        price_cents=new.price_cents,
        currency=new.currency,
        site_id=site_id,
        customer_id=customer_id,
        created_at=now,
    )
    session.add(added)
    session.flush()
    owner = site.customer_id if site else customer_id
    audit.record(session, actor, "pass added", f"pass {added.public_id}", now, customer_id=owner, detail=new.slug)
    return added


_RANGES = {
    "minutes": (1, 5_256_000),
    "megabytes": (1, 1_000_000_000),
    "down_kbit": (8, 4_000_000),
    "up_kbit": (8, 4_000_000),
    "devices": (1, 1000),
}


def _check_terms(new: NewPass, now: datetime) -> None:
    terms = new.terms
    if not new.name.strip() or len(new.name) > 80:
        raise WrongUse("bad-name", "A pass needs a name of 1 to 80 characters.")
    for name, (least, most) in _RANGES.items():
        value = getattr(terms, name)
        if value is not None and not least <= value <= most:
            raise WrongUse("out-of-range", f"--{name.replace('_', '-')} is a number from {least} to {most}.")
    if terms.clock in (Clock.FIRST_USE, Clock.ONLINE) and terms.minutes is None:
        raise WrongUse("no-minutes", f"A pass with clock {terms.clock} needs --minutes.")
    if (terms.clock is Clock.UNTIL) != (terms.until is not None):
        raise WrongUse("bad-until", "--until belongs to the clock 'until', which needs it.")
    if terms.until and terms.until <= now:
        raise Refusal("until-past", "--until lies in the past.")
    if not 1 <= new.good_days <= 3660 or not 0 <= new.return_days <= 14:
        raise WrongUse("bad-days", "--good-days is 1 to 3660, --return-days 0 to 14.")
    if not 0 <= new.price_cents <= 1_000_000:
        raise WrongUse("bad-price", "--price is 0 to 10000.00.")
    if terms.free and new.price_cents:
        raise WrongUse("free-has-price", "A free pass has no price.")
    if terms.free and terms.devices != 1:
        raise WrongUse("free-devices", "A free pass is for the one device that takes it.")


def passes_at(session: Session, site_id: int, customer_id: int) -> list[Pass]:
    """The passes offered at a site: free ones first, then by price; a site's own pass hides a wider one with its slug."""
    offered = session.scalars(
        select(Pass).where(
            or_(
                Pass.site_id == site_id,
                Pass.customer_id == customer_id,
                and_(Pass.site_id.is_(None), Pass.customer_id.is_(None)),
            ),
            Pass.retired_at.is_(None),
        )
    )
    widest_first = sorted(offered, key=lambda one: (one.site_id is not None, one.customer_id is not None))
    by_slug = {one.slug: one for one in widest_first}
    return sorted(by_slug.values(), key=lambda one: (not one.free, one.price_cents, one.id))


def find_pass(session: Session, site: Site, slug: str) -> Pass:
    """The pass that `slug` means at `site`; NotFound when none is offered there."""
    for one in passes_at(session, site.id, site.customer_id):
        if one.slug == slug:
            return one
    raise NotFound("no-pass", f"Site {site.slug!r} has no pass {slug[:60]!r}.")
