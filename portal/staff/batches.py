"""A batch of vouchers: its list, and the sheets to print and cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import abort, render_template, request
from sqlalchemy.orm import Session

from hotspot.directory import SiteRecord
from hotspot.keys import Keyring
from hotspot.place import Site
from hotspot.rights import Right
from portal import articles, formats, gate, qr
from portal.context import Portal, current
from portal.staff import wording
from portal.staff.desk import ssid_of
from portal.staff.faces import face_of
from portal.staff.growing import growing_page
from portal.staff.undoing import undoable
from portal.staff.user import signed_in
from portal.staff.wording import StateWords
from sessions.status import voucher_statuses
from vouchers.codes import Code
from vouchers.passes import Pass
from vouchers.printing.files import PRINTED, SHOWN, record_print
from vouchers.stock import vouchers_of
from vouchers.voucher import USABLE_LATER, Batch, Voucher, VoucherState, clear_code, not_begun

# A part is what one page shows and one print job holds.
PART = 500
CARDS_ON_A_SHEET = 8


@dataclass(frozen=True)
class VoucherRow:
    """A voucher in its batch; the code is there only while nobody has used it, and for those who may print it."""

    public_id: str
    serial: str
    code: str | None
    state: StateWords


@dataclass(frozen=True)
class BatchHead:
    """What all vouchers of a batch have in common; `price` is empty where there is none."""

    public_id: str
    site_id: str
    site: str
    ssid: str
    name: str
    price: str
    features: str
    note: str
    count: int
    issued: str
    good_from: str
    good_until: str
    progress: "Progress"


@dataclass(frozen=True)
class Progress:
    """How far a batch has come, and whether it can be used."""

    issued: int
    cancelled: bool
    inactive: bool
    good_days: int | None


@dataclass(frozen=True)
class Part:
    """A part of a large batch: its number from 1, and which vouchers it holds."""

    number: int
    first: int
    last: int
    current: bool


@dataclass(frozen=True)
class Card:
    """A card to cut out."""

    serial: str
    code: str
    picture: qr.QrPicture


@dataclass(frozen=True, repr=False)
class _Loaded:
    """A part of a batch, with its place."""

    batch: Batch
    site: Site
    record: SiteRecord
    vouchers: list[Voucher]
    states: dict[int, VoucherState]

    def codes(self, keyring: Keyring) -> dict[int, Code]:
        """The codes of those that nobody has used; deciphered when the database is let go of."""
        usable = (one for one in self.vouchers if self.states[one.id] in USABLE_LATER)
        return {one.id: code for one in usable if (code := clear_code(keyring, one))}


def batch(batch_id: str) -> str:
    """The list of a batch's vouchers."""
    portal, number = current(), _part_asked()
    prints = Right.PRINT in signed_in().rights
    with portal.database.read() as session:
        whole = gate.find(session, signed_in(), Batch, batch_id)
        if whole.is_unfinished:
            return growing_page(whole, session.get_one(Site, whole.site_id), session.get_one(Pass, whole.pass_id))
        loaded = _load(session, portal, whole, number)
        way_back = undoable(session)
    codes = loaded.codes(portal.keyring)
    if codes and prints:
        _note(loaded, len(codes), SHOWN)
    rows = [
        VoucherRow(
            one.public_id,
            one.serial or "",
            codes[one.id].printed if prints and one.id in codes else None,
            wording.STATES[loaded.states[one.id]],
        )
        for one in loaded.vouchers
    ]
    return render_template(
        "staff/batch.html", head=_head(loaded, portal.clock()), rows=rows, parts=_parts(loaded.batch, number),
        part=number, unused=len(codes), undoable=way_back,
    )  # fmt: skip


def print_batch(batch_id: str) -> str:
    """Cards of the batch's unused vouchers, laid out on A4."""
    portal, number = current(), _part_asked()
    with portal.database.read() as session:
        loaded = _load(session, portal, gate.find(session, signed_in(), Batch, batch_id), number)
        face = face_of(session, portal, loaded.site, loaded.vouchers[0])
    codes = loaded.codes(portal.keyring)
    _note(loaded, len(codes), PRINTED)
    address = portal.settings.public_portal_url
    cards = [
        Card(one.serial or "", codes[one.id].printed, qr.draw(f"{address}/v/{codes[one.id].value}"))
        for one in loaded.vouchers
        if one.id in codes
    ]
    sheets = [cards[start : start + CARDS_ON_A_SHEET] for start in range(0, len(cards), CARDS_ON_A_SHEET)]
    return render_template(
        "staff/print.html", head=_head(loaded, portal.clock()), sheets=sheets, face=face, part=number
    )


def _note(loaded: _Loaded, count: int, entry: str) -> None:
    portal = current()
    with portal.database.write() as session:
        record_print(session, signed_in().actor, loaded.site, loaded.batch, count, portal.clock(), entry)


def _part_asked() -> int:
    number = request.args.get("part", 1, type=int)
    if not 1 <= number <= 1000:
        abort(404)
    return number


def _load(session: Session, portal: Portal, found: Batch, part: int) -> _Loaded:
    vouchers = vouchers_of(session, found, offset=(part - 1) * PART, limit=PART)
    if not vouchers:
        abort(404)
    directory = portal.directory(session)
    statuses = voucher_statuses(session, directory, vouchers, portal.clock())
    place = session.get_one(Site, found.site_id)
    place.ssids  # noqa: B018 - loaded while the session is there
    states = {id_: status.state for id_, status in statuses.items()}
    return _Loaded(found, place, directory.sites[place.id], vouchers, states)


def _head(loaded: _Loaded, now: datetime) -> BatchHead:
    first, zone = loaded.vouchers[0], loaded.record.zone
    return BatchHead(
        public_id=loaded.batch.public_id,
        site_id=loaded.site.public_id,
        site=loaded.site.name,
        ssid=ssid_of(loaded.site),
        name=first.name,
        price=formats.price(first.price_cents, first.currency) if first.price_cents else "",
        features=" · ".join(articles.features(first.terms, loaded.record, now)),
        note=loaded.batch.note,
        count=loaded.batch.count,
        issued=wording.day_and_hour(loaded.batch.issued_at, zone),
        good_from=wording.day_and_hour(first.good_from, zone) if first.good_from else "",
        good_until=wording.first_use_by(first, zone),
        progress=_progress(loaded.batch, first),
    )


def _progress(batch: Batch, first: Voucher) -> Progress:
    begins_later = batch.activated_at is None and first.good_until == not_begun(first.until)
    days = batch.good_days if begins_later else None
    return Progress(batch.issued, batch.cancelled_at is not None, batch.inactive, days)


def _parts(whole: Batch, number: int) -> Sequence[Part]:
    """The parts of a batch that is too large for one page; none of a smaller one."""
    if whole.issued <= PART:
        return ()
    starts = range(0, whole.issued, PART)
    return [
        Part(index, start + 1, min(start + PART, whole.issued), index == number)
        for index, start in enumerate(starts, 1)
    ]
