"""Which addresses a webhook may lead to: public ones alone, so that nobody makes the PoP talk to its own networks."""

import ipaddress
import socket
from collections.abc import Callable

Resolver = Callable[[str, int], list[str]]
Rule = Callable[[str], bool]

# In these an IPv4 address is hidden that the check of the outer one does not see: 6to4, Teredo, NAT64 (RFC 6052, RFC 8215).
_TUNNELS = tuple(
    ipaddress.IPv6Network(network) for network in ("2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48")
)


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host. OSError where it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_public(text: str) -> bool:
    """Whether an address is on the public internet, and stands for no other one."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or any(address in one for one in _TUNNELS)):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
