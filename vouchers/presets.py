"""Presets: what a venue's desk issues with one tap, in the order and with the names that its owner likes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, false, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import Refusal, WrongUse
from hotspot.place import Site
from vouchers.passes import Pass

LONGEST_NAME = 40
MOST_PRESETS = 24


class Preset(Identified, Base):
    """A button of a site's desk: a pass, under a name of the venue's, perhaps with an end that the desk types."""

    __tablename__ = "preset"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    pass_id: Mapped[int] = mapped_column(ForeignKey("pass.id"))
    asks_until: Mapped[bool] = mapped_column(default=False, server_default=false())
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")


@dataclass(frozen=True)
class NewPreset:
    """What is told of a preset."""

    name: str
    article: Pass
    asks_until: bool = False
    note: str = ""


def presets_at(session: Session, site_id: int) -> list[tuple[Preset, Pass]]:
    """The site's presets in their order, with their passes; those whose pass is offered no longer are left out."""
    query = (
        select(Preset, Pass)
        .join(Pass, Pass.id == Preset.pass_id)
        .where(Preset.site_id == site_id, Pass.retired_at.is_(None))
        .order_by(Preset.position, Preset.id)
    )
    return [(preset, article) for preset, article in session.execute(query)]


def add_preset(session: Session, actor: Actor, site: Site, new: NewPreset, now: datetime) -> Preset:
    """Add a preset behind the others. Refusal when there are MOST_PRESETS already, or its pass is a free one."""
    last, count = session.execute(
        select(func.max(Preset.position), func.count()).where(Preset.site_id == site.id)
    ).one()
    if count >= MOST_PRESETS:
        raise Refusal("too-many-presets", f"A site has at most {MOST_PRESETS} presets.")
    preset = Preset(site_id=site.id, position=(last or 0) + 1)
    _write(preset, new)
    session.add(preset)
    session.flush()
    _record(session, actor, "preset added", preset, site, now)
    return preset


def change_preset(session: Session, actor: Actor, site: Site, preset: Preset, new: NewPreset, now: datetime) -> None:
    """Change what a preset issues from now on."""
    _write(preset, new)
    _record(session, actor, "preset changed", preset, site, now)


def remove_preset(session: Session, actor: Actor, site: Site, preset: Preset, now: datetime) -> None:
    """Take a preset away; what it has issued stays."""
    session.delete(preset)
    _record(session, actor, "preset removed", preset, site, now)


def move_preset(session: Session, actor: Actor, site: Site, preset: Preset, by: int, now: datetime) -> None:
    """Move a preset `by` places down, or up where it is negative."""
    ordered: Sequence[Preset] = session.scalars(
        select(Preset).where(Preset.site_id == site.id).order_by(Preset.position, Preset.id).with_for_update()
    ).all()
    others = [one for one in ordered if one.id != preset.id]
    others.insert(max(0, ordered.index(preset) + by), preset)
    for position, one in enumerate(others, 1):
        one.position = position
    _record(session, actor, "preset moved", preset, site, now)


def _write(preset: Preset, new: NewPreset) -> None:
    if not new.name.strip() or len(new.name) > LONGEST_NAME:
        raise WrongUse("bad-button", f"A preset needs a name of 1 to {LONGEST_NAME} characters.")
    if new.article.free:
        raise Refusal("pass-is-free", f"{new.article.name!r} is a free pass: guests take it without a voucher.")
    preset.name, preset.pass_id = new.name.strip(), new.article.id
    preset.asks_until, preset.note = new.asks_until, new.note.strip()[:200]


def _record(session: Session, actor: Actor, action: str, preset: Preset, site: Site, now: datetime) -> None:
    subject = f"preset {preset.public_id}"
    audit.record(session, actor, action, subject, now, customer_id=site.customer_id, detail=preset.name)
