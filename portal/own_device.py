"""The guest's own pages: bringing a device online that has no browser, such as a television."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from hotspot import limits
from hotspot.limits import Counted, Limit
from hotspot.mac import Mac
from portal import own
from portal.context import current
from portal.here import Here
from portal.transactions import commit
from portal.wording import ADDED, ADDRESS_IS_OWN, ADDRESS_IS_RANDOM, NO_ADDRESS, NO_DEVICE_LEFT, TOO_MANY_DEVICES, Words
from sessions.devices import add_device, agreed, devices_of, forget_promised
from sessions.visit import Visit, hash_device
from vouchers.voucher import Voucher

blueprint = Blueprint("device", __name__)

_LONGEST_ADDRESS = 40


@dataclass(frozen=True)
class DevicePage:
    """All that the page shows. `expected` devices have been added and have not come yet; `left` more can be."""

    site_name: str
    ssid: str
    action: str
    forget_action: str
    back_url: str
    left: int
    expected: int
    address: str = ""
    alert: Words | None = None
    notice: Words | None = None
    random: bool = False


@blueprint.get("/s/<token>/device")
def form(token: str) -> str | Response:
    """Ask for the device's address."""
    with current().database.read() as session:
        found = own.running(session, token)
        if found is None or not can_add(session, *found):
            return redirect(own.address("status.page", token), 303)
        added = ADDED if request.args.get("added") else None
        return _show(session, *found, token, notice=added)


@blueprint.post("/s/<token>/device")
def add(token: str) -> str | Response:
    """Let the device come in on the guest's voucher."""
    typed = request.form.get("address", "").strip()[:_LONGEST_ADDRESS]
    is_sure = request.form.get("random") == "1"
    found, alert = commit(current().database, lambda session: _add(session, token, typed, is_sure=is_sure))
    if found is None:
        return redirect(own.address("status.page", token), 303)
    if alert is None:
        return redirect(own.address("device.form", token, added="1"), 303)
    with current().database.read() as session:
        return _show(session, *found, token, typed, alert)


@blueprint.post("/s/<token>/device/forget")
def forget(token: str) -> Response:
    """Take back what was added and has not come yet."""
    commit(current().database, lambda session: _forget(session, token))
    return redirect(own.address("device.form", token), 303)


def _forget(session: Session, token: str) -> None:
    found = own.running(session, token)
    if found is not None and found[1].voucher_id:
        forget_promised(session, found[1].voucher_id, found[1].device)


def can_add(session: Session, here: Here, visit: Visit) -> bool:
    """Whether the visit's voucher is for several devices, and lets them come without the portal."""
    if not visit.runs or not own.returns_by_mac(here, visit):
        return False
    voucher = session.get(Voucher, visit.voucher_id)
    return voucher is not None and voucher.devices > 1 and voucher.return_days > 0


def _add(session: Session, token: str, typed: str, *, is_sure: bool) -> tuple[tuple[Here, Visit] | None, Words | None]:
    """Whose page it is, None where nothing can be added; and what is the matter."""
    found = own.running(session, token)
    if found is None or not can_add(session, *found):
        return None, None
    return found, _take(session, *found, typed, is_sure=is_sure)


def _take(session: Session, here: Here, visit: Visit, typed: str, *, is_sure: bool) -> Words | None:
    """What is the matter; None when the device may come."""
    try:
        mac = Mac.read(typed)
    except ValueError:
        return NO_ADDRESS
    if not mac.names_a_device or mac in here.directory.by_mac:
        return NO_ADDRESS
    if mac == own.mac_of(here, visit):
        return ADDRESS_IS_OWN
    if mac.is_random and not is_sure:
        return ADDRESS_IS_RANDOM
    counted = [Counted(Limit.DEVICES_BY_VOUCHER, str(visit.voucher_id))]
    if limits.reached(session, here.portal.keyring, counted, here.now):
        return TOO_MANY_DEVICES
    limits.hit(session, here.portal.keyring, counted, here.now)
    voucher_id, device = visit.voucher_id or 0, hash_device(here.portal.keyring, mac)
    added = add_device(session, voucher_id, device, agreed(session, voucher_id, visit.device), here.now)
    return None if added else NO_DEVICE_LEFT


def _show(
    session: Session,
    here: Here,
    visit: Visit,
    token: str,
    typed: str = "",
    alert: Words | None = None,
    notice: Words | None = None,
) -> str:
    own.prepare(here, visit, "device.form", token)
    devices = devices_of(session, visit.voucher_id or 0)
    page = DevicePage(
        site_name=here.site.name,
        ssid=here.ssid,
        action=own.address("device.add", token),
        forget_action=own.address("device.forget", token),
        back_url=own.address("status.page", token),
        left=max(0, session.get_one(Voucher, visit.voucher_id).devices - len(devices.all)),
        expected=len(devices.promised),
        address=typed,
        alert=alert,
        notice=notice,
        random=alert is ADDRESS_IS_RANDOM,
    )
    return render_template("guest/add_device.html", page=page)
