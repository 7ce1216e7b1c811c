"""The software access point's configuration, taken from what the database knows: a NAS, a site, an access point."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from deploy.installation import Work
from deploy.software_ap.gateway import AccessPointConfig
from hotspot.directory import NasRecord, SiteRecord, load_directory
from hotspot.enrolment import find_site
from hotspot.errors import NotFound, SetupError
from hotspot.place import AccessPoint
from hotspot.settings import Settings, split_bind

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  to be reached, not to be bound


@dataclass(frozen=True)
class Wishes:
    """What a person has set; None leaves it to the settings and the database."""

    site: str | None = None
    access_point: str | None = None
    listen: str | None = None
    portal_url: str | None = None
    radius_host: str | None = None
    auth_port: int | None = None
    acct_port: int | None = None


def set_up(work: Work, settings: Settings, wishes: Wishes) -> AccessPointConfig:
    """Configure an access point of the place as it stands. SetupError or NotFound say what is missing."""
    listen = wishes.listen or settings.demo_ap_bind
    host, port = split_bind(listen)
    directory = load_directory(work.session, work.keyring)
    nas = next((one for one in directory.nas if listen in one.gateway_addresses), None)
    if nas is None:
        raise SetupError(
            "no-nas", f"No NAS has the gateway address {listen}: add one, or choose another with --listen."
        )
    point = _find_access_point(work.session, nas, wishes)
    site = directory.sites[point.site_id]
    return AccessPointConfig(
        portal_url=wishes.portal_url or settings.public_portal_url,
        site_slug=site.slug,
        ssid=_ssid(site, work.now),
        mac=point.radios[0].mac,
        nas_identifier=nas.nas_identifier or point.nas_identifier or nas.name,
        radius_secret=nas.secret,
        uam_secret=nas.uam_secret,
        host=host,
        port=port,
        radius_host=wishes.radius_host or _WILDCARDS.get(settings.radius_bind, settings.radius_bind),
        auth_port=wishes.auth_port or settings.radius_auth_port,
        acct_port=wishes.acct_port or settings.radius_acct_port,
        coa_port=nas.coa_port,
    )


def _find_access_point(session: Session, nas: NasRecord, wishes: Wishes) -> AccessPoint:
    """The access point that is named, else the first one that this NAS may serve and that has a radio."""
    query = select(AccessPoint).where(AccessPoint.retired_at.is_(None), AccessPoint.radios.any())
    if wishes.site:
        query = query.where(AccessPoint.site_id == find_site(session, wishes.site).id)
    if wishes.access_point:
        query = query.where(AccessPoint.name == wishes.access_point)
    if nas.site_id:
        query = query.where(AccessPoint.site_id == nas.site_id)
    found = session.scalars(query.order_by(AccessPoint.id).limit(1).options(selectinload(AccessPoint.radios))).first()
    if found is None:
        raise NotFound("no-access-point", f"NAS {nas.name} serves no such access point with a radio.")
    return found


def _ssid(site: SiteRecord, now: datetime) -> str:
    """The newest name of the site's network that is valid."""
    valid = [name for name, _until in site.ssids if site.has_ssid(name, now)]
    if not valid:
        raise SetupError("no-ssid", f"Site {site.slug} has no SSID.")
    return valid[-1]
