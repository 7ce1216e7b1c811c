"""Keys for other systems (tills, hotel and campsite software), and the page that shows what such systems have here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import SelectField, StringField

from hotspot.api_keys import ApiKey, NewKey, Scope, add_key, keys_of, retire_key
from hotspot.errors import Refusal
from hotspot.people.accounts import users_by_id
from hotspot.webhooks import Webhook, webhooks_of
from portal import gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.user import signed_in
from portal.staff.wording import StateWords

SCOPES = {
    Scope.SITES_READ: _l("see sites and passes"),
    Scope.VOUCHERS_READ: _l("look up vouchers"),
    Scope.VOUCHERS_ISSUE: _l("issue vouchers"),
    Scope.VOUCHERS_PRINT: _l("see unused codes again"),
    Scope.VOUCHERS_CHANGE: _l("change, replace and revoke vouchers"),
}
_LIVES = {"90": _l("90 days"), "365": _l("1 year"), "730": _l("2 years")}
_STATES = {
    "good": StateWords(_l("good"), "in-use"),
    "expired": StateWords(_l("expired"), "over"),
    "retired": StateWords(_l("withdrawn"), "revoked"),
}


class KeyForm(FlaskForm):
    """A key that is to be made; an operator says for which customer. What it opens is ticked."""

    customer = SelectField(_l("Customer"))
    name = StringField(_l("What is it for?"))
    days = SelectField(_l("Good for"), default="365")


class WebhookForm(FlaskForm):
    """An address that is to be told."""

    customer = SelectField(_l("Customer"))
    url = StringField(_l("Address (https)"))


@dataclass(frozen=True)
class KeyLine:
    """A key; `customer` is empty where all are of the same."""

    public_id: str
    name: str
    prefix: str
    customer: str
    scopes: str
    state: StateWords
    is_good: bool
    expires: str
    last_used: str
    maker: str


@dataclass(frozen=True)
class WebhookLine:
    """A webhook; `customer` is empty where all are of the same."""

    public_id: str
    url: str
    customer: str
    lost: str
    maker: str


def systems() -> str:
    """The page."""
    return render_systems(KeyForm(None), WebhookForm(None))


def make_key() -> str | tuple[str, int]:
    """Make a key and show it, this once."""
    portal, user, form = current(), signed_in(), KeyForm()
    now = portal.clock()
    days = int(form.days.data) if form.days.data in _LIVES else 365
    new = NewKey(form.name.data or "", _ticked(), now + timedelta(days=days))
    try:
        with portal.database.write() as session:
            customer = gate.find_customer(session, user, form.customer.data or "")
            made = add_key(session, user.actor, portal.keyring, customer, new, now)
    except Refusal as refusal:
        form.name.errors = [wording.refusal_words(refusal)]
        return render_systems(form, WebhookForm(None)), 400
    link_languages_to("staff.systems")
    return render_template("staff/system_secret.html", name=made.key.name, secret=made.token, is_key=True)


def end_key(key_id: str) -> Response:
    """Withdraw a key."""
    portal, user = current(), signed_in()
    try:
        with portal.database.write() as session:
            retire_key(session, user.actor, gate.find_owned(session, user, ApiKey, key_id), portal.clock())
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "warn")
    else:
        flash(_("This key is withdrawn: it opens nothing any more."), "good")
    return redirect(url_for("staff.systems"), 303)


def render_systems(keys: KeyForm, webhooks: WebhookForm) -> str:
    """The page, with forms as they were filled in."""
    portal, user = current(), signed_in()
    now = portal.clock()
    with portal.database.read() as session:
        customers, zone = gate.customers(session, user), gate.home_zone(session, user)
        names = {one.id: one.name if user.is_operator else "" for one in customers}
        found, hooks = keys_of(session, names), webhooks_of(session, names)
        makers = _makers(session, [one.created_by for one in found] + [one.created_by for one in hooks])
    link_languages_to("staff.systems")
    keys.days.choices = list(_LIVES.items())
    keys.customer.choices = webhooks.customer.choices = [(one.public_id, one.name) for one in customers]
    return render_template(
        "staff/systems.html",
        key_form=keys,
        webhook_form=webhooks,
        with_customer=user.is_operator,
        scopes=[(scope.value, words, scope.value in request.form.getlist("scope")) for scope, words in SCOPES.items()],
        keys=[_line(one, names[one.customer_id], makers, zone, now) for one in found],
        webhooks=[_webhook_line(one, names[one.customer_id], makers, zone) for one in hooks],
    )


def _makers(session: Session, ids: Iterable[int | None]) -> dict[int | None, str]:
    """Who has made something, in words: whoever looks after keys has to see whose account is closed."""
    return {
        one.id: _("made by %(name)s, whose account is closed", name=one.name)
        if one.retired_at
        else _("made by %(name)s", name=one.name)
        for one in users_by_id(session, {id for id in ids if id}).values()
    }


def _ticked() -> frozenset[Scope]:
    return frozenset(scope for scope in Scope if scope.value in request.form.getlist("scope"))


def _webhook_line(hook: Webhook, customer: str, makers: dict[int | None, str], zone: ZoneInfo) -> WebhookLine:
    lost = wording.day_and_hour(hook.lost_at, zone) if hook.lost_at else ""
    return WebhookLine(hook.public_id, hook.url, customer, lost, makers.get(hook.created_by, ""))


def _line(key: ApiKey, customer: str, makers: dict[int | None, str], zone: ZoneInfo, now: datetime) -> KeyLine:
    state = key.state(now)
    return KeyLine(
        public_id=key.public_id,
        name=key.name,
        prefix=key.prefix,
        customer=customer,
        scopes=", ".join(str(SCOPES[Scope(one)]) for one in key.scopes),
        state=_STATES[state],
        is_good=state == "good",
        expires=wording.day(key.expires_at, zone),
        last_used=wording.day(datetime.combine(key.last_used_on, datetime.min.time(), zone), zone)
        if key.last_used_on
        else "",
        maker=makers.get(key.created_by, ""),
    )
