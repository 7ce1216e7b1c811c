"""Names and values as gateways write them into an address or a form, read without trusting any of them."""

from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from hotspot.mac import Mac
from portal.handoffs.arrival import Sent

LONGEST_QUERY = 6000
LONGEST_ORIGINAL_URL = 500
_MOST_PARAMETERS = 60
_LONGEST_NAME = 253

Parameters = dict[str, str]


def read_parameters(octets: bytes) -> Parameters | None:
    """Names and their first values; None for more than a gateway sends."""
    if len(octets) > LONGEST_QUERY:
        return None
    try:
        pairs = parse_qsl(octets.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return None
    return {parameter: value for parameter, value in reversed(pairs) if parameter}


def read_fields(sent: Sent) -> Parameters | None:
    """The posted form where there is one, else the query; None for more than a gateway sends."""
    if not sent.form:
        return read_parameters(sent.query)
    if len(sent.form) > _MOST_PARAMETERS or sum(map(len, sent.form.values())) > LONGEST_QUERY:
        return None
    return dict(sent.form)


def name(value: str | None) -> str | None:
    """A short readable text; None for an empty one, ValueError for what is no name."""
    if not value:
        return None
    if len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError("not a name")
    return value


def mac(value: str | None) -> Mac | None:
    """A MAC address; None where there is none, ValueError for anything else."""
    return Mac.parse(value) if value else None


def address(value: str | None) -> str | None:
    """An IP address; None where there is none, ValueError for anything else."""
    return str(ip_address(value)) if value else None


def web_address(value: str | None) -> str | None:
    """`value` when it is a web address of ordinary length, else None: a guest is never sent to anything else."""
    if not value or len(value) > LONGEST_ORIGINAL_URL or not value.isprintable() or not value.isascii():
        return None
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and host and "@" not in parts.netloc else None
