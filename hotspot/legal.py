"""The texts the law asks for: their slots, each with versions, and each version with a text per language."""

import enum
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint, bindparam, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, BigId, UtcDateTime, enum_column
from hotspot.errors import NotFound, Refusal, WrongUse
from hotspot.place import Part, announce_change
from hotspot.questions import Query

# The languages a text for guests may be given in, whatever languages the portal itself speaks; those who read none of
# a text's languages get the first of these it has.
TEXT_LANGUAGES = ("en", "de", "fr", "it", "cs", "tr", "uk", "ar")
LONGEST_TEXT = 30_000


class LegalKind(enum.StrEnum):
    """The slots, in the order in which pages link to them."""

    TERMS = "terms"
    PRICES = "prices"
    SUMMARY = "contract-summary"
    PRIVACY = "privacy"
    IMPRINT = "imprint"
    ACCESSIBILITY = "accessibility"


class LegalVersion(Base):
    """A version of a text; never changed once published."""

    __tablename__ = "legal_version"
    __table_args__ = (UniqueConstraint("kind", "number"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[LegalKind] = mapped_column(enum_column(LegalKind))
    number: Mapped[int] = mapped_column(Integer)
    valid_from: Mapped[datetime]
    texts: Mapped[list["LegalText"]] = relationship(lazy="selectin")

    def text(self, language: str) -> "LegalText":
        """The text in `language`, else in the first of TEXT_LANGUAGES there is."""
        return min(self.texts, key=lambda text: (text.language != language, TEXT_LANGUAGES.index(text.language)))


class LegalText(Base):
    """A version's text in one language, with the SHA-256 of what was shown."""

    __tablename__ = "legal_text"
    __table_args__ = (UniqueConstraint("version_id", "language"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("legal_version.id"))
    language: Mapped[str] = mapped_column(String(8))
    body: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class NewText:
    """A text to publish: plain text, paragraphs apart by an empty line."""

    language: str
    body: str


class Agreement(NamedTuple):
    """The versions that a guest accepts, by their ids; None where the operator has published none."""

    terms_id: int | None = None
    prices_id: int | None = None

    @property
    def name(self) -> str:
        """What a form calls it; empty where there is nothing to accept."""
        return "-".join("" if one is None else str(one) for one in self).rstrip("-")


NOTHING_AGREED = Agreement()


@dataclass(frozen=True)
class Slot:
    """A slot as the operator keeps it: the version in force, None for an empty slot, and those that are to come."""

    kind: LegalKind
    current: LegalVersion | None
    upcoming: tuple[LegalVersion, ...]

    @property
    def missing_languages(self) -> tuple[str, ...]:
        """The languages that guests can be given the text in force in, but are not."""
        given = {text.language for text in self.current.texts} if self.current else set()
        return tuple(language for language in TEXT_LANGUAGES if language not in given)


def publish(
    session: Session, actor: Actor, kind: LegalKind, texts: Sequence[NewText], valid_from: datetime, now: datetime
) -> LegalVersion:
    """Publish a new version. Refusal for a text, a language or a moment that cannot be.

    What was in force in the past stays what it was: guests have accepted it.
    """
    _check_texts(texts)
    if valid_from < now:
        raise Refusal("valid-from-past", "A version cannot come into force in the past.")
    last = session.scalar(select(func.max(LegalVersion.number)).where(LegalVersion.kind == kind)) or 0
    version = LegalVersion(
        kind=kind,
        number=last + 1,
        valid_from=valid_from,
        texts=[
            LegalText(language=text.language, body=text.body, sha256=hashlib.sha256(text.body.encode()).hexdigest())
            for text in texts
        ],
    )
    session.add(version)
    session.flush()
    announce_change(session, Part.SHOWN)
    audit.record(session, actor, "legal text published", f"{kind} {version.number}", now)
    return version


def _check_texts(texts: Sequence[NewText]) -> None:
    if not texts or len({text.language for text in texts}) != len(texts):
        raise WrongUse("bad-texts", "Give one text for each language, and at least one.")
    for text in texts:
        check_language(text.language)
        if not text.body.strip() or len(text.body) > LONGEST_TEXT:
            raise Refusal(
                "bad-text", f"The text for {text.language} is empty or longer than {LONGEST_TEXT} characters."
            )


def check_language(language: str) -> None:
    """WrongUse unless texts for guests may be given in this language."""
    if language not in TEXT_LANGUAGES:
        raise WrongUse("bad-language", f"{language[:20]!r} is not one of {', '.join(TEXT_LANGUAGES)}.")


def current_version(session: Session, kind: LegalKind, now: datetime) -> LegalVersion | None:
    """The version in force at `now`, or None while the operator has published none."""
    return session.scalar(
        select(LegalVersion)
        .where(LegalVersion.kind == kind, LegalVersion.valid_from <= now)
        .order_by(LegalVersion.valid_from.desc(), LegalVersion.number.desc())
        .limit(1)
    )


@dataclass(frozen=True)
class Timetable:
    """All versions there are, in the order in which they come into force: kind, id and moment of each."""

    versions: tuple[tuple[LegalKind, int, datetime], ...]

    def in_force(self, kind: LegalKind, now: datetime) -> int | None:
        """The id of the version in force at `now`, as `current_version` has it."""
        return next((id_ for one, id_, start in reversed(self.versions) if one is kind and start <= now), None)

    def agreement(self, now: datetime) -> Agreement:
        """What a guest has to accept at `now`."""
        return Agreement(self.in_force(LegalKind.TERMS, now), self.in_force(LegalKind.PRICES, now))


def load_timetable(session: Session) -> Timetable:
    """All versions, without their texts."""
    columns = (LegalVersion.kind, LegalVersion.id, LegalVersion.valid_from)
    rows = session.execute(select(*columns).order_by(LegalVersion.valid_from, LegalVersion.number))
    return Timetable(tuple((kind, id_, start) for kind, id_, start in rows))


_REACHED = Query(
    lambda _is_in: (
        select(LegalVersion.kind, LegalVersion.id)
        .where(LegalVersion.valid_from <= bindparam("now", type_=UtcDateTime()))
        .order_by(LegalVersion.valid_from, LegalVersion.number)
    )
)


def agreement_in_force(session: Session, now: datetime) -> Agreement:
    """What a guest has to accept at `now`."""
    return ask_agreement(session, now)()


def ask_agreement(session: Session, now: datetime) -> Callable[[], Agreement]:
    """Ask what a guest has to accept at `now`; whoever calls what is returned has it."""
    asked = _REACHED.ask(session, now=now)

    def agreement() -> Agreement:
        newest: dict[LegalKind, int] = dict(asked.rows())
        return Agreement(newest.get(LegalKind.TERMS), newest.get(LegalKind.PRICES))

    return agreement


def find_version(session: Session, kind: LegalKind, number: int) -> LegalVersion:
    """A version by its number; NotFound when there is none."""
    found = session.scalar(select(LegalVersion).where(LegalVersion.kind == kind, LegalVersion.number == number))
    if found is None:
        raise NotFound("no-version", f"There is no version {number} of the {kind}.")
    return found


def versions_of(session: Session, kind: LegalKind) -> Sequence[LegalVersion]:
    """All versions of a text, in the order in which they were published."""
    return session.scalars(select(LegalVersion).where(LegalVersion.kind == kind).order_by(LegalVersion.number)).all()


def slots(session: Session, now: datetime) -> list[Slot]:
    """All slots, the empty ones too; a fixed number of queries."""
    versions = session.scalars(select(LegalVersion).order_by(LegalVersion.valid_from, LegalVersion.number)).all()
    found = []
    for kind in LegalKind:
        own = [version for version in versions if version.kind is kind]
        reached = [version for version in own if version.valid_from <= now]
        upcoming = tuple(version for version in own if version.valid_from > now)
        found.append(Slot(kind, reached[-1] if reached else None, upcoming))
    return found
