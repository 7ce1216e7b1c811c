"""A site's own look on guest pages: what the templates get, its style sheet, and its pictures."""

import base64
import hashlib
from dataclasses import dataclass, fields

from flask import Blueprint, Flask, Response, abort, g, url_for
from sqlalchemy.orm import Session

from hotspot.colours import Scheme
from hotspot.directory import SiteRecord
from hotspot.looks import Look, PictureKind, picture_body, public_look, public_picture, released_look
from portal.context import current
from portal.languages import language

blueprint = Blueprint("look", __name__)

# The address changes with the content.
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class LogoView:
    """A logo on the page, at half its pixels, so that it is sharp on fine screens."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class LookView:
    """What the templates need; the rest is in the style sheet. A welcome has paragraphs and the language it is in."""

    sheet_url: str
    logo: LogoView | None
    pictured: bool
    welcome: tuple[str, ...]
    welcome_language: str


def init_app(app: Flask) -> None:
    """Give the templates the look of the page, which is None on most."""
    app.context_processor(lambda: {"look": g.get("look")})


def dress(session: Session, site: SiteRecord) -> None:
    """Let this page of the site wear what the operator has released, unless it wears a look already."""
    if "look" in g or not site.own_page:
        return
    g.look = current().shown(session).keep(("look", site.id, language()), lambda: _released(session, site))


def _released(session: Session, site: SiteRecord) -> LookView | None:
    look = released_look(session, site.id)
    if look is None:
        return None
    return _view(look, url_for("look.sheet", look_id=look.public_id, v=_digest(look)), _logo_url(look))


def wear(look: Look, sheet_url: str, logo_url: str) -> None:
    """Let this page wear a look."""
    g.look = _view(look, sheet_url, logo_url)


def _view(look: Look, sheet_url: str, logo_url: str) -> LookView:
    logo, welcome = look.picture(PictureKind.LOGO), look.welcome(language())
    return LookView(
        sheet_url=sheet_url,
        logo=LogoView(logo_url, (logo.width + 1) // 2, (logo.height + 1) // 2) if logo else None,
        pictured=look.picture(PictureKind.BACKGROUND) is not None,
        welcome=tuple(part.strip() for part in welcome.body.split("\n\n") if part.strip()) if welcome else (),
        welcome_language=welcome.language if welcome else "",
    )


@blueprint.get("/look/<string(length=16):look_id>.css")
def sheet(look_id: str) -> Response:
    """The style sheet of a version that guests may see."""
    with current().database.read() as session:
        look = public_look(session, look_id)
        if look is None:
            abort(404)
        return _kept(Response(style_sheet(session, look), mimetype="text/css"))


@blueprint.get("/look/<string(length=64):sha256>.webp")
def picture(sha256: str) -> Response:
    """A picture that guests may see."""
    with current().database.read() as session:
        body = public_picture(session, sha256)
    if body is None:
        abort(404)
    return _kept(Response(body, mimetype="image/webp"))


def style_sheet(session: Session, look: Look) -> str:
    """The look's colours, and its background, which travels along: a page may cost four requests at most."""
    background = look.picture(PictureKind.BACKGROUND)
    if background is None:
        return _colour_rules(look)
    octets = base64.b64encode(picture_body(session, background)).decode()
    return f"{_colour_rules(look)}:root{{--venue-picture:url(data:image/webp;base64,{octets})}}\n"


def _colour_rules(look: Look) -> str:
    return (
        f":root{{{_variables(look.palette.light)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{_variables(look.palette.dark)}}}}}\n"
    )


def _variables(scheme: Scheme) -> str:
    return ";".join(f"--{one.name.replace('_', '-')}:{getattr(scheme, one.name)}" for one in fields(scheme))


def _digest(look: Look) -> str:
    background = look.picture(PictureKind.BACKGROUND)
    content = _colour_rules(look) + (background.sha256 if background else "")
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _logo_url(look: Look) -> str:
    logo = look.picture(PictureKind.LOGO)
    return url_for("look.picture", sha256=logo.sha256) if logo else ""


def _kept(response: Response) -> Response:
    response.headers["Cache-Control"] = _FOR_EVER
    return response
