"""Where guests may be handed back to: the origins of gateways, and whether a NAS's record names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hotspot.directory import NasRecord
from hotspot.hosts import read_host, read_port

WEB_PORTS: Mapping[int, str] = {443: "https", 80: "http"}
_USUAL = {scheme: port for port, scheme in WEB_PORTS.items()}
_LONGEST_URL = 2000


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a web address; the host in lower case, IPv6 in brackets. As text it is as browsers spell it."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}" + ("" if _USUAL[self.scheme] == self.port else f":{self.port}")


def read_origin(url: str) -> Origin:
    """The origin of a web address; ValueError for anything else, for credentials in it and for odd hosts and ports."""
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        raise ValueError("not a web address")
    parts = urlsplit(url)
    if parts.scheme not in _USUAL or "@" in parts.netloc or not parts.hostname:
        raise ValueError("not a web address")
    return make_origin(parts.scheme, parts.hostname, str(_USUAL[parts.scheme] if parts.port is None else parts.port))


def make_origin(scheme: str, host: str, port: str) -> Origin:
    """An origin of its parts; ValueError for a host that is neither an address nor a name, and for what is no port."""
    if scheme not in _USUAL:
        raise ValueError("not a web address")
    return Origin(scheme, read_host(host), read_port(port))


def is_recorded(gateway: str, nas: NasRecord, ports: Mapping[int, str]) -> bool:
    """Whether guests may be handed back there: the record names host and port, or the host alone and the port is the make's.

    The scheme has to be the port's; at a port of the operator's own it has to be one that the make speaks.
    """
    origin = read_origin(gateway)
    schemes = (ports[origin.port],) if origin.port in ports else tuple(ports.values())
    if origin.scheme not in schemes:
        return False
    if f"{origin.host}:{origin.port}" in nas.gateway_addresses:
        return True
    return origin.host in nas.gateway_addresses and origin.port in ports


def recorded_origins(nas: NasRecord, ports: Mapping[int, str]) -> tuple[str, ...]:
    """The origins of a NAS's record, as guests are usually handed back to them."""
    return tuple(str(_recorded(address, ports)) for address in nas.gateway_addresses)


def _recorded(address: str, ports: Mapping[int, str]) -> Origin:
    host, colon, port = address.rpartition(":")
    usual = next(iter(ports))
    if not colon or address.endswith("]"):
        return Origin(ports[usual], address, usual)
    return Origin(ports.get(int(port), ports[usual]), host, int(port))
