"""The languages of the pages: which one this guest gets, and links to the others."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Flask, current_app, g, request, url_for
from flask_babel import Babel, get_locale
from werkzeug.exceptions import HTTPException

from portal.context import current

LANGUAGE_NAMES = {
    "de": "Deutsch",
    "en": "English",
    "fr": "Français",
    "it": "Italiano",
    "cs": "Čeština",
    "tr": "Türkçe",
    "uk": "Українська",
    "ar": "العربية",
}
# Staff pages have a catalogue of their own, for the languages of those who work with them.
STAFF_LANGUAGES = ("de", "en")
# Guests who read neither are more likely to know some English.
DEFAULT_LANGUAGE = "en"
COOKIE = "surfpass_lang"


@dataclass(frozen=True)
class LanguageLink:
    """A language the page can be had in."""

    code: str
    name: str
    url: str
    current: bool


def init_app(app: Flask) -> None:
    """Make `app` speak the guest's language."""
    folder = str(Path(app.template_folder or "") / "translations")
    # Flask-Babel takes one folder for each catalogue.
    app.config.update(BABEL_DOMAIN="messages;staff", BABEL_TRANSLATION_DIRECTORIES=f"{folder};{folder}")
    Babel(app, default_locale=DEFAULT_LANGUAGE, locale_selector=_choose_language)
    app.context_processor(_page_values)
    app.add_template_global(asset)
    app.add_template_global(language_links)


def speak_to_staff() -> None:
    """Show this page in a language of staff pages only."""
    g.languages = STAFF_LANGUAGES


def _offered() -> Sequence[str]:
    languages: Sequence[str] = g.get("languages", tuple(LANGUAGE_NAMES))
    return languages


def asked_language() -> str | None:
    """The language chosen by hand: in the address, in the form just sent, or in the one before."""
    wishes = (request.args.get("lang"), _in_form(), request.cookies.get(COOKIE))
    return next((wish for wish in wishes if wish in _offered()), None)


def _in_form() -> str | None:
    """A form too large to be read is answered with an error page, which needs a language all the same."""
    try:
        return request.form.get("lang")
    except HTTPException:
        return None


def language() -> str:
    """The language of this page, one of LANGUAGE_NAMES."""
    return str(get_locale() or DEFAULT_LANGUAGE)


def link_languages_to(endpoint: str, **values: str) -> None:
    """Where the language switch of this page leads, when the page's own address is not it."""
    g.language_target = (endpoint, values)


def link_languages_nowhere() -> None:
    """Offer no language switch on this page."""
    g.language_target = (None, {})


def language_links() -> list[LanguageLink]:
    """This page in every language; none when it has no address to come back to."""
    here = (request.endpoint, request.view_args or {}) if request.method == "GET" else (None, {})
    endpoint, values = g.get("language_target", here)
    if not endpoint:
        return []
    # To build an address costs more than all else of the link: they differ in their last letters alone.
    rest = {name: value for name, value in values.items() if name != "lang"}
    address, spoken = url_for(endpoint, **rest, lang="").removesuffix("lang="), language()
    return [LanguageLink(code, LANGUAGE_NAMES[code], f"{address}lang={code}", code == spoken) for code in _offered()]


def asset(name: str) -> str:
    """The address of a static file; it changes with the file."""
    return url_for("static", filename=name, v=_digest(Path(current_app.static_folder or "") / name))


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def _choose_language() -> str:
    return asked_language() or request.accept_languages.best_match(_offered()) or DEFAULT_LANGUAGE


def _direction() -> str:
    """`rtl` where the language is written from right to left."""
    locale = get_locale()
    return locale.text_direction if locale else "ltr"


def _page_values() -> dict[str, str | None]:
    settings = current().settings
    return {
        "operator_name": settings.operator_name,
        "product_name": settings.product_name,
        "language": language(),
        "language_name": LANGUAGE_NAMES[language()],
        "direction": _direction(),
        "asked_language": asked_language(),
        "flow_token": g.get("flow_token"),
    }
