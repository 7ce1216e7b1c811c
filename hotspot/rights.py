"""Who may do what: the rights of each role, in one table."""

import enum

from hotspot.people import Role


class Right(enum.StrEnum):
    """Something that people may do; each address of the staff pages names the one it needs."""

    # The own password, second factor and devices.
    ACCOUNT = "account"
    # Sites, guests now, vouchers by code, serial number or list.
    LOOK_UP = "look_up"
    # How much the hotspot was used.
    SEE_USE = "see_use"
    ISSUE = "issue"
    # Sheets and slips, and with them the codes that nobody has used yet.
    PRINT = "print"
    # Receipt printers: setting them up and taking them away.
    PRINTERS = "printers"
    # What changes vouchers that are there already: revoking and the like.
    CHANGE = "change"
    # Selling vouchers, and closing the shift.
    TILL = "till"
    # The sales ledger, and the shifts of the past.
    SEE_SALES = "see_sales"
    # The venue's own portal page.
    OWN_PAGE = "own_page"
    # Colleagues, and the tablets at the desk.
    PEOPLE = "people"
    # The audit record.
    AUDIT = "audit"
    # Keys and webhooks for tills, hotel and campsite systems.
    API = "api"
    # What is the operator's own.
    OPERATE = "operate"


_EVERYTHING = frozenset(Right)

# Whoever it is: a tablet stands where everybody comes by.
AT_TABLET = frozenset({Right.LOOK_UP, Right.ISSUE, Right.PRINT})

RIGHTS = {
    Role.OPERATOR: _EVERYTHING,
    Role.OWNER: _EVERYTHING - {Right.OPERATE},
    Role.FRONT_DESK: frozenset({Right.ACCOUNT, Right.LOOK_UP, Right.ISSUE, Right.PRINT, Right.TILL}),
    Role.READ_ONLY: frozenset({Right.ACCOUNT, Right.LOOK_UP, Right.SEE_USE, Right.SEE_SALES}),
}
