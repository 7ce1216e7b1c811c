"""What a site's page offers: passes and the field for a voucher's code, in order, with texts in each language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ForeignKey, String, and_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base
from hotspot.errors import WrongUse
from hotspot.legal import TEXT_LANGUAGES, check_language
from hotspot.place import Part, announce_change
from vouchers.pass_changes import EVERYWHERE, Scope, check_position, find_in_scope
from vouchers.passes import OfferColumns, Pass, passes_at, place_of

# Between the free passes and those that are sold (vouchers/passes.py).
CODE_POSITION = 200
LONGEST = {"name": 80, "description": 300, "where_to_buy": 200}


class TextColumns:
    """An article's texts in one language; an empty one is not given."""

    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST["name"]))
    description: Mapped[str] = mapped_column(String(LONGEST["description"]))
    where_to_buy: Mapped[str] = mapped_column(String(LONGEST["where_to_buy"]))


class PassText(TextColumns, Base):
    """What guests read about a pass."""

    __tablename__ = "pass_text"

    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"), primary_key=True)


class CodeEntry(OfferColumns, Base):
    """How the field for a voucher's code is offered; `scope` is a `Scope.key`, so that each scope has one row at most."""

    __tablename__ = "code_entry"

    scope: Mapped[str] = mapped_column(String(40), primary_key=True)


class CodeEntryText(TextColumns, Base):
    """What guests read about vouchers at large: what they are called, and where to buy them."""

    __tablename__ = "code_entry_text"

    scope: Mapped[str] = mapped_column(ForeignKey("code_entry.scope"), primary_key=True)


TextRow = TypeVar("TextRow", PassText, CodeEntryText)


@dataclass(frozen=True)
class Texts:
    """An article's texts by language."""

    by_language: Mapping[str, "PassText | CodeEntryText"] = field(default_factory=dict)

    def rows(self) -> "list[PassText | CodeEntryText]":
        """A row for each language."""
        return list(self.by_language.values())

    def get(self, name: str, language: str) -> str:
        """The text `name` in `language`, else in the first of TEXT_LANGUAGES that has it, else nothing."""
        found = (self.by_language.get(one) for one in (language, *TEXT_LANGUAGES))
        return next((getattr(one, name) for one in found if one and getattr(one, name)), "")


@dataclass(frozen=True)
class CodeField:
    """The field for a code as one site offers it; `narrowness` is 2 where the site itself says how, 1 where its customer does."""

    narrowness: int = 0
    position: int = CODE_POSITION
    preselected: bool = False
    shown: bool = True
    texts: Texts = field(default_factory=Texts)


@dataclass(frozen=True)
class Offer:
    """All that a site's page offers: its passes in order, their texts by pass id, and the field for a code."""

    passes: list[Pass]
    texts: dict[int, Texts]
    code: CodeField

    @property
    def free(self) -> list[Pass]:
        """The passes to take for nothing."""
        return [one for one in self.passes if one.free]

    @property
    def sold(self) -> list[Pass]:
        """The passes that vouchers are sold for."""
        return [one for one in self.passes if not one.free]

    @property
    def takes_codes(self) -> bool:
        """Whether there is a field for a code; a page without anything to choose would be no use."""
        return self.code.shown or not self.free

    def rows(self) -> list[Base]:
        """The rows it is made of."""
        texts = (*self.texts.values(), self.code.texts)
        return [*self.passes, *(row for each in texts for row in each.rows())]

    def place_of(self, article: Pass | None) -> int:
        """Where a pass stands on the page, or for None the field for a code."""
        return self.code.position if article is None else place_of(article)

    def choices(self) -> list[Pass | None]:
        """What guests choose from, in order: free passes, and None for a code."""
        everything: list[Pass | None] = [*self.free]
        if self.takes_codes:
            everything.append(None)
        return sorted(everything, key=self.place_of)

    def preselected(self) -> Pass | None:
        """The choice a page comes with; None for a code. The narrowest scope that says so decides, else the order."""
        marked = [one for one in self.choices() if (one or self.code).preselected]
        return max(marked or self.choices()[:1], key=self._narrowness)

    def _narrowness(self, choice: Pass | None) -> int:
        if choice is None:
            return self.code.narrowness
        return 2 if choice.site_id is not None else int(choice.customer_id is not None)


def offer_at(session: Session, site_id: int, customer_id: int) -> Offer:
    """What is shown at a site; a fixed number of queries."""
    passes = [one for one in passes_at(session, site_id, customer_id) if one.shown]
    rows = session.scalars(select(PassText).where(PassText.pass_id.in_([one.id for one in passes]))).all()
    texts = {one.id: Texts({row.language: row for row in rows if row.pass_id == one.id}) for one in passes}
    return Offer(passes, texts, _code_field(session, site_id, customer_id))


def _code_field(session: Session, site_id: int, customer_id: int) -> CodeField:
    """As the narrowest scope has it."""
    keys = scope_keys(site_id, customer_id)
    entries = session.scalars(select(CodeEntry).where(CodeEntry.scope.in_(keys))).all()
    if not entries:
        return CodeField()
    narrowest = min(entries, key=lambda one: keys.index(one.scope))
    rows = session.scalars(select(CodeEntryText).where(CodeEntryText.scope == narrowest.scope))
    position = CODE_POSITION if narrowest.position is None else narrowest.position
    narrowness = len(keys) - 1 - keys.index(narrowest.scope)
    texts = Texts({row.language: row for row in rows})
    return CodeField(narrowness, position, narrowest.preselected, narrowest.shown, texts)


def scope_keys(site_id: int, customer_id: int) -> tuple[str, str, str]:
    """The scopes that a site is in, the narrowest first."""
    return f"site {site_id}", f"customer {customer_id}", EVERYWHERE


@dataclass(frozen=True)
class NewText:
    """Texts of an article to keep in one language; None leaves one as it is, an empty one takes it away."""

    language: str
    name: str | None = None
    description: str | None = None
    where_to_buy: str | None = None


def describe_pass(session: Session, actor: Actor, scope: Scope, slug: str, new: NewText, now: datetime) -> Pass:
    """Keep what guests read about a pass in one language."""
    _check_text(new)
    article = find_in_scope(session, scope, slug)
    key = {"pass_id": article.id, "language": new.language}
    session.add(_written(session.get(PassText, key) or PassText(**key), new))
    announce_change(session, Part.SHOWN)
    subject, detail = f"pass {article.public_id}", f"{slug}: {new.language}"
    audit.record(session, actor, "pass described", subject, now, customer_id=scope.owner_id, detail=detail)
    return article


@dataclass(frozen=True)
class CodeChange:
    """What to change of the field for a code; None leaves it as it is."""

    position: int | None = None
    shown: bool | None = None
    text: NewText | None = None


def change_code_field(session: Session, actor: Actor, scope: Scope, change: CodeChange, now: datetime) -> CodeEntry:
    """Change how the field for a code is offered in a scope; what was never said there is as by default."""
    check_position(change.position)
    entry = _entry(session, scope)
    if change.position is not None:
        entry.position = change.position
    if change.shown is not None:
        entry.shown = change.shown
    session.flush()
    if change.text:
        _check_text(change.text)
        key = {"scope": entry.scope, "language": change.text.language}
        session.add(_written(session.get(CodeEntryText, key) or CodeEntryText(**key), change.text))
    announce_change(session, Part.SHOWN)
    audit.record(session, actor, "code field changed", scope.key, now, customer_id=scope.owner_id)
    return entry


def preselect(session: Session, actor: Actor, scope: Scope, slug: str | None, now: datetime) -> None:
    """Let pages come with this choice: a free pass, or for None the field for a code. One for each scope."""
    article = find_in_scope(session, scope, slug) if slug else None
    if article and not article.free:
        raise WrongUse("sold-preselected", "Guests choose free passes or a voucher: a pass that is sold is neither.")
    site_id, customer_id = scope.ids
    others = and_(Pass.site_id.is_not_distinct_from(site_id), Pass.customer_id.is_not_distinct_from(customer_id))
    session.execute(update(Pass).where(others).values(preselected=False))
    entry = _entry(session, scope)
    entry.preselected = article is None
    if article:
        article.preselected = True
    announce_change(session, Part.SHOWN)
    audit.record(session, actor, "preselected", scope.key, now, customer_id=scope.owner_id, detail=slug or "code")


def _entry(session: Session, scope: Scope) -> CodeEntry:
    entry = session.get(CodeEntry, scope.key)
    if entry is None:
        entry = CodeEntry(scope=scope.key, preselected=False, shown=True)
        session.add(entry)
    return entry


def _check_text(new: NewText) -> None:
    check_language(new.language)
    for name, longest in LONGEST.items():
        if len(getattr(new, name) or "") > longest:
            raise WrongUse("long-text", f"--{name.replace('_', '-')} is at most {longest} characters long.")


def _written(row: TextRow, new: NewText) -> TextRow:
    for name in LONGEST:
        told = getattr(new, name)
        setattr(row, name, (getattr(row, name) or "") if told is None else told.strip())
    return row
