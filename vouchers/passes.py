"""Passes: the articles a site offers. A voucher takes a copy of its pass's terms, so a pass can change any time."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, and_, false, or_, select, text, true
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.database import Base, Identified, enum_column
from hotspot.errors import NotFound
from hotspot.place import Site

MEGABYTE = 1_000_000
# Germany's rate, in basis points (section 12 UStG).
STANDARD_TAX = 1900
# For `good_days`: to the end of the third calendar year after that of issue. As long lasts a claim for what was paid in
# Germany (sections 195 and 199 BGB).
TO_THIRD_YEAR = 0


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
    # Gross; 1900 basis points of tax are 19 %.
    price_cents: Mapped[int] = mapped_column(Integer)
    tax_basis_points: Mapped[int] = mapped_column(Integer, default=STANDARD_TAX, server_default=str(STANDARD_TAX))
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


class OfferColumns:
    """How an article stands on a site's page; without a `position` it has that of its kind."""

    position: Mapped[int | None] = mapped_column(Integer)
    preselected: Mapped[bool] = mapped_column(default=False, server_default=false())
    shown: Mapped[bool] = mapped_column(default=True, server_default=true())


# Where an article stands on the page unless it is told: vouchers to type are between (vouchers/offer.py).
FREE_POSITION, SOLD_POSITION = 100, 300


class Pass(Identified, TermsColumns, OfferColumns, Base):
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
    # Whether a device that has used up a free pass may take another one on the same day.
    always: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


def passes_at(session: Session, site_id: int, customer_id: int) -> list[Pass]:
    """The passes offered at a site in their order, then by price; a site's own pass hides a wider one with its slug."""
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
    return sorted(by_slug.values(), key=lambda one: (place_of(one), one.price_cents, one.id))


def passes_by_id(session: Session, ids: Collection[int]) -> dict[int, Pass]:
    """Passes by their row numbers, retired ones too."""
    return {one.id: one for one in session.scalars(select(Pass).where(Pass.id.in_(ids)))} if ids else {}


def place_of(article: Pass) -> int:
    """Where a pass stands among the articles of a page."""
    if article.position is not None:
        return article.position
    return FREE_POSITION if article.free else SOLD_POSITION


def find_pass(session: Session, site: Site, slug: str) -> Pass:
    """The pass that `slug` means at `site`; NotFound when none is offered there."""
    for one in passes_at(session, site.id, site.customer_id):
        if one.slug == slug:
            return one
    raise NotFound("no-pass", f"Site {site.slug!r} has no pass {slug[:60]!r}.")
