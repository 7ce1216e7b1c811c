"""What the operator's overview says of guesses at voucher codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hotspot.limits import Limit
from hotspot.place import Site
from portal import formats
from portal.context import current
from sessions.guessing import Alarm

ALARMS_SHOWN = timedelta(hours=24)


@dataclass(frozen=True)
class AlarmLine:
    """Where somebody guesses; `stopped` devices have to wait, and `guarded` says that codes have to be sent twice there."""

    place: str
    stopped: int
    guarded: bool
    last: str


def alarm_lines(alarms: Sequence[Alarm], sites: Sequence[Site], now: datetime) -> list[AlarmLine]:
    """The alarms by site, the latest first; those of the whole PoP are under the product's name."""
    names = {site.id: (site.name, ZoneInfo(site.timezone)) for site in sites}
    by_site: dict[int, list[Alarm]] = {}
    for alarm in alarms:
        by_site.setdefault(alarm.site_id, []).append(alarm)
    lines = []
    for site_id, some in by_site.items():
        name, zone = names.get(site_id, (current().settings.product_name, ZoneInfo("UTC")))
        stopped = sum(alarm.count for alarm in some if alarm.limit is Limit.GUESSES_BY_DEVICE)
        guarded = any(alarm.limit is not Limit.GUESSES_BY_DEVICE for alarm in some)
        lines.append(AlarmLine(name, stopped, guarded, formats.moment(some[0].last_at, zone, now)))
    return lines
