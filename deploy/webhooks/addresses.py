"""Which addresses a webhook may lead to: public ones that are not the PoP's own, so that nobody makes it talk to its networks."""

import ipaddress
import re
import socket
from collections.abc import Callable
from pathlib import Path

Resolver = Callable[[str, int], list[str]]
Rule = Callable[[str], bool]

# All of IPv6 that is public lies in it, and no form that hides an IPv4 address but 6to4 and Teredo.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# What IANA keeps for special purposes, and not every Python knows: protocols (with Teredo), 6to4 and its relays, documentation.
_SPECIAL = tuple(
    ipaddress.ip_network(one)
    for one in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")
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
    if not address.is_global or address.is_multicast or address.is_reserved or any(address in one for one in _SPECIAL):
        return False
    return address.version == 4 or address in _GLOBAL_UNICAST


def is_outside(portal_host: str, text: str) -> bool:
    """Whether an address is public, and neither this machine's nor the portal's: those trust the PoP more than others."""
    return is_public(text) and ipaddress.ip_address(text) not in local_addresses() | _addresses_of(portal_host)


def local_addresses() -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses of this machine's interfaces, as Linux tells them."""
    trie, table = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")
    found = re.findall(r"-- (\S+)\n\s+/32 host LOCAL", trie.read_text())
    # There is none where IPv6 is switched off.
    lines = table.read_text().splitlines() if table.exists() else []
    return {ipaddress.ip_address(one) for one in found} | {
        ipaddress.IPv6Address(bytes.fromhex(line.split()[0])) for line in lines
    }


def _addresses_of(host: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """A portal whose name nobody but guests can look up has no public address."""
    try:
        return {ipaddress.ip_address(one.partition("%")[0]) for one in resolve(host, 443)} if host else set()
    except (OSError, UnicodeError):
        return set()
