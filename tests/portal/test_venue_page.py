"""A site's own portal page: made by its owner, released by the operator, worn by the guest pages."""

import io
import re
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.legal import TEXT_LANGUAGES
from hotspot.look_changes import allow_own_page
from hotspot.looks import Look, LookState
from hotspot.people import Role
from hotspot.pictures import LARGEST_FILE_OCTETS
from hotspot.place import Site
from portal.legal import LONGEST_INLINE_TEXT
from tests.factories import EARLIER, a_site, a_user
from tests.hotspot.pictures import a_picture, a_png_of, noise, written
from tests.portal.desk import Staff, counting_queries, form_of, signed_in, words_of
from tests.portal.guest import Stage, published_terms

OWNER, OPERATOR = "owner@example.org", "operator@example.org"
COLOURS = {"accent": "#7a1f3d", "ground": "#fbf3e4"}


class Venue:
    """A site with an own page, its owner and the operator at their browsers."""

    def __init__(self, app: Flask, database: Database, stage: Stage) -> None:
        self.database = database
        self.path = f"/desk/sites/{stage.place.site.public_id}/page"
        with database.write() as session:
            site = session.get_one(Site, stage.place.site.id)
            allow_own_page(session, COMMAND_LINE, site, True, EARLIER)
            a_user(session, customer=site.customer, email=OWNER)
            a_user(session, Role.OPERATOR, email=OPERATOR)
        self.owner, self.operator = signed_in(app, OWNER), signed_in(app, OPERATOR)

    def save(self, **filled: Any) -> TestResponse:
        """The owner fills in the form and sends it; a picture is given as its octets."""
        token = form_of(self.owner.get(self.path), self.path)["csrf_token"]
        sent = {n: (io.BytesIO(v), "a.png") if isinstance(v, bytes) else v for n, v in (COLOURS | filled).items()}
        answer = self.owner.client.post(self.path, data={"csrf_token": token} | sent)
        answer.request.environ["wsgi.input"].close()  # werkzeug forgets the file of a long form
        return answer

    def step(self, who: Staff, step: str, number: int = 1, **filled: str) -> TestResponse:
        """Press a button at a version, with the page as it is now; what the page then says."""
        page = who.get(self.path)
        action = f"/desk/looks/{self.version(number)}"
        sent = form_of(page, action) if f'action="{action}"' in page.text else form_of(page, "/logout") | {"edits": "1"}
        who.post(action, **sent | {"step": step} | filled)
        return who.get(self.path)

    def release(self, **filled: Any) -> None:
        """The whole way, from the form to the guests."""
        assert self.save(**filled).status_code == 303
        with self.database.read() as session:
            number = session.scalar(select(func.max(Look.number))) or 0
        self.step(self.owner, "submit", number)
        assert "Released" in words_of(self.step(self.operator, "release", number))

    def version(self, number: int) -> str:
        """The public id of a version."""
        with self.database.read() as session:
            return session.scalars(select(Look.public_id).where(Look.number == number)).one()

    def states(self) -> list[LookState]:
        """The states of all versions, the oldest first."""
        with self.database.read() as session:
            return list(session.scalars(select(Look.state).order_by(Look.number)))


@pytest.fixture
def venue(app: Flask, database: Database, stage: Stage) -> Venue:
    """The stage's site, with an own page."""
    return Venue(app, database, stage)


def test_guests_see_the_page_once_it_is_released_and_nothing_of_it_before(venue: Venue, stage: Stage) -> None:
    assert venue.save(welcome_en="Welcome, dear\r\nguests!\r\n\r\nKitchen till ten.").status_code == 303
    for _before in range(2):
        page = stage.phone.arrive()
        assert "dressed" not in page.text
        assert "dear" not in page.text
        assert stage.phone.get(f"/look/{venue.version(1)}.css").status_code == 404
        venue.step(venue.owner, "submit")
    venue.step(venue.operator, "release")

    page = stage.phone.arrive()
    assert 'class="guest dressed"' in page.text
    assert '<p lang="en" dir="auto">Welcome, dear\nguests!</p>' in page.text
    assert "Kitchen till ten." in page.text
    sheet = stage.phone.get(linked(page, "/look/")[0])
    assert "--accent:#7a1f3d" in sheet.text
    assert "prefers-color-scheme:dark" in sheet.text
    assert sheet.mimetype == "text/css"
    assert "immutable" in sheet.headers["Cache-Control"]


def test_the_operators_part_stands_on_an_own_page(venue: Venue, stage: Stage) -> None:
    venue.release(welcome_en="</section></main><style>footer{display:none}</style>", logo=a_picture())
    page = stage.phone.arrive()
    assert "<style" not in page.text
    assert "&lt;style&gt;" in page.text
    words = words_of(page)
    for own in ("Stadtnetz Hotspot", "A service of Stadtnetz GmbH", "I accept the terms of use", "Imprint", "Privacy"):
        assert own in words
    for kind in ("terms", "imprint", "privacy"):
        assert "dressed" not in stage.phone.get(f"/{kind}").text


def test_the_heaviest_own_page_stays_within_50_kilobytes_and_four_requests(
    venue: Venue, stage: Stage, database: Database
) -> None:
    with database.write() as session:
        published_terms(session, "All that a guest agrees to. " * (LONGEST_INLINE_TEXT // 28))
    busy = written(noise((1000, 500)), "JPEG")
    welcomes = {f"welcome_{code}": "ш" * 600 for code in TEXT_LANGUAGES}
    venue.release(logo=busy, background=busy, **welcomes)

    page = stage.phone.arrive()
    parts = [stage.phone.get(address) for address in linked(page, "/")]
    assert 'class="guest dressed pictured"' in page.text
    assert len(parts) == 3
    assert all(part.status_code == 200 for part in parts)
    assert sum(len(part.data) for part in (page, *parts)) < 50_000


def linked(page: TestResponse, start: str) -> list[str]:
    """What a browser loads with the page, of addresses that start so."""
    found = re.findall(r'<link rel="stylesheet" href="([^"]+)"|<img src="([^"]+)"', page.text)
    return [address for pair in found for address in pair if address.startswith(start)]


def test_a_logo_is_served_as_what_it_is_under_the_hash_of_its_content(venue: Venue, stage: Stage) -> None:
    venue.release(logo=a_picture("JPEG"))
    logo = stage.phone.get(linked(stage.phone.arrive(), "/look/")[1])
    assert logo.mimetype == "image/webp"
    assert logo.data[8:12] == b"WEBP"
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in logo.headers["Cache-Control"]
    assert stage.phone.get(f"/look/{'0' * 64}.webp").status_code == 404


def test_switched_off_guests_get_the_standard_page_at_once(venue: Venue, stage: Stage) -> None:
    venue.release(logo=a_picture())
    parts = linked(stage.phone.arrive(), "/look/")
    venue.operator.submit(venue.operator.get(venue.path), f"{venue.path}/switch", allowed="0")

    assert "dressed" not in stage.phone.arrive().text
    assert [stage.phone.get(part).status_code for part in parts] == [404, 404]
    assert "operator’s standard page" in words_of(venue.owner.get(venue.path))
    assert venue.states() == [LookState.RELEASED]


def test_the_status_page_wears_the_look_too(venue: Venue, stage: Stage) -> None:
    venue.release()
    assert 'class="guest dressed"' in stage.phone.get(stage.come_online().location).text


def test_a_welcome_speaks_the_guests_language_or_english(venue: Venue, stage: Stage) -> None:
    venue.release(welcome_en="Hello!", welcome_de="Grüß Gott!")
    for language, words in (("de", "Grüß Gott!"), ("en", "Hello!")):
        stage.phone.language = language
        assert words in stage.phone.arrive().text
    stage.phone.language = "en"
    venue.release(welcome_de="Grüß Gott!")
    assert '<p lang="de" dir="auto">Grüß Gott!</p>' in stage.phone.arrive().text


def test_the_preview_is_the_real_page_in_a_frame_that_can_do_nothing(venue: Venue) -> None:
    venue.save(welcome_en="Hello!", logo=a_picture(), background=a_picture("JPEG", (900, 450)))
    editor = venue.owner.get(venue.path)
    assert "frame-src 'self'" in editor.headers["Content-Security-Policy"]
    frame = re.search(r'<iframe class="phone" sandbox="allow-same-origin" src="([^"]+)"', editor.text)
    assert frame
    preview = venue.owner.get(frame[1])
    assert "frame-ancestors 'self'" in preview.headers["Content-Security-Policy"]
    assert "Hello!" in preview.text
    assert "Go online" in preview.text
    sheet, logo = linked(preview, "/desk/looks/")
    assert "--venue-picture:url(data:image/webp;base64," in venue.owner.get(sheet).text
    assert venue.owner.get(logo).mimetype == "image/webp"
    assert venue.owner.get(sheet).headers["Cache-Control"] == "no-store"


def test_the_preview_in_another_language_leaves_the_desk_in_its_own(venue: Venue) -> None:
    venue.save()
    german = venue.owner.get(f"/desk/looks/{venue.version(1)}/preview?lang=de")
    assert "Online gehen" in german.text
    assert "Own portal page" in venue.owner.get(venue.path).text


def test_the_operator_returns_a_page_with_a_note_that_the_owner_reads(venue: Venue) -> None:
    venue.save()
    assert "Waiting for release" in words_of(venue.step(venue.owner, "submit"))
    assert "wait for your release" in words_of(venue.operator.get("/desk"))
    assert "wait for your release" not in words_of(venue.owner.get("/desk"))
    venue.step(venue.operator, "return", note="Please use your <own> logo.")

    assert "Returned by the operator Please use your <own> logo." in words_of(venue.owner.get(venue.path))
    assert venue.save().status_code == 303
    venue.step(venue.owner, "submit")
    assert "Please use your" not in words_of(venue.owner.get(venue.path))


def test_an_owner_can_neither_release_nor_return_nor_switch(venue: Venue) -> None:
    venue.save()
    venue.step(venue.owner, "submit")
    token = form_of(venue.owner.get(venue.path), "/logout")["csrf_token"]
    for path, filled in (
        (f"/desk/looks/{venue.version(1)}", {"step": "release", "edits": "1"}),
        (f"/desk/looks/{venue.version(1)}", {"step": "return", "edits": "1", "note": "no"}),
        (f"{venue.path}/switch", {"allowed": "0"}),
    ):
        assert venue.owner.post(path, csrf_token=token, **filled).status_code == 404
    assert venue.states() == [LookState.SUBMITTED]


def test_an_unknown_step_is_a_bad_form(venue: Venue) -> None:
    venue.save()
    token = form_of(venue.owner.get(venue.path), "/logout")["csrf_token"]
    for step in ("", "nonsense", "release'"):
        answer = venue.owner.post(f"/desk/looks/{venue.version(1)}", csrf_token=token, step=step, edits="1")
        assert answer.status_code == 400


def test_what_somebody_has_changed_meanwhile_has_to_be_looked_at_again(venue: Venue) -> None:
    venue.save()
    stale = form_of(venue.owner.get(venue.path), f"/desk/looks/{venue.version(1)}")
    venue.save(accent="#123456")
    venue.owner.post(f"/desk/looks/{venue.version(1)}", **stale | {"step": "submit"})
    assert "Somebody has changed this page meanwhile" in words_of(venue.owner.get(venue.path))
    assert venue.states() == [LookState.DRAFT]


def test_the_operator_goes_back_to_an_earlier_version(venue: Venue, stage: Stage) -> None:
    venue.release(welcome_en="The first")
    venue.release(welcome_en="The second")
    assert "The second" in stage.phone.arrive().text
    venue.step(venue.operator, "release", 1)
    assert "The first" in stage.phone.arrive().text
    assert venue.states() == [LookState.RELEASED, LookState.REPLACED]


UNSHOWABLE: list[tuple[dict[str, Any], str]] = [
    ({"accent": "#ffe14d"}, "the contrast is 1.1:1"),
    ({"ground": "#808080"}, "The nearest readable colour, #888888, is now chosen here"),
    ({"accent": "red"}, "Please choose a colour"),
    ({"welcome_en": "x" * 601}, "at most 600 characters"),
    ({"logo": b"<svg onload=alert(1)>"}, "not a whole PNG, JPEG or WebP picture"),
    ({"background": a_png_of(50_000, 50_000)}, "at most 5 MB and 16 megapixels"),
    ({"logo": bytes(LARGEST_FILE_OCTETS + 1)}, "at most 5 MB and 16 megapixels"),
    ({"background": a_picture(size=(100, 100))}, "too small"),
]


def test_what_cannot_be_shown_is_explained_at_its_field_and_not_kept(venue: Venue) -> None:
    for filled, words in UNSHOWABLE:
        answer = venue.save(**filled)
        assert answer.status_code == 400, filled
        assert words in words_of(answer)
        assert 'aria-invalid="true"' in answer.text
    assert venue.states() == []


def test_a_control_character_in_a_welcome_is_refused_in_plain_words(venue: Venue) -> None:
    venue.save(welcome_en="a\x07b")
    assert "plain text of at most 600 characters" in words_of(venue.owner.get(venue.path))
    assert venue.states() == []


def test_only_this_form_of_people_we_know_may_be_long(venue: Venue, app: Flask, stage: Stage) -> None:
    picture = bytes(200_000)
    stranger = app.test_client().post(venue.path, data={"logo": (io.BytesIO(picture), "a.png")})
    assert stranger.status_code == 413
    token = form_of(venue.owner.get(venue.path), venue.path)["csrf_token"]
    elsewhere = venue.owner.client.post(
        venue.path.removesuffix("/page"), data={"csrf_token": token, "logo": (io.BytesIO(picture), "a.png")}
    )
    assert elsewhere.status_code == 413
    too_long = venue.save(logo=bytes(2 * LARGEST_FILE_OCTETS), background=bytes(LARGEST_FILE_OCTETS))
    assert too_long.status_code == 413
    assert "a picture may have 5 MB at most" in words_of(too_long)


def test_a_site_without_an_own_page_costs_its_guests_no_query(stage: Stage, database: Database) -> None:
    stage.phone.arrive()
    with counting_queries(database) as asked:
        stage.phone.arrive()
    assert asked
    assert not [statement for statement in asked if "FROM look" in statement]


def test_another_sites_guests_never_meet_this_look(
    venue: Venue, stage: Stage, database: Database, now: datetime
) -> None:
    venue.release(welcome_en="Only here")
    with database.write() as session:
        other = a_site(session)
        allow_own_page(session, COMMAND_LINE, other, True, now)
    page = stage.phone.get(f"/g/{other.slug}")
    assert page.status_code == 200
    assert "Only here" not in page.text
    assert "dressed" not in page.text
