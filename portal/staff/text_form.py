"""Publishing a version of a legal text: written in every language, looked at, then published for good."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import DateTimeLocalField, Field, HiddenField, TextAreaField
from wtforms.validators import Length, Optional

from hotspot.errors import Refusal
from hotspot.legal import LONGEST_TEXT, TEXT_LANGUAGES, LegalKind, LegalVersion, NewText, publish, versions_of
from portal.context import current
from portal.legal import NAMES, LegalPage, read_text
from portal.staff import wording
from portal.staff.user import signed_in
from sessions.agreements import accepted

# Eight texts, their characters of up to four octets.
LARGEST_FORM_OCTETS = 4 * LONGEST_TEXT * len(TEXT_LANGUAGES) + 64 * 1024
_ASKS_AGAIN = (LegalKind.TERMS, LegalKind.PRICES)
_UTC = ZoneInfo("UTC")


def _plain(text: str | None) -> str:
    """Browsers send lines apart by CR LF; what is published is hashed, so it must not depend on the browser."""
    return (text or "").replace("\r\n", "\n").strip()


class TextForm(FlaskForm):
    """A version to publish; `text_xx` is its text in the language xx.

    `after` is the number of the version it follows, `seen` the digest of what was looked at.
    """

    after = HiddenField()
    seen = HiddenField()
    valid_from = DateTimeLocalField(_l("In force from (UTC)"), [Optional()])

    @property
    def texts(self) -> list[Field]:
        """The fields of the text, in every language."""
        return [self[f"text_{code}"] for code in TEXT_LANGUAGES]

    def filled(self) -> list[NewText]:
        """The texts that are not empty."""
        told = ((code, self[f"text_{code}"].data) for code in TEXT_LANGUAGES)
        return [NewText(code, body) for code, body in told if body]

    def digest(self) -> str:
        """Of all that would be published."""
        return hashlib.sha256(repr((self.filled(), self.valid_from.data)).encode()).hexdigest()

    def moment(self, now: datetime) -> datetime:
        """When the version comes into force; now where nothing is said."""
        told: datetime | None = self.valid_from.data
        return told.replace(tzinfo=UTC) if told else now


for _code in TEXT_LANGUAGES:
    _locale = Locale(_code)
    _marks = {"rows": 12, "lang": _code, "dir": _locale.text_direction, "spellcheck": "true"}
    _fits = Length(max=LONGEST_TEXT, message=wording.REFUSALS["bad-text"])
    _name = _locale.language_name.capitalize()
    setattr(TextForm, f"text_{_code}", TextAreaField(_name, [_fits], filters=[_plain], render_kw=_marks))


@dataclass(frozen=True)
class VersionLine:
    """A version in the list; `accepted` is None for a text that nobody has to accept."""

    number: int
    since: str
    languages: str
    is_to_come: bool
    accepted: int | None


@dataclass(frozen=True)
class TextPage:
    """The page of one text."""

    kind: str
    name: str
    asks_again: bool
    versions: list[VersionLine]
    preview: list[LegalPage]


def text(kind: str) -> str:
    """The versions of a text, and the form for the next one, filled in with what the last one says."""
    wanted = _kind(kind)
    with current().database.read() as session:
        versions = versions_of(session, wanted)
        lines = _lines(session, wanted, versions)
    last = versions[-1] if versions else None
    bodies = {f"text_{one.language}": one.body for one in last.texts} if last else {}
    return _render(wanted, lines, TextForm(None, after=str(_number(versions)), **bodies))


def publish_text(kind: str) -> Response | tuple[str, int]:
    """Show what was written as guests will read it, or publish it."""
    wanted, portal, user = _kind(kind), current(), signed_in()
    form, now = TextForm(), portal.clock()
    with portal.database.read() as session:
        versions = versions_of(session, wanted)
        lines = _lines(session, wanted, versions)
    if form.after.data != str(_number(versions)):
        flash(
            _("Somebody else has published a version meanwhile. Please look at it first: yours follows below."), "bad"
        )
        form.after.data = str(_number(versions))
        return _render(wanted, lines, form), 409
    if not _is_whole(form, now):
        return _render(wanted, lines, form), 400
    if request.form.get("step") != "publish" or form.seen.data != form.digest():
        form.seen.data = form.digest()
        return _render(wanted, lines, form, _read(form, versions)), 200
    try:
        with portal.database.write() as session:
            version = publish(session, user.actor, wanted, form.filled(), form.moment(now), now)
            number = version.number
    except Refusal as refusal:
        flash(str(wording.REFUSALS.get(refusal.code, refusal.sentence)), "bad")
        return _render(wanted, lines, form), 400
    flash(_("Version %(number)s is published.", number=number), "good")
    return redirect(url_for("staff.text", kind=kind), 303)


def _kind(kind: str) -> LegalKind:
    try:
        return LegalKind(kind)
    except ValueError:
        abort(404)


def _read(form: TextForm, versions: Sequence[LegalVersion]) -> list[LegalPage]:
    return [read_text(_number(versions) + 1, one.language, one.body) for one in form.filled()]


def _is_whole(form: TextForm, now: datetime) -> bool:
    """Whether this can be published; the form says what is the matter otherwise."""
    whole = bool(form.validate())
    if not form.filled():
        form.texts[0].errors = [wording.REFUSALS["no-text"]]
        whole = False
    if not form.valid_from.errors and form.moment(now) < now:
        form.valid_from.errors = [wording.REFUSALS["valid-from-past"]]
        whole = False
    return whole


def _number(versions: Sequence[LegalVersion]) -> int:
    return max((one.number for one in versions), default=0)


def _lines(session: Session, kind: LegalKind, versions: Sequence[LegalVersion]) -> list[VersionLine]:
    counts: dict[int, int] = {}
    if kind in _ASKS_AGAIN:
        counts = {one.number: 0 for one in versions}
        for one in accepted(session):
            if one.kind is kind:
                counts[one.number] += one.count
    now = current().clock()
    return [
        VersionLine(
            number=one.number,
            since=wording.day_and_hour(one.valid_from, _UTC),
            languages=", ".join(Locale(text.language).language_name for text in one.texts),
            is_to_come=one.valid_from > now,
            accepted=counts.get(one.number),
        )
        for one in reversed(versions)
    ]


def _render(kind: LegalKind, versions: list[VersionLine], form: TextForm, preview: Sequence[LegalPage] = ()) -> str:
    page = TextPage(kind.value, str(NAMES[kind]), kind in _ASKS_AGAIN, versions, list(preview))
    return render_template("staff/text.html", page=page, form=form)
