"""The buttons of a site's desk: adding, changing, ordering and removing them."""

from dataclasses import dataclass

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug import Response

from hotspot.audit import Actor
from hotspot.errors import Refusal
from hotspot.place import Site
from portal import gate
from portal.context import current
from portal.staff import wording
from portal.staff.user import signed_in
from vouchers.passes import Pass, passes_at
from vouchers.presets import (
    LONGEST_NAME,
    NewPreset,
    Preset,
    add_preset,
    change_preset,
    move_preset,
    presets_at,
    remove_preset,
)

_MOVES = {"up": -1, "down": 1}


@dataclass(frozen=True)
class PresetLine:
    """A button as it can be changed."""

    public_id: str
    name: str
    pass_id: str
    asks_until: bool
    note: str


def presets(site_id: str) -> str:
    """The page with all buttons of a site."""
    with current().database.read() as session:
        site = gate.find(session, signed_in(), Site, site_id)
        lines = [
            PresetLine(one.public_id, one.name, article.public_id, one.asks_until, one.note)
            for one, article in presets_at(session, site.id)
        ]
        choices = [(one.public_id, one.name) for one in _passes(session, site)]
    return render_template(
        "staff/presets.html", site=site.name, site_id=site_id, lines=lines, choices=choices, longest=LONGEST_NAME
    )


def new_preset(site_id: str) -> Response:
    """Add a button behind the others."""
    portal, user = current(), signed_in()
    try:
        with portal.database.write() as session:
            site = gate.find(session, user, Site, site_id)
            add_preset(session, user.actor, site, _told(session, site), portal.clock())
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
    else:
        flash(_("The button is there."), "good")
    return redirect(url_for("staff.presets", site_id=site_id), 303)


def edit_preset(preset_id: str) -> Response:
    """Change, move or remove a button, by which of the form's buttons was pressed."""
    portal, user, step = current(), signed_in(), request.form.get("step", "")
    now, actor = portal.clock(), user.actor
    with portal.database.write() as session:
        preset = gate.find(session, user, Preset, preset_id)
        site = session.get_one(Site, preset.site_id)
        if step == "remove":
            remove_preset(session, actor, site, preset, now)
        elif step in _MOVES:
            move_preset(session, actor, site, preset, _MOVES[step], now)
        else:
            _save(session, actor, site, preset)
        site_id = site.public_id
    return redirect(url_for("staff.presets", site_id=site_id), 303)


def _save(session: Session, actor: Actor, site: Site, preset: Preset) -> None:
    try:
        change_preset(session, actor, site, preset, _told(session, site), current().clock())
    except Refusal as refusal:
        flash(wording.refusal_words(refusal), "bad")
    else:
        flash(_("The button is changed."), "good")


def _told(session: Session, site: Site) -> NewPreset:
    offered = {one.public_id: one for one in _passes(session, site)}
    article = offered.get(request.form.get("article", ""))
    if article is None:
        abort(404)
    asks_until = bool(request.form.get("asks_until"))
    return NewPreset(request.form.get("name", ""), article, asks_until, request.form.get("note", ""))


def _passes(session: Session, site: Site) -> list[Pass]:
    return [one for one in passes_at(session, site.id, site.customer_id) if not one.free]
