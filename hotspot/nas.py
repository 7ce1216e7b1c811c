"""RADIUS clients (NAS) as the operator enrols them; what could not be told apart later is refused."""

import ipaddress
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot import audit
from hotspot.audit import Actor
from hotspot.enrolment import check_name
from hotspot.errors import Refusal, WrongUse
from hotspot.hosts import read_host_port
from hotspot.keys import Keyring, Purpose
from hotspot.place import (
    MAKES_WITHOUT_RADIUS,
    Grain,
    LoginWay,
    MessageAuthenticatorPolicy,
    Nas,
    Site,
    announce_change,
)

SHORTEST_SECRET = 8
# What openNDS takes as faskey. Guests see hashes of it, so that a short one could be tried out at home.
_FAS_KEY = re.compile("[A-Za-z0-9]{16,32}")


@dataclass(frozen=True)
class NewNas:
    """What is told of a NAS when it is added; secrets in clear, no `secret` for a gateway that speaks no RADIUS."""

    name: str
    network: str
    make: str
    secret: str | None = None
    uam_secret: str | None = None
    uam_pap: bool = False
    gateway_addresses: tuple[str, ...] = ()
    nas_identifier: str | None = None
    message_authenticator: MessageAuthenticatorPolicy = MessageAuthenticatorPolicy.YES
    logins: tuple[LoginWay, ...] = (LoginWay.TICKET,)
    grain: Grain = Grain.ACCESS_POINT
    coa_port: int = 3799
    guest_networks: tuple[str, ...] = ()


def add_nas(session: Session, actor: Actor, keyring: Keyring, new: NewNas, site: Site | None, now: datetime) -> Nas:
    """Add a RADIUS client. Refusal when its requests could not be told apart from another's, or name no one site."""
    name, network = check_name(new.name), _check_network(new.network)
    secret = _radius_secret(new)
    if new.grain is Grain.SITE and site is None:
        raise Refusal(
            "ambiguous-site",
            "With grain 'site' nothing in a request would name the site: give --site, and one NAS per site "
            "told apart by --nas-identifier.",
        )
    gateway_addresses = [read_gateway_address(text) for text in new.gateway_addresses]
    guest_networks = check_guest_networks(session, new.guest_networks, site.id if site else None)
    if session.scalar(select(Nas.id).where(Nas.name == name)):
        raise Refusal("name-taken", f"There is a NAS named {name!r} already.")
    if new.make in MAKES_WITHOUT_RADIUS:
        _check_kept_by_portal(session, new, site)
    else:
        _refuse_indistinct_nas(session, keyring, network, new.nas_identifier, secret)
    nas = Nas(
        name=name,
        network=network,
        make=new.make,
        secret=keyring.encrypt(Purpose.SECRETS, secret),
        uam_secret=keyring.encrypt(Purpose.SECRETS, new.uam_secret) if new.uam_secret else None,
        uam_pap=new.uam_pap,
        nas_identifier=new.nas_identifier,
        gateway_addresses=gateway_addresses,
        guest_networks=guest_networks,
        message_authenticator=new.message_authenticator,
        logins=[str(way) for way in new.logins],
        grain=new.grain,
        site_id=site.id if site else None,
        coa_port=new.coa_port,
        created_at=now,
    )
    session.add(nas)
    session.flush()
    announce_change(session)
    customer_id = site.customer_id if site else None
    audit.record(session, actor, "NAS added", f"nas {nas.public_id}", now, customer_id=customer_id, detail=nas.name)
    return nas


def _radius_secret(new: NewNas) -> str:
    """The secret; one that nobody knows for a gateway that speaks no RADIUS."""
    if new.make in MAKES_WITHOUT_RADIUS:
        if new.secret is not None:
            raise WrongUse("no-radius", f"Make {new.make!r} speaks no RADIUS: leave the RADIUS secret out.")
        return secrets.token_urlsafe(32)
    if new.secret is None:
        raise WrongUse("no-secret", "A RADIUS client needs its secret.")
    check_secret(new.secret)
    return new.secret


def _check_kept_by_portal(session: Session, new: NewNas, site: Site | None) -> None:
    """A gateway that speaks no RADIUS is known by its name, proves itself with its key, and serves one site."""
    if not new.uam_secret or not _FAS_KEY.fullmatch(new.uam_secret):
        raise WrongUse("bad-fas-key", "openNDS needs its faskey as UAM secret: 16 to 32 letters and digits.")
    if not new.nas_identifier or not new.gateway_addresses or site is None:
        raise WrongUse(
            "incomplete-nas", "openNDS needs a site, its gatewayname as NAS-Identifier, and its gateway address."
        )
    if new.logins != (LoginWay.TICKET,):
        raise WrongUse("no-radius", f"Make {new.make!r} speaks no RADIUS: guests log in at the portal only.")
    taken = select(Nas.name).where(
        Nas.make.in_(MAKES_WITHOUT_RADIUS), Nas.nas_identifier == new.nas_identifier, Nas.retired_at.is_(None)
    )
    if other := session.scalar(taken):
        raise Refusal("identifier-taken", f"NAS {other!r} has the gatewayname {new.nas_identifier!r} already.")


def check_secret(secret: str) -> None:
    """Refusal for a RADIUS secret that is too short, or longer than devices take."""
    if not SHORTEST_SECRET <= len(secret) <= 128:
        raise Refusal("bad-secret", f"A RADIUS secret needs {SHORTEST_SECRET} to 128 characters.")


def read_gateway_address(text: str) -> str:
    """A gateway's address spelt as portals compare it; WrongUse for anything else."""
    try:
        return read_host_port(text)
    except ValueError as error:
        advice = "such as 10.1.0.1:3990, or wlc.example without a port where it is the make's usual one"
        raise WrongUse("bad-gateway-address", f"{text[:60]!r} is not an address {advice}.") from error


def check_guest_networks(
    session: Session, networks: Collection[str], site_id: int | None, nas_id: int | None = None
) -> list[str]:
    """The networks as they are stored; Refusal where an address in one would not tell whose guest it is.

    One NAS serves one site here: the portal sees nothing of a guest but the address.
    """
    checked = [_check_network(network) for network in networks]
    if checked and site_id is None:
        raise Refusal("ambiguous-site", "A guest network has to name the site: give the NAS a --site.")
    others = session.scalars(select(Nas).where(Nas.id != (nas_id or 0), Nas.retired_at.is_(None)))
    for other in others:
        for network in checked:
            if any(_overlap(network, theirs) for theirs in other.guest_networks):
                raise Refusal("guest-network-taken", f"{network} overlaps with a guest network of NAS {other.name!r}.")
    return checked


def _overlap(one: str, other: str) -> bool:
    ours, theirs = ipaddress.ip_network(one), ipaddress.ip_network(other)
    return ours.version == theirs.version and ours.overlaps(theirs)


def _check_network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip(), strict=True))
    except ValueError as error:
        raise WrongUse("bad-network", f"{text[:60]!r} is not a network such as 10.1.0.0/24.") from error


def _refuse_indistinct_nas(
    session: Session, keyring: Keyring, network: str, nas_identifier: str | None, secret: str
) -> None:
    """The secret is chosen by source address alone (RFC 2865 §3): NAS of one network share it and differ in identifier."""
    same = select(Nas).where(Nas.network == network, Nas.retired_at.is_(None), Nas.make.not_in(MAKES_WITHOUT_RADIUS))
    for other in session.scalars(same):
        if not nas_identifier or not other.nas_identifier or nas_identifier == other.nas_identifier:
            raise Refusal(
                "nas-indistinct",
                f"NAS {other.name!r} has the network {network} too: give each a --nas-identifier of its own.",
            )
        if keyring.decrypt(Purpose.SECRETS, other.secret).decode() != secret:
            raise Refusal(
                "nas-secret-differs", f"NAS {other.name!r} has the same network, so it must share its secret."
            )
