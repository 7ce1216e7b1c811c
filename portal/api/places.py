"""Sites, and the passes that can be issued there."""

from hotspot.place import Site
from portal import gate
from portal.api import models
from portal.api.call import Call
from vouchers.passes import Pass, passes_at


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
