"""Logins by a device's MAC: what the portal has noted it for, and the vouchers that it has used."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, literal_column, or_, select
from sqlalchemy.orm import Session

from hotspot.database import UtcDateTime
from hotspot.directory import NasRecord
from hotspot.keys import Keyring, Purpose
from hotspot.legal import Agreement
from hotspot.place import LoginWay
from hotspot.questions import Query
from sessions.login import Wish
from sessions.visit import Visit, VoucherDevice
from vouchers.admission import Reason, Refused
from vouchers.passes import Pass, passes_by_id
from vouchers.voucher import Voucher

# A device at a site.
_Key = tuple[int, bytes]
# A voucher that a device has used, and what was accepted with it.
_Used = tuple[int, Agreement]


class _Note(NamedTuple):
    """That the portal has promised a device a voucher, or without one a free pass."""

    visit_id: int
    nas_id: int
    voucher_id: int | None
    pass_id: int
    swaps: bool
    terms_id: int | None
    prices_id: int | None


def resolve_devices(session: Session, keyring: Keyring, wishes: list[Wish], in_force: Agreement, now: datetime) -> None:
    """A device means the voucher it used last at this site; where that gives nothing, what the portal has noted it for.

    That voucher must not have ended, and its pass must let the device return. Behind it come those it used before, and then
    those that were only promised to it. A note comes first where the gateway has proved which device it is for: anybody can have
    any other made (docs/decisions/0010).
    """
    for wish in wishes:
        if not _is_proved(wish):
            wish.refused = Refused(Reason.UNKNOWN_DEVICE)
    wishes = [wish for wish in wishes if not wish.refused]
    hashes = {one: wish.device for wish in wishes for one in keyring.hashes(Purpose.DEVICES, str(wish.login.device))}
    known, noted = _remembered(session, hashes, now), _noted(session, hashes, now)
    articles = passes_by_id(
        session, {note.pass_id for notes in noted.values() for note in notes if note.voucher_id is None}
    )
    for wish in wishes:
        key = wish.site.id, wish.device
        own, notes = known.get(key), noted.get(key, [])
        promises = [_promised(wish, note, articles) for note in notes]
        if notes and _is_signed(wish.login.nas, notes[0]):
            wish.instead = promises[:1]
        else:
            wish.instead = [_returning(wish, own, in_force), *promises] if own else promises
        if not wish.instead:
            wish.refused = Refused(Reason.UNKNOWN_DEVICE)


def _is_proved(wish: Wish) -> bool:
    """The MAC is the password too, in one of the spellings in use."""
    mac = str(wish.login.device)
    spellings = (wish.login.user_name, mac, mac.lower(), mac.replace("-", ":"), mac.replace("-", ":").lower(),
                 mac.replace("-", ""), mac.replace("-", "").lower())  # fmt: skip
    return any(wish.login.proof.matches(spelling) for spelling in spellings)


def _is_signed(nas: NasRecord, note: _Note) -> bool:
    """Whether the NAS itself has said which device the note is for: one that has a UAM secret takes nothing unsigned."""
    return note.nas_id == nas.id and nas.uam_secret is not None


def _returning(wish: Wish, vouchers: list[_Used], in_force: Agreement) -> Wish:
    (voucher_id, accepted), *others = vouchers
    behind = [id for id, _accepted in others]
    return replace(
        wish, voucher_id=voucher_id, other_vouchers=behind, accepted=accepted, must_agree=accepted != in_force
    )


def _promised(wish: Wish, note: _Note, articles: Mapping[int, Pass]) -> Wish:
    return replace(
        wish,
        visit_id=note.visit_id,
        voucher_id=note.voucher_id,
        free_pass=articles[note.pass_id] if note.voucher_id is None else None,
        swaps=note.swaps,
        accepted=Agreement(note.terms_id, note.prices_id),
    )


def _remembered(session: Session, hashes: Mapping[bytes, bytes], now: datetime) -> dict[_Key, list[_Used]]:
    """The vouchers that devices, by their hashes, may return on, those to be tried first in front."""
    known: dict[_Key, list[_Used]] = {}
    for device, site_id, voucher_id, last_login_at, return_days, *accepted in _DEVICES.rows(
        session, devices=hashes, now=now
    ):
        if now < last_login_at + timedelta(days=return_days):
            known.setdefault((site_id, hashes[device]), []).append((voucher_id, Agreement(*accepted)))
    return known


def _noted(session: Session, hashes: Mapping[bytes, bytes], now: datetime) -> dict[_Key, list[_Note]]:
    """What the portal has noted devices for, the newest first."""
    noted: dict[_Key, list[_Note]] = {}
    for device, site_id, *note in _NOTED.rows(session, devices=hashes, now=now):
        noted.setdefault((site_id, hashes[device]), []).append(_Note(*note))
    return noted


_NOTED = Query(
    lambda is_in: (
        select(
            Visit.device,
            Visit.site_id,
            Visit.id,
            Visit.nas_id,
            Visit.voucher_id,
            Visit.pass_id,
            Visit.swaps,
            Visit.terms_id,
            Visit.prices_id,
        )
        .where(
            is_in(Visit.device, "devices"),
            Visit.way == literal_column(f"'{LoginWay.MAC}'"),
            Visit.reserved_at.is_(None),
            Visit.closed_at.is_(None),
            Visit.ticket_expires_at > bindparam("now", type_=UtcDateTime()),
        )
        .order_by(Visit.id.desc())
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
            Voucher.inactive.is_(False),
            or_(Voucher.ends_at.is_(None), Voucher.ends_at > bindparam("now", type_=UtcDateTime())),
        )
        .order_by(VoucherDevice.promised_at.is_not(None), VoucherDevice.last_login_at.desc())
    )
)
