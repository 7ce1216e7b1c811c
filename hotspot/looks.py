"""The looks of a site's own portal page (R20), in versions: two colours, a logo, a background, a welcome in each language."""

import enum
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, contains_eager, mapped_column, relationship, undefer

from hotspot.colours import Colour, Palette, palette
from hotspot.database import Base, BigId, Identified, enum_column
from hotspot.place import Site


class LookState(enum.StrEnum):
    """How far a version has come; `replaced` ones have been released and can be again."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    RELEASED = "released"
    REPLACED = "replaced"


OPEN = (LookState.DRAFT, LookState.SUBMITTED, LookState.RETURNED)


class PictureKind(enum.StrEnum):
    """What a picture is for."""

    LOGO = "logo"
    BACKGROUND = "background"


class Look(Identified, Base):
    """A version of a site's page.

    `edits` counts up with every change, so that nobody releases what they have not seen. Nothing changes once it has been
    released; a site has one version at most that is released, and one that is not yet.
    """

    __tablename__ = "look"
    __table_args__ = (
        UniqueConstraint("site_id", "number"),
        Index("uq_look_open", "site_id", unique=True,
              sqlite_where=text("state IN ('draft', 'submitted', 'returned')"),
              postgresql_where=text("state IN ('draft', 'submitted', 'returned')")),
        Index("uq_look_released", "site_id", unique=True, sqlite_where=text("state = 'released'"),
              postgresql_where=text("state = 'released'")),
    )  # fmt: skip

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[LookState] = mapped_column(enum_column(LookState))
    edits: Mapped[int] = mapped_column(Integer)
    accent: Mapped[str] = mapped_column(String(7))
    ground: Mapped[str] = mapped_column(String(7))
    note: Mapped[str] = mapped_column(String(500), default="")
    edited_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]

    site: Mapped[Site] = relationship()
    texts: Mapped[list["LookText"]] = relationship(lazy="selectin", cascade="all, delete-orphan")
    pictures: Mapped[list["LookPicture"]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    @property
    def palette(self) -> Palette:
        """Its colours on light and on dark screens."""
        return palette(Colour.parse(self.accent), Colour.parse(self.ground))

    def picture(self, kind: PictureKind) -> "LookPicture | None":
        """Its picture of a kind."""
        return next((one for one in self.pictures if one.kind is kind), None)

    def welcome(self, language: str) -> "LookText | None":
        """The welcome in this language; else in English, else in the first there is."""
        found = {one.language: one for one in self.texts}
        return found.get(language) or found.get("en") or next(iter(found.values()), None)


class LookText(Base):
    """The welcome of a version in one language: plain text."""

    __tablename__ = "look_text"
    __table_args__ = (UniqueConstraint("look_id", "language"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    look_id: Mapped[int] = mapped_column(ForeignKey("look.id"))
    language: Mapped[str] = mapped_column(String(8))
    body: Mapped[str] = mapped_column(Text)


class LookPicture(Base):
    """A picture of a version, as we have encoded it (hotspot/pictures.py); its octets are read only when asked for."""

    __tablename__ = "look_picture"
    __table_args__ = (UniqueConstraint("look_id", "kind"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    look_id: Mapped[int] = mapped_column(ForeignKey("look.id"))
    kind: Mapped[PictureKind] = mapped_column(enum_column(PictureKind))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


def released_look(session: Session, site_id: int) -> Look | None:
    """The version that guests of the site see."""
    return session.scalar(select(Look).where(Look.site_id == site_id, Look.state == LookState.RELEASED))


def open_look(session: Session, site_id: int) -> Look | None:
    """The version that is being made."""
    return session.scalar(select(Look).where(Look.site_id == site_id, Look.state.in_(OPEN)))


def looks_of(session: Session, site_id: int) -> Sequence[Look]:
    """The latest versions of a site's page, the newest first."""
    return session.scalars(select(Look).where(Look.site_id == site_id).order_by(Look.number.desc()).limit(20)).all()


def waiting_looks(session: Session) -> Sequence[Look]:
    """The versions that wait for the operator, the longest wait first."""
    query = (
        select(Look).join(Look.site).where(Look.state == LookState.SUBMITTED, Site.own_page, Site.retired_at.is_(None))
    )
    return session.scalars(query.order_by(Look.submitted_at).options(contains_eager(Look.site))).all()


def public_look(session: Session, public_id: str) -> Look | None:
    """A version that guests may see: it is or was released, at a site that has an own page."""
    shown = Look.released_at.is_not(None), Site.own_page, Site.retired_at.is_(None)
    return session.scalar(select(Look).join(Look.site).where(Look.public_id == public_id, *shown))


def public_picture(session: Session, sha256: str) -> bytes | None:
    """A picture that guests may see, by the hash of its content."""
    shown = Look.released_at.is_not(None), Site.own_page, Site.retired_at.is_(None)
    query = select(LookPicture.body).join(Look, Look.id == LookPicture.look_id).join(Look.site)
    return session.scalar(query.where(LookPicture.sha256 == sha256, *shown).limit(1))


def picture_body(session: Session, picture: LookPicture) -> bytes:
    """The octets of a picture."""
    query = select(LookPicture).where(LookPicture.id == picture.id).options(undefer(LookPicture.body))
    return session.scalars(query.execution_options(populate_existing=True)).one().body
