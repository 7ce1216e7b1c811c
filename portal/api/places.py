"""Sites, and the passes that can be issued there."""

from sqlalchemy.orm import Session

from hotspot.errors import NotFound
from hotspot.place import Site
from portal import gate
from portal.api import models
from portal.api.call import Call
from vouchers.passes import Pass, passes_at
from vouchers.stock_alarms import set_threshold


def list_sites(call: Call) -> models.Sites:
    """All sites of the key's customer: a handful, so there are no pages."""
    with call.portal.database.read() as session:
        return models.Sites(items=[_site(one) for one in gate.sites(session, call.caller)])


def get_site(call: Call, site_id: str) -> models.Site:
    """One site."""
    with call.portal.database.read() as session:
        return _site(gate.find(session, call.caller, Site, site_id))


def list_passes(call: Call, site_id: str) -> models.Passes:
    """What can be issued; a free pass needs no voucher."""
    with call.portal.database.read() as session:
        site = gate.find(session, call.caller, Site, site_id)
        offered = passes_at(session, site.id, site.customer_id)
    return models.Passes(items=[_pass(one) for one in offered if not one.free])


def set_stock_alarm(call: Call, site_id: str, pass_id: str, body: models.StockAlarm) -> models.StockAlarm:
    """Set it for a pass that is offered at the site."""
    with call.portal.database.write() as session:
        site = gate.find(session, call.caller, Site, site_id)
        article = issuable(session, site, pass_id)
        set_threshold(session, call.caller.actor, site, article, body.below, call.now)
    return body


def issuable(session: Session, site: Site, pass_id: str) -> Pass:
    """The pass with this public id that is offered at the site; NotFound when there is none."""
    for one in passes_at(session, site.id, site.customer_id):
        if one.public_id == pass_id:
            return one
    raise NotFound("no-pass", "This pass is not offered at this site.")


def _site(site: Site) -> models.Site:
    return models.Site(
        id=site.public_id,
        name=site.name,
        kind=site.kind.value,
        ssids=[one.ssid for one in site.ssids],
        timezone=site.timezone,
    )


def _pass(one: Pass) -> models.Pass:
    return models.Pass(
        id=one.public_id,
        name=one.name,
        clock=one.clock,
        minutes=one.minutes,
        until=one.until,
        megabytes=one.megabytes,
        down_kbit=one.down_kbit,
        up_kbit=one.up_kbit,
        devices=one.devices,
        good_days=one.good_days,
        price_cents=one.price_cents,
        currency=one.currency,
    )
