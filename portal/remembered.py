"""A guest whose device may come back without the portal and has come by it all the same, as when the terms have changed."""

from sqlalchemy.orm import Session

from hotspot.place import LoginWay
from portal.here import Here
from sessions.offers import Remembered, remembered


def remembered_here(session: Session, here: Here) -> Remembered | None:
    """The voucher that the guest's device used last here; only where its gateway proves the device, and lets it in by its MAC."""
    device, nas = here.device, here.nas
    if device is None or nas is None or LoginWay.MAC not in nas.logins:
        return None
    return remembered(session, here.site, device, here.portal.shown(session).agreement(session, here.now), here.now)
