"""How places and passes are shown; secrets, passwords and hashes never are."""

from datetime import datetime

from deploy.commands.output import Shown
from hotspot.people import User
from hotspot.place import AccessPoint, Customer, Nas, Site
from hotspot.settings import Settings
from vouchers.passes import Pass, place_of


def show_customer(customer: Customer) -> Shown:
    """A customer."""
    return {"id": customer.public_id, "name": customer.name, "created_at": customer.created_at}


def show_user(user: User) -> Shown:
    """An account."""
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "customer": user.customer.name if user.customer else None,
    }


def show_site(site: Site, settings: Settings) -> Shown:
    """A site, with the address that its gateways send guests to."""
    return {
        "id": site.public_id,
        "slug": site.slug,
        "name": site.name,
        "kind": site.kind,
        "customer": site.customer.name,
        "ssids": [one.ssid for one in site.ssids],
        "timezone": site.timezone,
        "day_ends": site.day_ends,
        "line": site.line,
        "address": site.address,
        "latitude": site.latitude,
        "longitude": site.longitude,
        "privacy_mode": site.privacy_mode,
        "own_page": site.own_page,
        "portal_url": f"{settings.public_portal_url}/g/{site.slug}",
    }


def show_access_point(access_point: AccessPoint, site: Site) -> Shown:
    """An access point of a site."""
    return {
        "id": access_point.public_id,
        "site": site.slug,
        "name": access_point.name,
        "macs": [radio.mac for radio in access_point.radios],
        "nas_identifier": access_point.nas_identifier,
        "capacity": access_point.capacity,
        "soft": access_point.capacity_is_soft,
        "outdoor": access_point.outdoor,
    }


def show_nas(nas: Nas, now: datetime) -> Shown:
    """A RADIUS client; while its secret is being replaced, until when an old one is taken and when one was last used."""
    old_until = max((old.valid_until for old in nas.old_secrets if now < old.valid_until), default=None)
    return {
        "id": nas.public_id,
        "name": nas.name,
        "network": nas.network,
        "make": nas.make,
        "nas_identifier": nas.nas_identifier,
        "site": nas.site.slug if nas.site else None,
        "grain": nas.grain,
        "logins": nas.logins,
        "message_authenticator": nas.message_authenticator,
        "gateway_addresses": nas.gateway_addresses,
        "uam_pap": nas.uam_pap,
        "guest_networks": nas.guest_networks,
        "coa_port": nas.coa_port,
        "old_secret_until": old_until,
        "old_secret_used_at": nas.old_secret_used_at if old_until else None,
    }


def show_pass(article: Pass, site: Site | None, customer: Customer | None) -> Shown:
    """A pass and where it is offered."""
    return {
        "id": article.public_id,
        "slug": article.slug,
        "name": article.name,
        "clock": article.clock,
        "minutes": article.minutes,
        "until": article.until,
        "megabytes": article.megabytes,
        "down_kbit": article.down_kbit,
        "up_kbit": article.up_kbit,
        "devices": article.devices,
        "replace": article.replace,
        "free": article.free,
        "always": article.always,
        "good_days": article.good_days,
        "return_days": article.return_days,
        "price": f"{article.price_cents // 100}.{article.price_cents % 100:02}",
        "tax_percent": article.tax_basis_points / 100,
        "currency": article.currency,
        "position": place_of(article),
        "preselected": article.preselected,
        "shown": article.shown,
        "site": site.slug if site else None,
        "customer": customer.name if customer else None,
    }
