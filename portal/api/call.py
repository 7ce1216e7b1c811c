"""A call of an operation: what its view is given."""

from dataclasses import dataclass
from datetime import datetime

from portal.api.caller import Caller
from portal.context import Portal


@dataclass(frozen=True)
class Call:
    """The portal, whose call it is, and the moment; `once_key` tells a repeated request from a new one."""

    portal: Portal
    caller: Caller
    now: datetime
    once_key: str = ""
