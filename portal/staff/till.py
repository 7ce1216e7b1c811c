"""The till of a site: selling vouchers that were printed before, and closing the shift."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import HiddenField, StringField
from wtforms.validators import Length, ValidationError

from hotspot.errors import NotFound, Refusal
from hotspot.place import Site
from portal import formats, gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.user import signed_in
from vouchers.ledger import sell
from vouchers.shifts import Count, Shift, close_shift, currencies, running_shift
from vouchers.voucher import Voucher

DEFAULT_CURRENCY = "EUR"


class MoneyField(StringField):
    """An amount as people type it, "12,50" or "12.50"; `cents` once it has been validated."""

    cents = 0

    def pre_validate(self, form: FlaskForm) -> None:
        """Read it; nothing typed is nothing counted."""
        try:
            cents = Decimal((self.data or "0").replace(",", ".").strip() or "0") * 100
        except DecimalException:
            raise ValidationError(wording.REFUSALS["bad-money"]) from None
        if not cents.is_finite() or cents != cents.to_integral_value() or not 0 <= cents <= 100_000_000:
            raise ValidationError(wording.REFUSALS["bad-money"])
        self.cents = int(cents)


class CloseForm(FlaskForm):
    """What was counted; `number` and `expected` are of the shift as it was shown."""

    currency = HiddenField()
    number = HiddenField()
    expected = HiddenField()
    counted = MoneyField(_l("Counted in the till"), render_kw={"inputmode": "decimal", "required": True})
    kept = MoneyField(_l("Of that stays in the till"), render_kw={"inputmode": "decimal"})
    note = StringField(_l("Note, such as why it differs"), [Length(max=200)], render_kw={"maxlength": 200})


@dataclass(frozen=True)
class TurnoverLine:
    """Passes of one kind in the shift."""

    what: str
    count: int
    amount: str


@dataclass(frozen=True)
class ShiftCard:
    """The shift that runs in one currency, with the form that closes it."""

    number: int
    began: str
    carried: str
    turnover: Sequence[TurnoverLine]
    expected: str
    form: CloseForm


@dataclass(frozen=True)
class TillPage:
    """The page of the till."""

    site_id: str
    site: str
    shifts: Sequence[ShiftCard]


def till(site_id: str) -> str:
    """The page."""
    return _page(site_id)


def sell_voucher(site_id: str) -> Response | tuple[str, int]:
    """Write down that a voucher with this code or serial number was handed out against money."""
    portal, user, wanted = current(), signed_in(), request.form.get("wanted", "")
    try:
        with portal.database.write() as session:
            site = gate.find(session, user, Site, site_id)
            found = gate.find_voucher(session, user, portal.keyring, wanted)
            count = sell(session, user.actor, site, Voucher.id == found.id, portal.clock())
            told = found.name, formats.price(found.price_cents, found.currency)
    except NotFound as error:
        return _page(site_id, wanted=wanted[:80], error=str(wording.REFUSALS.get(error.code, error.sentence))), 404
    if not count:
        return _page(site_id, wanted=wanted[:80], error=str(wording.REFUSALS["not-for-sale"])), 409
    flash(_("Sold: %(name)s, %(price)s.", name=told[0], price=told[1]), "good")
    return redirect(url_for("staff.till", site_id=site_id), 303)


def close_till(site_id: str) -> Response | tuple[str, int]:
    """Close the shift, unless it has become another one since it was shown."""
    portal, user, form = current(), signed_in(), CloseForm()
    if not form.validate():
        return _page(site_id, form), 400
    count = Count(form.counted.cents, form.kept.cents, form.note.data or "")
    try:
        with portal.database.write() as session:
            site = gate.find(session, user, Site, site_id)
            seen = _number(form.number.data), _number(form.expected.data)
            currency = str(form.currency.data)
            if currency not in (currencies(session, site) or [DEFAULT_CURRENCY]):
                abort(400)
            closing = close_shift(session, user.actor, site, currency, seen, count, portal.clock())
            words = _told(closing.difference_cents, currency)
    except Refusal as refusal:
        flash(str(wording.REFUSALS.get(refusal.code, refusal.sentence)), "bad")
        return _page(site_id, form), 409
    flash(_("The shift is closed.") + " " + words, "good")
    return redirect(url_for("staff.till", site_id=site_id), 303)


def _number(told: str | None) -> int:
    try:
        return int(told or "")
    except ValueError:
        return -1


def _told(difference: int, currency: str) -> str:
    if difference == 0:
        return str(_("The till is right."))
    amount = formats.price(abs(difference), currency)
    words = _("%(amount)s too much.", amount=amount) if difference > 0 else _("%(amount)s missing.", amount=amount)
    return str(words)


def _page(site_id: str, form: CloseForm | None = None, wanted: str = "", error: str = "") -> str:
    link_languages_to("staff.till", site_id=site_id)
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        shifts = [_card(session, site, currency, form) for currency in currencies(session, site) or [DEFAULT_CURRENCY]]
        page = TillPage(site_id, site.name, shifts)
    return render_template("staff/till.html", page=page, wanted=wanted, error=error)


def _card(session: Session, site: Site, currency: str, sent: CloseForm | None) -> ShiftCard:
    """The shift with the form as it was sent, if it was for this currency; what it was seen as is always what is shown."""
    shift = running_shift(session, site, currency)
    form = sent if sent and sent.currency.data == currency else CloseForm(None)
    form.currency.data, form.number.data, form.expected.data = currency, str(shift.number), str(shift.expected_cents)
    zone = ZoneInfo(site.timezone)
    return ShiftCard(
        number=shift.number,
        began=wording.day_and_hour(shift.began_at, zone) if shift.began_at else "",
        carried=formats.price(shift.carried_cents, currency),
        turnover=_turnover(shift),
        expected=formats.price(shift.expected_cents, currency),
        form=form,
    )


def _turnover(shift: Shift) -> list[TurnoverLine]:
    return [
        TurnoverLine(
            f"{wording.LINE_KINDS[one.kind]}: {one.name}, {formats.price(one.price_cents, shift.currency)}",
            one.count,
            formats.price(one.amount_cents, shift.currency),
        )
        for one in shift.turnover
    ]
