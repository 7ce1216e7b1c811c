"""`surfpass site hours` and `surfpass device`."""

from collections.abc import Callable
from typing import Any

from tests.deploy.conftest import Surfpass

Json = Callable[..., Any]


def test_hours_are_set_for_the_week_and_for_dates(surfpass: Surfpass, surfpass_json: Json, markt: str) -> None:
    assert surfpass("site", "hours", "show", markt).stdout == "markt is always open.\n"
    surfpass("site", "hours", "week", markt, "mon-fri=08:00-12:00", "fri=14:00-24:00", "sun-mon=20:00-02:00")
    surfpass("site", "hours", "day", markt, "2026-12-24", "08:00-14:00")
    surfpass("site", "hours", "day", markt, "2026-12-25")
    shown = {one["day"]: one["open"] for one in surfpass_json("site", "hours", "show", markt)}
    assert shown == {
        "mon": "08:00-12:00, 20:00-02:00",
        **dict.fromkeys(("tue", "wed", "thu"), "08:00-12:00"),
        "fri": "08:00-12:00, 14:00-00:00",
        "sat": "closed",
        "sun": "20:00-02:00",
        "2026-12-24": "08:00-14:00",
        "2026-12-25": "closed",
    }
    for date in ("2026-12-24", "2026-12-25"):
        surfpass("site", "hours", "day", markt, date, "--usual")
    surfpass("site", "hours", "week", markt)
    assert surfpass_json("site", "hours", "show", markt) == []


def test_hours_that_make_no_sense_are_wrong_use(surfpass: Surfpass, markt: str) -> None:
    for told in ("mo-fr=08:00-12:00", "mon=8-12", "mon", "mon=08:00"):
        surfpass("site", "hours", "week", markt, told, code=2)
    surfpass("site", "hours", "week", markt, "mon=08:00-12:00", "mon=11:00-13:00", code=2)
    surfpass("site", "hours", "day", markt, "2026-12-24", "08:00-12:00", "--usual", code=2)


def test_a_device_is_excluded_listed_without_its_mac_and_readmitted(
    surfpass: Surfpass, surfpass_json: Json, markt: str
) -> None:
    added = surfpass_json("device", "exclude", "02:00:00:00:00:07", "--site", markt, "--for", "30d", "--note", "spam")
    surfpass("device", "exclude", "02-00-00-00-00-07")
    everywhere, at_site = surfpass_json("device", "list")
    assert at_site == added
    assert (at_site["site"], at_site["customer"], at_site["note"]) == (markt, None, "spam")
    assert (everywhere["site"], everywhere["until"]) == (None, None)
    assert "02-00" not in surfpass("device", "list").stdout
    assert surfpass("device", "readmit", added["id"]).stdout == "Exclusions taken back: 1.\n"
    assert surfpass("device", "readmit", "020000000007").stdout == "Exclusions taken back: 1.\n"
    surfpass("device", "readmit", "020000000007", code=1)
    surfpass("device", "exclude", "02-00-00-00-00-07", "--site", markt, "--customer", "Gasthof am Markt", code=2)
