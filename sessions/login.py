"""Logins as a door reports them, and the wish that each means: tickets, voucher codes and returning devices end in one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hotspot.directory import Located, NasRecord, SiteRecord
from hotspot.legal import NOTHING_AGREED, Agreement
from hotspot.mac import Mac
from hotspot.place import LoginWay
from sessions.guessing import Try
from vouchers.admission import Refused
from vouchers.passes import Pass

_HANDLE = re.compile("[a-z2-7]{16}")


def is_handle(text: str) -> bool:
    """Whether `text` can be the handle of a visit."""
    return _HANDLE.fullmatch(text) is not None


class Proof(Protocol):
    """The password of a request, in whatever form it crossed the network."""

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the password."""


class Login(NamedTuple):
    """A wish to be online as a NAS reports it."""

    nas: NasRecord
    located: Located
    user_name: str
    proof: Proof
    device: Mac | None
    nas_address: str
    framed_address: str | None = None
    acct_session_id: str | None = None

    def __repr__(self) -> str:
        """Nothing that could be in a log."""
        return "Login"


@dataclass(slots=True, repr=False, eq=False)
class Wish:
    """A login and whom it means: a voucher, or a free pass, perhaps asked for at the portal; or why it cannot be.

    `visit_id` is the visit that the portal has promised with a ticket, None for another way. The code of an
    `attempt` is still to be proved.
    A device that `must_agree` has not accepted what is in force now.
    `other_vouchers` are to be tried in their order where `voucher_id` gives nothing more.
    A device may mean several things: then these are decided `instead`, in their order, and the first that is granted counts.
    """

    login: Login
    way: LoginWay
    device: bytes = b""
    voucher_id: int | None = None
    other_vouchers: Sequence[int] = ()
    free_pass: Pass | None = None
    visit_id: int | None = None
    swaps: bool = False
    refused: Refused | None = None
    attempt: Try | None = None
    code_hashes: Sequence[bytes] = ()
    accepted: Agreement = NOTHING_AGREED
    must_agree: bool = False
    instead: Sequence["Wish"] = ()

    @property
    def meanings(self) -> Sequence["Wish"]:
        """What is decided for this login, one after the other."""
        return self.instead or (self,)

    @property
    def site(self) -> SiteRecord:
        """The site the login comes from."""
        return self.login.located.site
