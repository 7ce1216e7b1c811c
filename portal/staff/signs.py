"""Signs that mark a site as a hotspot (R12), to download and print."""

from dataclasses import dataclass

from flask import Response, abort, render_template
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from hotspot.colours import Colour
from hotspot.looks import released_look
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.staff.desk import ssid_of
from portal.staff.faces import CARD_LANGUAGES
from portal.staff.user import signed_in
from vouchers.printing import sign
from vouchers.printing.cards import logo_of
from vouchers.printing.sign import Format, Sign, SignWords

# The product's own, where the site has no look of its own.
_ACCENT = Colour(10, 99, 117)
FORMATS = {
    Format.SIGN_A4: _l("Sign, A4"),
    Format.SIGN_A5: _l("Sign, A5"),
    Format.POSTER_A3: _l("Poster, A3"),
    Format.TENT: _l("Tent card for tables, A4 to fold"),
    Format.STICKERS: _l("Stickers, 8 on an A4 sheet, 105 × 74 mm"),
}


@dataclass(frozen=True)
class FormatLine:
    """A format to choose."""

    name: str
    label: str


def signs(site_id: str) -> str:
    """The page with all formats."""
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        ssid = ssid_of(site)
    lines = [FormatLine(one.value, str(label)) for one, label in FORMATS.items()]
    return render_template("staff/signs.html", site_id=site_id, site=site.name, ssid=ssid, formats=lines)


def sign_pdf(site_id: str, format: str) -> Response:
    """A sign in one format."""
    if format not in list(Format):
        abort(404)
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        made = _sign(session, site)
    headers = {"Content-Disposition": f'inline; filename="{site.slug}-{format}.pdf"'}
    return Response(sign.render(made, Format(format)), mimetype="application/pdf", headers=headers)


def _sign(session: Session, site: Site) -> Sign:
    look = released_look(session, site.id) if site.own_page else None
    return Sign(
        site=site.name,
        operator=current().settings.operator_name,
        ssid=ssid_of(site),
        words=tuple(_words(language) for language in CARD_LANGUAGES),
        accent=look.palette.light.accent if look else _ACCENT,
        logo=logo_of(session, site),
    )


def _words(language: str) -> SignWords:
    with force_locale(language):
        steps = (
            _("Join the Wi-Fi, or scan the QR code."),
            _("The sign-in page opens by itself."),
            _("Choose your access. That is all."),
        )
        return SignWords(language, _("Wi-Fi for guests"), steps)
