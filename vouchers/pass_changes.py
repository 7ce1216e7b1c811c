"""What the operator does with passes: adds, changes and retires them. Vouchers already issued keep their own terms."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.enrolment import check_slug
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.place import Customer, Part, Site, announce_change
from vouchers.passes import STANDARD_TAX, TO_THIRD_YEAR, Clock, Pass, Terms

LAST_POSITION = 9999
EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class NewPass:
    """What is told of a pass when it is added."""

    slug: str
    name: str
    terms: Terms
    good_days: int | None = None
    return_days: int = 14
    price_cents: int = 0
    tax_basis_points: int = STANDARD_TAX
    currency: str = "EUR"
    always: bool = False
    position: int | None = None
    shown: bool = True

    @classmethod
    def of(cls, article: Pass) -> "NewPass":
        """A pass as it stands."""
        told = {field.name: getattr(article, field.name) for field in fields(cls)}
        return cls(**told)

    def changed(self, changes: dict[str, Any]) -> "NewPass":
        """The same with other values: of its own fields, and of those of its terms."""
        of_terms = {name: changes[name] for name in _TERMS if name in changes}
        others = {name: value for name, value in changes.items() if name not in of_terms}
        return replace(self, terms=replace(self.terms, **of_terms), **others)


_TERMS = tuple(field.name for field in fields(Terms))
_OTHERS = tuple(field.name for field in fields(NewPass) if field.name != "terms")


@dataclass(frozen=True)
class Scope:
    """Where something is offered: at one site, at all sites of a customer, or everywhere."""

    site: Site | None = None
    customer: Customer | None = None

    def __post_init__(self) -> None:
        """WrongUse for both at once."""
        if self.site and self.customer:
            raise WrongUse("two-scopes", "A pass belongs to a site or to a customer, not to both.")

    @property
    def ids(self) -> tuple[int | None, int | None]:
        """Site and customer as a row refers to them."""
        return (self.site.id if self.site else None), (self.customer.id if self.customer else None)

    @property
    def key(self) -> str:
        """A name of the scope, such as "site 5"."""
        if self.site:
            return f"site {self.site.id}"
        return f"customer {self.customer.id}" if self.customer else EVERYWHERE

    @property
    def owner_id(self) -> int | None:
        """The customer concerned, for the audit record."""
        return self.site.customer_id if self.site else self.ids[1]


def add_pass(
    session: Session, actor: Actor, new: NewPass, *, site: Site | None, customer: Customer | None, now: datetime
) -> Pass:
    """Add a pass; Refusal when its terms cannot be kept or its slug is taken where it is offered."""
    scope = Scope(site, customer)
    check_slug(new.slug)
    _check(new, now)
    if _find(session, scope, new.slug):
        raise Refusal("slug-taken", f"There is a pass {new.slug!r} already.")
    site_id, customer_id = scope.ids
    added = Pass(site_id=site_id, customer_id=customer_id, created_at=now, preselected=False)
    _write(added, new)
    session.add(added)
    session.flush()
    _record(session, actor, "pass added", added, scope, now, new.slug)
    return added


def change_pass(
    session: Session, actor: Actor, scope: Scope, slug: str, changes: dict[str, Any], now: datetime
) -> Pass:
    """Change a pass for all that is issued or taken from now on. Refusal when its new terms cannot be kept."""
    article = find_in_scope(session, scope, slug)
    before = NewPass.of(article)
    after = before.changed(changes)
    if after.terms.free is not before.terms.free:
        raise WrongUse("free-is-fixed", "A free pass stays free, and a sold one sold: add another pass.")
    _check(after, now)
    _write(article, after)
    _record(session, actor, "pass changed", article, scope, now, f"{slug}: {', '.join(sorted(changes))}")
    return article


def retire_pass(session: Session, actor: Actor, scope: Scope, slug: str, now: datetime) -> Pass:
    """Offer a pass no longer; vouchers that were issued stay good."""
    article = find_in_scope(session, scope, slug)
    article.retired_at, article.preselected = now, False
    _record(session, actor, "pass retired", article, scope, now, slug)
    return article


def find_in_scope(session: Session, scope: Scope, slug: str) -> Pass:
    """The pass with this slug that is offered exactly there; NotFound when there is none."""
    found = _find(session, scope, slug)
    if found is None:
        raise NotFound("no-pass", f"There is no pass {slug[:60]!r} there: see 'surfpass pass list' for where it is.")
    return found


def _find(session: Session, scope: Scope, slug: str) -> Pass | None:
    site_id, customer_id = scope.ids
    same_scope = and_(Pass.site_id.is_not_distinct_from(site_id), Pass.customer_id.is_not_distinct_from(customer_id))
    return session.scalar(select(Pass).where(Pass.slug == slug, Pass.retired_at.is_(None), same_scope))


def _write(article: Pass, told: NewPass) -> None:
    for name in _TERMS:
        setattr(article, name, getattr(told.terms, name))
    for name in _OTHERS:
        setattr(article, name, getattr(told, name))
    article.name, article.good_days = told.name.strip(), _good_days(told)


def _good_days(told: NewPass) -> int:
    """Who has paid can come for years; what cost nothing is worth nothing after a year."""
    if told.good_days is not None:
        return told.good_days
    return TO_THIRD_YEAR if told.price_cents else 365


def _record(
    session: Session, actor: Actor, action: str, article: Pass, scope: Scope, now: datetime, detail: str
) -> None:
    announce_change(session, Part.SHOWN)
    subject = f"pass {article.public_id}"
    audit.record(session, actor, action, subject, now, customer_id=scope.owner_id, detail=detail)


_RANGES = {
    "minutes": (1, 5_256_000),
    "megabytes": (1, 1_000_000_000),
    "down_kbit": (8, 4_000_000),
    "up_kbit": (8, 4_000_000),
    "devices": (1, 1000),
}


def _check(new: NewPass, now: datetime) -> None:
    _check_terms(new.terms, now)
    if not new.name.strip() or len(new.name) > 80:
        raise WrongUse("bad-name", "A pass needs a name of 1 to 80 characters.")
    if not TO_THIRD_YEAR <= _good_days(new) <= 3660 or not 0 <= new.return_days <= 14:
        raise WrongUse("bad-days", "--good-days is 0 to 3660, --return-days 0 to 14.")
    if not 0 <= new.tax_basis_points <= 10_000:
        raise WrongUse("bad-tax", "--tax is 0 to 100.")
    if not 0 <= new.price_cents <= 1_000_000:
        raise WrongUse("bad-price", "--price is 0 to 10000.00.")
    if new.terms.free and new.price_cents:
        raise WrongUse("free-has-price", "A free pass has no price.")
    if new.always and not new.terms.free:
        raise WrongUse("always-not-free", "--always is for free passes.")
    check_position(new.position)


def check_position(position: int | None) -> None:
    """WrongUse for a place in the order that cannot be."""
    if position is not None and not 0 <= position <= LAST_POSITION:
        raise WrongUse("bad-position", f"--position is 0 to {LAST_POSITION}.")


def _check_terms(terms: Terms, now: datetime) -> None:
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
    if terms.free and terms.devices != 1:
        raise WrongUse("free-devices", "A free pass is for the one device that takes it.")
