"""Logins by a device's MAC: what the portal has noted it for, and the vouchers that it has used."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, literal_column, or_, select
from sqlalchemy.orm import Session

from hotspot.bulk import Query
from hotspot.database import UtcDateTime
from hotspot.keys import Keyring, Purpose
from hotspot.legal import Agreement
from hotspot.place import LoginWay
from sessions.login import Wish
from sessions.visit import Visit, VoucherDevice
from vouchers.admission import Reason, Refused
from vouchers.passes import passes_by_id
from vouchers.voucher import Voucher


def resolve_devices(session: Session, keyring: Keyring, wishes: list[Wish], in_force: Agreement, now: datetime) -> None:
    """A device means what the portal has noted it for, else the voucher it used last at this site.

    That voucher must not have ended, and its pass must let the device return. Behind it come those it used before, and then
    those that were only promised to it.
    """
    for wish in wishes:
        mac = str(wish.login.device)
        spellings = (wish.login.user_name, mac, mac.lower(), mac.replace("-", ":"), mac.replace("-", ":").lower(),
                     mac.replace("-", ""), mac.replace("-", "").lower())  # fmt: skip
        if not any(wish.login.proof.matches(spelling) for spelling in spellings):
            wish.refused = Refused(Reason.UNKNOWN_DEVICE)
    hashes = {one: wish.device for wish in wishes for one in keyring.hashes(Purpose.DEVICES, str(wish.login.device))}
    known: dict[tuple[int, bytes], list[tuple[int, Agreement]]] = {}
    rows = _DEVICES.rows(session, devices=hashes, now=now)
    for device, site_id, voucher_id, last_login_at, return_days, *accepted in rows:
        if now < last_login_at + timedelta(days=return_days):
            known.setdefault((site_id, hashes[device]), []).append((voucher_id, Agreement(*accepted)))
    promises = {
        (site_id, hashes[device]): promise
        for device, site_id, *promise in _NOTED.rows(session, devices=hashes, now=now)
    }
    articles = passes_by_id(
        session, {pass_id for _, voucher_id, *_, pass_id in promises.values() if voucher_id is None}
    )
    for wish in wishes:
        if promise := promises.get((wish.site.id, wish.device)):
            wish.visit_id, wish.voucher_id, wish.swaps, terms_id, prices_id, pass_id = promise
            wish.accepted = Agreement(terms_id, prices_id)
            wish.free_pass = articles.get(pass_id) if wish.voucher_id is None else None
        elif remembered := known.get((wish.site.id, wish.device)):
            wish.voucher_id, wish.accepted = remembered[0]
            wish.other_vouchers = [voucher_id for voucher_id, _accepted in remembered[1:]]
            wish.must_agree = wish.accepted != in_force
        if wish.voucher_id is None and wish.free_pass is None:
            wish.refused = wish.refused or Refused(Reason.UNKNOWN_DEVICE)


# The newest last, so that it is the one that counts.
_NOTED = Query(
    lambda is_in: (
        select(
            Visit.device,
            Visit.site_id,
            Visit.id,
            Visit.voucher_id,
            Visit.swaps,
            Visit.terms_id,
            Visit.prices_id,
            Visit.pass_id,
        )
        .where(
            is_in(Visit.device, "devices"),
            Visit.way == literal_column(f"'{LoginWay.MAC}'"),
            Visit.reserved_at.is_(None),
            Visit.closed_at.is_(None),
            Visit.ticket_expires_at > bindparam("now", type_=UtcDateTime()),
        )
        .order_by(Visit.id)
    )
)
_DEVICES = Query(
    lambda is_in: (
        select(
            VoucherDevice.device,
            Voucher.site_id,
            Voucher.id,
            VoucherDevice.last_login_at,
            Voucher.return_days,
            VoucherDevice.terms_id,
            VoucherDevice.prices_id,
        )
        .join(Voucher, Voucher.id == VoucherDevice.voucher_id)
        .where(
            is_in(VoucherDevice.device, "devices"),
            Voucher.revoked_at.is_(None),
            or_(Voucher.ends_at.is_(None), Voucher.ends_at > bindparam("now", type_=UtcDateTime())),
        )
        .order_by(VoucherDevice.promised_at.is_not(None), VoucherDevice.last_login_at.desc())
    )
)
