"""A site's own portal page: the form its owner makes it with, beside a preview."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import BooleanField, ColorField, Field, TextAreaField
from wtforms.validators import Length

from hotspot.colours import Colour, Part, contrasts
from hotspot.errors import Refusal
from hotspot.legal import TEXT_LANGUAGES
from hotspot.look_changes import LONGEST_WELCOME, Keep, NewLook, Welcome, save_look
from hotspot.looks import Look, LookState, PictureKind, looks_of
from hotspot.pictures import LARGEST_FILE_OCTETS, EncodedPicture, encode_background, encode_logo
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.headers import allow_preview_frame
from portal.languages import link_languages_to
from portal.staff import look_words, wording
from portal.staff.user import signed_in
from portal.staff.wording import StateWords

LARGEST_TEXTS_OCTETS = 256 * 1024
LARGEST_FORM_OCTETS = 2 * LARGEST_FILE_OCTETS + LARGEST_TEXTS_OCTETS
_FIRST_ACCENT, _FIRST_GROUND = "#0a6375", "#eef3f6"


def _plain(text: str | None) -> str:
    """Browsers send lines apart by CR LF."""
    return (text or "").replace("\r\n", "\n").strip()


class LookForm(FlaskForm):
    """All that an owner may choose; `welcome_xx` is the welcome in the language xx."""

    accent = ColorField(_l("Colour of links and buttons"))
    ground = ColorField(_l("Background colour"))
    logo = FileField(_l("Logo"))
    remove_logo = BooleanField(_l("Show no logo"))
    background = FileField(_l("Picture at the top"))
    remove_background = BooleanField(_l("Show no picture"))

    @property
    def welcomes(self) -> list[Field]:
        """The fields of the welcome, in every language."""
        return [self[f"welcome_{code}"] for code in TEXT_LANGUAGES]


for _code in TEXT_LANGUAGES:
    _label = Locale(_code).language_name.capitalize()
    _short = Length(max=LONGEST_WELCOME, message=look_words.REFUSALS["bad-welcome"])
    setattr(LookForm, f"welcome_{_code}", TextAreaField(_label, [_short], filters=[_plain]))


@dataclass(frozen=True)
class VersionLine:
    """A version in the list."""

    public_id: str
    number: int
    edits: int
    state: StateWords
    edited: str
    waits: bool
    can_return: bool


@dataclass(frozen=True)
class LookPage:
    """What the page shows; `opened` is the version that is being made."""

    site_id: str
    site_name: str
    allowed: bool
    versions: list[VersionLine]
    opened: VersionLine | None
    note: str
    shown: VersionLine | None
    locked: bool
    has_logo: bool
    has_background: bool
    contrasts: list[look_words.ContrastLine]


def own_page(site_id: str) -> str:
    """The page of a site's own portal page."""
    with current().database.read() as session:
        page, latest = _load(session, gate.find(session, signed_in(), Site, site_id))
    return _render(page, LookForm(None, **_values(latest)))


def save_own_page(site_id: str) -> Response | tuple[str, int]:
    """Keep what was chosen as a draft, and show it."""
    portal, user = current(), signed_in()
    with portal.database.read() as session:
        page, _latest = _load(session, gate.find(session, user, Site, site_id))
    form = LookForm()
    new = _chosen(form)
    if new is None:
        return _render(page, form), 400
    try:
        with portal.database.write() as session:
            save_look(session, user.actor, gate.find(session, user, Site, site_id), new, portal.clock())
    except Refusal as refusal:
        flash(look_words.refusal_words(refusal), "bad")
        return redirect(url_for("staff.own_page", site_id=site_id), 303)
    flash(_("Saved as a draft. Guests do not see it yet."), "good")
    return redirect(url_for("staff.own_page", site_id=site_id), 303)


def _load(session: Session, site: Site) -> tuple[LookPage, Look | None]:
    """The page, and the version that the form begins with."""
    looks = looks_of(session, site.id)
    lines = {look.id: _line(look, ZoneInfo(site.timezone)) for look in looks}
    opened = next((one for one in looks if one.released_at is None), None)
    latest = opened or next((one for one in looks if one.state is LookState.RELEASED), None)
    page = LookPage(
        site_id=site.public_id,
        site_name=site.name,
        allowed=site.own_page,
        versions=list(lines.values()),
        opened=lines[opened.id] if opened else None,
        note=opened.note if opened and opened.state is LookState.RETURNED else "",
        shown=lines[latest.id] if latest else None,
        locked=opened is not None and opened.state is LookState.SUBMITTED,
        has_logo=latest is not None and latest.picture(PictureKind.LOGO) is not None,
        has_background=latest is not None and latest.picture(PictureKind.BACKGROUND) is not None,
        contrasts=look_words.contrast_lines(contrasts(*_colours(latest))) if latest else [],
    )
    return page, latest


def _line(look: Look, zone: ZoneInfo) -> VersionLine:
    return VersionLine(
        public_id=look.public_id,
        number=look.number,
        edits=look.edits,
        state=look_words.STATES[look.state],
        edited=wording.day_and_hour(look.edited_at, zone),
        waits=look.state is LookState.SUBMITTED,
        can_return=look.state is LookState.REPLACED,
    )


def _colours(look: Look) -> tuple[Colour, Colour]:
    return Colour.parse(look.accent), Colour.parse(look.ground)


def _values(latest: Look | None) -> dict[str, Any]:
    if latest is None:
        return {"accent": _FIRST_ACCENT, "ground": _FIRST_GROUND}
    welcomes = {f"welcome_{one.language}": one.body for one in latest.texts}
    return {"accent": latest.accent, "ground": latest.ground, **welcomes}


def _chosen(form: LookForm) -> NewLook | None:
    """What the form says; None when something in it cannot be shown, and the form then says what."""
    valid = form.validate()
    accent, ground = _colour(form.accent), _colour(form.ground)
    logo = _picture(form.logo, form.remove_logo, encode_logo)
    background = _picture(form.background, form.remove_background, encode_background)
    if accent and ground:
        for found in contrasts(accent, ground):
            if not found.readable:
                field = form.accent if found.part is Part.ACCENT else form.ground
                field.errors = [look_words.unreadable(found)]
                field.data = str(found.suggestion)
    if not valid or accent is None or ground is None or any(field.errors for field in form):
        return None
    welcomes = tuple(Welcome(field.name.removeprefix("welcome_"), field.data) for field in form.welcomes if field.data)
    return NewLook(accent, ground, welcomes, logo, background)


def _colour(field: Field) -> Colour | None:
    try:
        return Colour.parse(field.data or "")
    except Refusal:
        field.errors = [_("Please choose a colour, such as #0a6375.")]
        return None


def _picture(field: Field, remove: Field, encode: Callable[[bytes], EncodedPicture]) -> EncodedPicture | Keep:
    if not field.data:
        return Keep.GOES if remove.data else Keep.STAYS
    try:
        return encode(field.data.read(LARGEST_FILE_OCTETS + 1))
    except Refusal as refusal:
        field.errors = [look_words.refusal_words(refusal)]
        return Keep.STAYS


def _render(page: LookPage, form: LookForm) -> str:
    link_languages_to("staff.own_page", site_id=page.site_id)
    allow_preview_frame()
    return render_template("staff/look.html", page=page, form=form)
