"""What the audit record calls changes, in people's words; what is new there reads as it was recorded."""

from flask_babel import lazy_gettext as _l

from hotspot.people.record import Kind

KINDS = {
    Kind.VOUCHERS: _l("vouchers"),
    Kind.PEOPLE: _l("people and tablets"),
    Kind.PLACE: _l("sites, passes and pages"),
}

ACTIONS = {
    "vouchers issued": _l("Vouchers issued"),
    "batch cancelled": _l("Batch cancelled"),
    "voucher revoked": _l("Voucher revoked"),
    "voucher replaced": _l("Lost slip replaced"),
    "voucher noted": _l("Note on a voucher changed"),
    "voucher good until": _l("Good-until of a voucher changed"),
    "voucher time changed": _l("Time of a voucher changed"),
    "vouchers switched on": _l("Vouchers switched on"),
    "vouchers switched off": _l("Vouchers switched off"),
    "outage credited": _l("Outage credited"),
    "preset added": _l("Button added"),
    "preset changed": _l("Button changed"),
    "preset moved": _l("Button moved"),
    "preset removed": _l("Button removed"),
    "pass added": _l("Pass added"),
    "pass changed": _l("Pass changed"),
    "pass described": _l("Pass described"),
    "pass retired": _l("Pass withdrawn"),
    "code field changed": _l("Field for codes changed"),
    "preselected": _l("Choice on the portal page changed"),
    "user added": _l("Account added"),
    "user invited": _l("Invited"),
    "user link made": _l("New link made"),
    "user retired": _l("Account closed"),
    "role changed": _l("Role changed"),
    "password chosen": _l("Password chosen"),
    "password changed": _l("Password changed"),
    "second factor set up": _l("Second factor set up"),
    "second factor removed": _l("Second factor switched off"),
    "recovery codes made": _l("Recovery codes made"),
    "recovery code used": _l("Recovery code used"),
    "passkey added": _l("Passkey added"),
    "passkey removed": _l("Passkey removed"),
    "site added": _l("Site added"),
    "access point added": _l("Access point added"),
    "device excluded": _l("Device excluded"),
    "device readmitted": _l("Device admitted again"),
    "own page on": _l("Own page switched on"),
    "own page off": _l("Own page switched off"),
    "own page submitted": _l("Own page sent for release"),
    "own page taken back": _l("Own page taken back"),
    "own page discarded": _l("Own page discarded"),
    "customer added": _l("Customer added"),
    "legal text published": _l("Legal text published"),
}
