"""Vouchers and batches changed by the command line."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hotspot.clock import utc_now
from tests.deploy.conftest import Surfpass

Json = Callable[..., Any]


def issue(surfpass_json: Json, site: str, *options: str, count: int = 1) -> list[dict[str, Any]]:
    """Issue vouchers of a pass that the site has."""
    told = ("--site", site, "--pass", "day", "--count", str(count))
    return list(surfpass_json("voucher", "issue", *told, *options))


def batch_of(surfpass_json: Json, site: str) -> dict[str, Any]:
    """The latest batch."""
    return dict(surfpass_json("voucher", "batches", "--site", site)[0])


def test_stock_is_activated_and_a_lost_batch_is_switched_off(
    surfpass: Surfpass, surfpass_json: Json, markt: str
) -> None:
    issue(surfpass_json, markt, "--inactive", "--note", "drawer", count=2)
    batch = batch_of(surfpass_json, markt)
    assert (batch["active"], batch["count"], batch["issued"], batch["note"]) == (False, 2, 2, "drawer")
    assert len(surfpass_json("voucher", "list", "--site", markt, "--state", "inactive")) == 2
    assert "2 vouchers" in surfpass("voucher", "activate", batch["batch"]).stdout
    assert surfpass_json("voucher", "list", "--site", markt, "--state", "inactive") == []
    surfpass("voucher", "activate", batch["batch"], code=1)
    surfpass("voucher", "switch-off", batch["batch"])
    assert batch_of(surfpass_json, markt)["active"] is False
    surfpass("voucher", "activate", "nothing", code=1)


def test_time_is_given_and_taken(surfpass: Surfpass, surfpass_json: Json, markt: str) -> None:
    one, two = issue(surfpass_json, markt, count=2)
    before = surfpass_json("voucher", "show", one["serial"])["seconds_left"]
    assert "2 of 2" in surfpass("voucher", "extend", one["serial"], two["code"], "--by", "2h").stdout
    surfpass("voucher", "extend", one["serial"], "--by", "30m", "--less")
    assert surfpass_json("voucher", "show", one["serial"])["seconds_left"] == before + 5400
    surfpass("voucher", "extend", one["serial"], "--by", "0", code=2)


def test_a_lost_slip_is_replaced(surfpass: Surfpass, surfpass_json: Json, markt: str) -> None:
    (lost,) = issue(surfpass_json, markt)
    new = surfpass_json("voucher", "replace", lost["serial"])
    assert surfpass_json("voucher", "show", new["code"])["state"] == "unused"
    assert surfpass_json("voucher", "show", lost["serial"])["state"] == "revoked"
    surfpass("voucher", "replace", lost["serial"], code=1)


def test_an_outage_is_credited_to_nobody_where_nothing_runs(surfpass: Surfpass, markt: str) -> None:
    told = ("voucher", "credit", "--site", markt, "--by", "3h", "--ended-within", "6h")
    assert surfpass(*told).stdout.startswith("0 vouchers")


def test_an_end_by_the_sites_clock_is_written_on_vouchers(surfpass_json: Json, markt: str) -> None:
    (issued,) = issue(surfpass_json, markt, "--good-until", "2036-06-18T11:00")
    assert issued["good_until"].startswith("2036-06-18T09:00")
    (issued,) = issue(surfpass_json, markt, "--until", "2036-06-18T11:00")
    ends = utc_now() + timedelta(seconds=surfpass_json("voucher", "show", issued["serial"])["seconds_left"])
    assert abs(ends - datetime(2036, 6, 18, 9, tzinfo=UTC)) < timedelta(minutes=5)
