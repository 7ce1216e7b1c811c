"""Webhooks on the staff pages: adding, trying and withdrawing them, and the log of what was sent. It shows no codes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot import limits
from hotspot.errors import Refusal
from hotspot.limits import Counted, Limit
from hotspot.webhooks import (
    Delivery,
    Event,
    Webhook,
    add_webhook,
    log_of,
    retire_webhook,
    send_again,
    send_test,
    webhooks_of,
)
from portal import gate
from portal.context import current
from portal.languages import link_languages_to
from portal.staff import wording
from portal.staff.systems import KeyForm, WebhookForm, render_systems
from portal.staff.user import signed_in
from portal.staff.wording import StateWords

_EVENTS = {
    Event.ISSUED: _l("vouchers issued"),
    Event.REVOKED: _l("vouchers revoked"),
    Event.RESTORED: _l("revocation undone"),
    Event.STOCK_LOW: _l("stock low"),
    Event.TEST: _l("test"),
}
_STATES = {
    "delivered": StateWords(_l("delivered"), "in-use"),
    "waiting": StateWords(_l("is being tried"), "unused"),
    "given-up": StateWords(_l("given up"), "revoked"),
}
# No finer: a name that leads inside and one that leads nowhere, or a closed port and a silent one, look the same to customers.
_NO_ADDRESS = _l("the name has no address on the public internet")
_NO_ANSWER = _l("no answer")
_REASONS = {
    "no-address": _NO_ADDRESS,
    "not-public": _NO_ADDRESS,
    "bad-certificate": _l("the certificate is not valid"),
    "too-slow": _NO_ANSWER,
    "cut-off": _NO_ANSWER,
    "no-answer": _NO_ANSWER,
}


@dataclass(frozen=True)
class DeliveryLine:
    """A line of the log."""

    public_id: str
    at: str
    event: str
    host: str
    state: StateWords
    result: str
    attempts: int


def make_webhook() -> str | tuple[str, int]:
    """Add a webhook, and show its secret, this once."""
    portal, user, form = current(), signed_in(), WebhookForm()
    try:
        with portal.database.write() as session:
            customer = gate.find_customer(session, user, form.customer.data or "")
            url = form.url.data or ""
            made = add_webhook(session, user.actor, portal.keyring, customer, url, portal.clock())
    except Refusal as refusal:
        form.url.errors = [wording.refusal_words(refusal)]
        return render_systems(KeyForm(None), form), 400
    link_languages_to("staff.systems")
    return render_template("staff/system_secret.html", name=made.webhook.url, secret=made.secret, is_key=False)


def step_webhook(webhook_id: str) -> Response:
    """Try a webhook, or withdraw it."""
    portal, user, step = current(), signed_in(), request.form.get("step", "")
    now = portal.clock()
    with portal.database.write() as session:
        found = gate.find_owned(session, user, Webhook, webhook_id)
        if found.retired_at or step not in ("test", "retire"):
            abort(404)
        if step == "test":
            send = partial(send_test, session, found, now)
            return _by_hand(
                session, found.id, send, _("A test is on its way: within seconds the log says how it went.")
            )
        retire_webhook(session, user.actor, found, now)
    flash(_("Nothing more is sent there."), "good")
    return redirect(url_for("staff.systems"), 303)


def webhook_log() -> str:
    """The last hundred deliveries."""
    portal, user = current(), signed_in()
    with portal.database.read() as session:
        hooks = {one.id: one for one in webhooks_of(session, [one.id for one in gate.customers(session, user)])}
        zone = gate.home_zone(session, user)
        lines = [_line(one, hooks[one.webhook_id], zone) for one in log_of(session, hooks)]
    return render_template("staff/webhook_log.html", lines=lines)


def send_delivery_again(delivery_id: str) -> Response:
    """Send something once more."""
    portal, user = current(), signed_in()
    with portal.database.write() as session:
        found = gate.find_delivery(session, user, delivery_id)
        send = partial(send_again, session, found, portal.clock())
        return _by_hand(session, found.webhook_id, send, _("It is sent again within seconds."))


def _by_hand(session: Session, webhook_id: int, send: Callable[[], None], words: str) -> Response:
    """Send something that somebody has asked for, unless that was too often."""
    portal, one = current(), Counted(Limit.MESSAGES_BY_HAND, str(webhook_id))
    if limits.reached(session, portal.keyring, [one], portal.clock()):
        flash(_("That was a lot in a short time. Please wait ten minutes."), "warn")
    else:
        limits.hit(session, portal.keyring, [one], portal.clock())
        send()
        flash(words, "good")
    return redirect(url_for("staff.webhook_log"), 303)


def _line(one: Delivery, hook: Webhook, zone: ZoneInfo) -> DeliveryLine:
    return DeliveryLine(
        public_id=one.public_id,
        at=wording.day_and_hour(one.created_at, zone),
        event=str(_EVENTS[Event(one.event)]),
        host=hook.host,
        state=_STATES[one.state],
        result=f"HTTP {one.status}" if one.status else str(_REASONS.get(one.outcome, "")),
        attempts=one.attempts,
    )
