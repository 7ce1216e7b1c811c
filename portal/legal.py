"""Legal texts as a guest reads them."""

from dataclasses import dataclass
from datetime import datetime

from babel import Locale
from flask import g, url_for
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from hotspot.legal import LegalKind, LegalVersion
from portal.context import current
from portal.languages import asked_language, language

# A text that is longer has a page of its own, so that the guest's page stays light.
LONGEST_INLINE_TEXT = 8000

NAMES = {
    LegalKind.TERMS: _l("Terms of use"),
    LegalKind.PRICES: _l("Price list"),
    LegalKind.SUMMARY: _l("Contract summary"),
    LegalKind.PRIVACY: _l("Privacy"),
    LegalKind.IMPRINT: _l("Imprint"),
    LegalKind.ACCESSIBILITY: _l("Accessibility"),
}


@dataclass(frozen=True)
class LegalPage:
    """A legal text in the guest's language, or in another one where it is not there; `direction` is `ltr` or `rtl`."""

    number: int
    language: str
    direction: str
    heading: str
    paragraphs: tuple[str, ...]

    @property
    def is_short(self) -> bool:
        """Whether it fits into another page."""
        return sum(map(len, self.paragraphs)) <= LONGEST_INLINE_TEXT


@dataclass(frozen=True)
class LegalLink:
    """A slot as every page leads to it."""

    name: str
    url: str


def links() -> list[LegalLink]:
    """All slots, with the way back to where the guest is."""
    first = next(iter(NAMES))
    # To build an address costs more than all else of the link: they differ in the slot alone.
    address = url_for("pages.legal", kind=first.value, flow=g.get("flow_token"), lang=asked_language())
    path, mark, query = address.partition("?")
    stem = path.removesuffix(first.value)
    return [LegalLink(str(name), f"{stem}{kind.value}{mark}{query}") for kind, name in NAMES.items()]


def legal_page(session: Session, kind: LegalKind, now: datetime) -> LegalPage | None:
    """The version in force, or None while the operator has published none."""
    shown, spoken = current().shown(session), language()
    id_ = shown.timetable(session).in_force(kind, now)
    return shown.keep(("legal text", id_, spoken), lambda: _published(session, id_, spoken)) if id_ else None


def _published(session: Session, version_id: int, spoken: str) -> LegalPage:
    version = session.get_one(LegalVersion, version_id)
    text = version.text(spoken)
    return read_text(version.number, text.language, text.body)


def read_text(number: int, language: str, body: str) -> LegalPage:
    """The text of version `number` as guests read it; a short first paragraph is its heading."""
    paragraphs = [one.strip() for one in body.replace("\r\n", "\n").split("\n\n") if one.strip()]
    titled = len(paragraphs) > 1 and len(paragraphs[0]) <= 100 and "\n" not in paragraphs[0]
    heading = paragraphs.pop(0) if titled else ""
    return LegalPage(number, language, Locale.parse(language).text_direction, heading, tuple(paragraphs))
