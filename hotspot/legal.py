"""Terms of use, imprint and privacy notice: texts in versions, one text per language."""

import enum
import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, BigId, enum_column
from hotspot.errors import Refusal, WrongUse

LANGUAGES = ("de", "en")
LONGEST_TEXT = 30_000


class LegalKind(enum.StrEnum):
    """The texts a portal page has to show."""

    TERMS = "terms"
    IMPRINT = "imprint"
    PRIVACY = "privacy"


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
        """The text in `language`, else in the first language there is."""
        return next((text for text in self.texts if text.language == language), self.texts[0])


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


def publish(
    session: Session, actor: Actor, kind: LegalKind, texts: list[NewText], valid_from: datetime, now: datetime
) -> LegalVersion:
    """Publish a new version. Refusal for an empty or oversized text, or a language given twice or unknown."""
    if not texts or len({text.language for text in texts}) != len(texts):
        raise WrongUse("bad-texts", "Give one text for each language, and at least one.")
    for text in texts:
        if text.language not in LANGUAGES:
            raise WrongUse("bad-language", f"{text.language!r} is not one of {', '.join(LANGUAGES)}.")
        if not text.body.strip() or len(text.body) > LONGEST_TEXT:
            raise Refusal(
                "bad-text", f"The text for {text.language} is empty or longer than {LONGEST_TEXT} characters."
            )
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
    audit.record(session, actor, "legal text published", f"{kind} {version.number}", now)
    return version


def current_version(session: Session, kind: LegalKind, now: datetime) -> LegalVersion | None:
    """The version in force at `now`, or None while the operator has published none."""
    return session.scalar(
        select(LegalVersion)
        .where(LegalVersion.kind == kind, LegalVersion.valid_from <= now)
        .order_by(LegalVersion.valid_from.desc(), LegalVersion.number.desc())
        .limit(1)
    )
