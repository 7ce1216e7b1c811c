"""How a site's own page comes about: the operator allows it, the owner makes and submits it, the operator releases it."""

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.colours import Colour, contrasts
from hotspot.errors import Refusal, WrongUse
from hotspot.legal import TEXT_LANGUAGES
from hotspot.looks import (
    Look,
    LookPicture,
    LookState,
    LookText,
    PictureKind,
    open_look,
    picture_body,
    released_look,
)
from hotspot.pictures import EncodedPicture
from hotspot.place import Part, Site, announce_change

LONGEST_WELCOME = 600
LONGEST_NOTE = 500


class Keep(enum.Enum):
    """A picture that is not sent anew: it stays, or goes."""

    STAYS = True
    GOES = False


@dataclass(frozen=True)
class Welcome:
    """A welcome in one language: plain text, lines apart by newlines."""

    language: str
    body: str


@dataclass(frozen=True)
class NewLook:
    """What the owner wants the page to look like."""

    accent: Colour
    ground: Colour
    welcomes: tuple[Welcome, ...]
    logo: EncodedPicture | Keep = Keep.STAYS
    background: EncodedPicture | Keep = Keep.STAYS


class Step(enum.StrEnum):
    """What can be done with a version that is there."""

    SUBMIT = "submit"
    TAKE_BACK = "take-back"
    DISCARD = "discard"
    RETURN = "return"
    RELEASE = "release"


# From which states a step leads, and what the audit record calls it.
_STEPS: dict[Step, tuple[set[LookState], str]] = {
    Step.SUBMIT: ({LookState.DRAFT, LookState.RETURNED}, "own page submitted"),
    Step.TAKE_BACK: ({LookState.SUBMITTED}, "own page taken back"),
    Step.DISCARD: ({LookState.DRAFT, LookState.RETURNED}, "own page discarded"),
    Step.RETURN: ({LookState.SUBMITTED}, "own page returned"),
    Step.RELEASE: ({LookState.SUBMITTED, LookState.REPLACED}, "own page released"),
}
OPERATORS_STEPS = {Step.RETURN, Step.RELEASE}


def allow_own_page(session: Session, actor: Actor, site: Site, allowed: bool, now: datetime) -> None:
    """Switch a site's own page on or off; off, guests get the standard page, and what was made is kept."""
    _lock(session, site)
    if site.own_page == allowed:
        return
    site.own_page = allowed
    announce_change(session)
    audit.record(session, actor, f"own page {'on' if allowed else 'off'}", f"site {site.public_id}", now,
                 customer_id=site.customer_id)  # fmt: skip


def save_look(session: Session, actor: Actor, site: Site, new: NewLook, now: datetime) -> Look:
    """Write the version that is being made, which begins as a copy of the released one; Refusal for what cannot be shown."""
    _check(new)
    _lock(session, site)
    _require_own_page(site)
    look = open_look(session, site.id) or _begin(session, site, now)
    if look.state is LookState.SUBMITTED:
        raise Refusal("look-submitted", "This page waits for its release: take it back to change it.")
    look.accent, look.ground = str(new.accent), str(new.ground)
    look.edits, look.edited_at = look.edits + 1, now
    _write_texts(session, look, new.welcomes)
    for kind, picture in ((PictureKind.LOGO, new.logo), (PictureKind.BACKGROUND, new.background)):
        _write_picture(session, look, kind, picture)
    session.flush()
    _record(session, actor, "own page changed", site, look, now)
    return look


def take_step(
    session: Session, actor: Actor, look: Look, step: Step, seen_edits: int, now: datetime, note: str = ""
) -> None:
    """Lead a version on. Refusal when somebody else has meanwhile, or has changed what the actor saw."""
    site = look.site
    _lock(session, site)
    session.refresh(look)
    states, action = _STEPS[step]
    if look.state not in states or look.edits != seen_edits:
        raise Refusal("look-changed", "Somebody has changed this page meanwhile: look at it again.")
    if step in {Step.SUBMIT, Step.RELEASE}:
        _require_own_page(site)
    _lead_on(session, look, step, note.strip()[:LONGEST_NOTE], now)
    session.flush()
    _record(session, actor, action, site, look, now)


def _lead_on(session: Session, look: Look, step: Step, note: str, now: datetime) -> None:
    match step:
        case Step.SUBMIT:
            look.state, look.submitted_at, look.note = LookState.SUBMITTED, now, ""
        case Step.TAKE_BACK:
            look.state = LookState.DRAFT
        case Step.DISCARD:
            session.delete(look)
        case Step.RETURN:
            if not note:
                raise Refusal("no-note", "Say what has to be changed.")
            look.state, look.note = LookState.RETURNED, note
        case Step.RELEASE:
            if before := released_look(session, look.site_id):
                before.state = LookState.REPLACED
                session.flush()  # one at most is released, at every moment
            look.state, look.released_at = LookState.RELEASED, now
            announce_change(session, Part.SHOWN)


def _lock(session: Session, site: Site) -> None:
    """Versions of a site come one after the other: two people may have its page open."""
    session.refresh(site, with_for_update=True)


def _require_own_page(site: Site) -> None:
    if not site.own_page:
        raise Refusal("no-own-page", "An own page is not part of this site's contract.")


def _check(new: NewLook) -> None:
    if not all(one.readable for one in contrasts(new.accent, new.ground)):
        raise Refusal("unreadable-colours", "Text in these colours cannot be read.")
    if len({one.language for one in new.welcomes}) != len(new.welcomes):
        raise WrongUse("bad-texts", "Give one welcome for each language.")
    for one in new.welcomes:
        if one.language not in TEXT_LANGUAGES:
            raise WrongUse("bad-language", f"{one.language!r} is not one of {', '.join(TEXT_LANGUAGES)}.")
        if len(one.body) > LONGEST_WELCOME or not one.body.replace("\n", "").isprintable():
            raise Refusal("bad-welcome", f"A welcome is plain text of at most {LONGEST_WELCOME} characters.")


def _begin(session: Session, site: Site, now: datetime) -> Look:
    last = session.scalar(select(func.max(Look.number)).where(Look.site_id == site.id)) or 0
    look = Look(site=site, number=last + 1, state=LookState.DRAFT, edits=0, edited_at=now, accent="", ground="")
    session.add(look)
    if before := released_look(session, site.id):
        look.pictures = [_copy(session, picture) for picture in before.pictures]
    return look


def _copy(session: Session, picture: LookPicture) -> LookPicture:
    body = picture_body(session, picture)
    return LookPicture(kind=picture.kind, sha256=picture.sha256, width=picture.width, height=picture.height, body=body)


def _write_texts(session: Session, look: Look, welcomes: tuple[Welcome, ...]) -> None:
    look.texts.clear()
    session.flush()  # the old texts go before new ones of the same language come
    look.texts = [LookText(language=one.language, body=one.body) for one in welcomes if one.body.strip()]


def _write_picture(session: Session, look: Look, kind: PictureKind, new: EncodedPicture | Keep) -> None:
    if new is Keep.STAYS:
        return
    if old := look.picture(kind):
        look.pictures.remove(old)
        session.flush()  # as with the texts
    if isinstance(new, EncodedPicture):
        look.pictures.append(
            LookPicture(kind=kind, sha256=new.sha256, width=new.width, height=new.height, body=new.body)
        )


def _record(session: Session, actor: Actor, action: str, site: Site, look: Look, now: datetime) -> None:
    audit.record(session, actor, action, f"site {site.public_id}", now, customer_id=site.customer_id,
                 detail=f"version {look.number}")  # fmt: skip
