"""What a guest has asked for on the sign-in page: whether it is complete, and the promise that is noted for it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from hotspot import limits
from hotspot.directory import NasRecord
from hotspot.legal import Agreement
from hotspot.limits import Counted, Limit
from hotspot.mac import Mac
from portal import bounce
from portal.flow import Flow
from portal.handoffs import HANDOFFS, Admission
from portal.handoffs.opennds import session_name
from portal.here import Here
from portal.overload import Overloaded
from portal.site_page import Form
from portal.wording import CHOICE_GONE, NO_CHOICE, NO_CODE, TERMS_CHANGED, TERMS_MISSING, Words
from sessions.asking import Asked, ask, running_visit
from sessions.calling_back import ask_for_device
from sessions.kept import let_in
from sessions.offers import Remembered, Wanted, ask_spot, preview, redeem
from sessions.usage import Account
from sessions.visit import hash_device
from vouchers.admission import Reason, Refused
from vouchers.offer import Offer
from vouchers.passes import Pass


def incomplete(form: Form, offer: Offer, known: Remembered | None, agreement: Agreement) -> list[Words]:
    """All that is still missing before anything is looked up."""
    missing = []
    if not form.uses_code(offer) and form.free_pass(offer) is None and known is None:
        missing.append(CHOICE_GONE if form.variant else NO_CHOICE)
    if form.uses_code(offer) and not form.code:
        missing.append(NO_CODE)
    if form.terms != agreement.name:
        missing.append(TERMS_CHANGED if form.terms else TERMS_MISSING)
    return missing


@dataclass(frozen=True, repr=False)
class Wish:
    """A form that is complete: it means a free pass, the voucher that is `known`, or the code that was typed."""

    here: Here
    passing: Flow
    form: Form
    free_pass: Pass | None
    known: Account | None
    agreement: Agreement

    def take(self, session: Session) -> Asked | Refused:
        """Look at it, and note the visit; works inside the caller's write transaction."""
        here, voucher = self.here, self.known
        spot = ask_spot(session, here.located, here.device, here.now)
        if self.free_pass is None and voucher is None:
            device = self.passing.proved_device
            code = bounce.complete(session, here.portal, self.passing, self.form.code, here.now)
            found = redeem(session, here.portal.keyring, here.located, code, device, here.now)
            if isinstance(found, Refused):
                return found
            voucher = found
        wanted = Wanted(here.located, here.device, voucher, self.free_pass, self.form.swaps)
        answer = preview(session, wanted, spot(), here.now)
        return answer if isinstance(answer, Refused) else self._ask(session, wanted)

    def _ask(self, session: Session, wanted: Wanted) -> Asked | Refused:
        """Note the visit, as the gateway is going to ask for it; for one that asks nobody it is decided here and now."""
        here, passing, agreement = self.here, self.passing, self.agreement
        keyring, nas, device = here.portal.keyring, here.nas, passing.device
        admission = HANDOFFS[nas.make].admission if nas else Admission.BY_TICKET
        if nas is None or admission is Admission.BY_TICKET:
            return ask(session, keyring, wanted, passing.nas_id, agreement, here.now)
        if device is None:
            return Refused(Reason.NO_DEVICE)
        if admission is Admission.BY_DEVICE:
            return ask_for_device(session, keyring, wanted, nas, device, agreement, here.now, proved=passing.verified)
        if not passing.verified and (refused := _refuse_unproved(session, here, nas, wanted, device)):
            return refused
        asked = ask(session, keyring, wanted, nas.id, agreement, here.now)
        decided = let_in(session, keyring, nas, here.located, asked, device, session_name(nas, passing), here.now)
        return decided if isinstance(decided, Refused) else asked


def _refuse_unproved(session: Session, here: Here, nas: NasRecord, wanted: Wanted, device: Mac) -> Refused | None:
    """Where the portal decides on what nobody has signed, anybody can name any device, and each gets a place at once.

    So a device that is online stays so, unless it comes with the voucher that it is online with, and only so many come a minute.
    """
    running = running_visit(session, here.site.id, hash_device(here.portal.keyring, device))
    if running and (wanted.voucher is None or running.voucher_id != wanted.voucher.id):
        return Refused(Reason.NO_DEVICE)
    counted = [Counted(Limit.UNSIGNED_AT_NAS, str(nas.id))]
    if limits.reached(session, here.portal.keyring, counted, here.now):
        raise Overloaded
    limits.hit(session, here.portal.keyring, counted, here.now)
    return None
