"""Names and addresses of hosts, spelt one way."""

import re
from ipaddress import ip_address

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)


def read_host(text: str) -> str:
    """A DNS name in lower case, or an IP address, IPv6 in brackets; ValueError for anything else."""
    try:
        address = ip_address(text)
    except ValueError:
        return _name(text.lower())
    if address.version == 6 and address.scope_id:
        raise ValueError("not a host")
    return f"[{address}]" if address.version == 6 else str(address)


def _name(text: str) -> str:
    # Browsers read a name that ends in a number as an address (WHATWG URL, host parsing).
    if not _NAME.fullmatch(text) or _NUMBER.fullmatch(text.rpartition(".")[2]):
        raise ValueError("not a host")
    return text


def read_port(text: str) -> int:
    """A TCP port; ValueError for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536):
        raise ValueError("not a port")
    return int(text)


def read_host_port(text: str) -> str:
    """`host` or `host:port`, the host as `read_host` spells it; ValueError for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or ":" in host.rpartition("]")[2]:
        return read_host(text.removeprefix("[").removesuffix("]") if text.endswith("]") else text)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return f"{read_host(host)}:{read_port(port)}"
