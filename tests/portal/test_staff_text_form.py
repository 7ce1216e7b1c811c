"""Publishing the texts that the law asks for."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.legal import LONGEST_TEXT, LegalKind, LegalVersion, NewText, publish
from hotspot.people import Role
from tests.conftest import NOON
from tests.factories import a_user
from tests.portal.desk import Staff, form_of, signed_in, words_of

PAGE = "/desk/texts/imprint"
GERMAN = "Impressum\n\nEine Firma & Söhne, Musterstadt"


@pytest.fixture
def operator(app: Flask, database: Database) -> Staff:
    with database.write() as session:
        a_user(session, Role.OPERATOR, email="operator@example.org")
    return signed_in(app, "operator@example.org")


def filled(staff: Staff, step: str, page: str = PAGE, **texts: str) -> TestResponse:
    seen = staff.submit(staff.get(page), page, step="look", **texts)
    return seen if step == "look" or seen.status_code != 200 else staff.submit(seen, page, step=step, **texts)


def published(database: Database) -> list[LegalVersion]:
    with database.read() as session:
        return list(session.scalars(select(LegalVersion).where(LegalVersion.kind == LegalKind.IMPRINT)))


def test_a_text_is_looked_at_before_it_is_published(operator: Staff, database: Database) -> None:
    seen = filled(operator, "look", text_de=GERMAN)
    assert published(database) == []
    words = words_of(seen)
    assert "As guests will read it Impressum Eine Firma & Söhne, Musterstadt" in words
    assert "neither be changed nor withdrawn" in words
    assert operator.submit(seen, PAGE, step="publish", text_de=GERMAN).location == PAGE
    (version,) = published(database)
    assert [(text.language, text.body) for text in version.texts] == [("de", GERMAN)]
    assert "Version 1 since 15 Jun 2026, 12:00 UTC · Deutsch" in words_of(operator.get(PAGE))


def test_what_was_changed_after_looking_is_shown_again(operator: Staff, database: Database) -> None:
    seen = filled(operator, "look", text_de=GERMAN)
    for changed in ({"text_de": GERMAN + "!"}, {"text_de": GERMAN, "valid_from": "2026-07-01T00:00"}):
        again = operator.submit(seen, PAGE, step="publish", **changed)
        assert "As guests will read it" in words_of(again)
    assert published(database) == []


def test_lines_are_kept_as_written_whatever_the_browser_makes_of_them(operator: Staff, database: Database) -> None:
    filled(operator, "publish", text_de=GERMAN.replace("\n", "\r\n") + "\r\n")
    assert published(database)[0].texts[0].body == GERMAN


def test_the_form_begins_with_the_last_version(operator: Staff, database: Database) -> None:
    with database.write() as session:
        for days, body in enumerate(("First.", "Second.")):
            moment = NOON + timedelta(days=days)
            publish(session, COMMAND_LINE, LegalKind.IMPRINT, [NewText("en", body)], moment, NOON)
    page = operator.get(PAGE)
    assert ">Second.</textarea>" in page.text.replace("\r\n", "")
    assert "Version 2 to come: 16 Jun 2026, 12:00 UTC · English" in words_of(page)


def test_a_moment_to_come_is_taken_in_utc(operator: Staff, database: Database) -> None:
    filled(operator, "publish", text_en="Soon.", valid_from="2026-07-01T00:00")
    assert published(database)[0].valid_from.isoformat() == "2026-07-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "Please write the text in one language at least."),
        ({"text_fr": "x" * (LONGEST_TEXT + 1)}, "This text is too long"),
        ({"text_fr": "Texte.", "valid_from": "2026-06-15T11:59"}, "This moment is past."),
        ({"text_fr": "Texte.", "valid_from": "soon"}, "Not a valid datetime value."),
    ],
)
@pytest.mark.parametrize("step", ["look", "publish"])
def test_what_cannot_be_published_is_said_and_nothing_is_lost(
    operator: Staff, database: Database, wrong: dict[str, str], told: str, step: str
) -> None:
    answer = filled(operator, step, **wrong, text_ar="نص" if wrong else "")
    assert answer.status_code == 400
    assert told in words_of(answer)
    assert published(database) == []
    if wrong:
        assert "نص</textarea>" in answer.text


def test_the_longest_texts_in_all_languages_fit(operator: Staff, database: Database) -> None:
    texts = {f"text_{code}": "ش" * LONGEST_TEXT for code in ("en", "de", "fr", "it", "cs", "tr", "uk", "ar")}
    page = operator.get(PAGE)
    for step in ("look", "publish"):
        told = form_of(page, PAGE) | {"step": step} | texts
        page = operator.client.post(PAGE, data=told, content_type="multipart/form-data")
    assert page.status_code == 303
    assert len(published(database)[0].texts) == 8


def test_two_operators_do_not_publish_over_each_other(operator: Staff, database: Database) -> None:
    page = operator.get(PAGE)
    filled(operator, "publish", text_en="The first of two.")
    late = operator.submit(page, PAGE, step="look", text_en="The second of two.")
    assert late.status_code == 409
    assert "Somebody else has published a version meanwhile." in words_of(late)
    assert "The second of two.</textarea>" in late.text.replace("\r\n", "")
    assert len(published(database)) == 1
    seen = operator.submit(late, PAGE, step="look", text_en="The second of two.")
    assert operator.submit(seen, PAGE, step="publish", text_en="The second of two.").status_code == 303


def test_terms_say_that_everybody_is_asked_again_and_how_often_they_were_accepted(operator: Staff) -> None:
    terms = "/desk/texts/terms"
    assert "Every guest is asked to accept it" in words_of(filled(operator, "look", terms, text_en="Be kind."))
    filled(operator, "publish", terms, text_en="Be kind.")
    assert "accepted 0 times" in words_of(operator.get(terms))
    assert "accepted" not in words_of(operator.get(PAGE))


@pytest.mark.parametrize("path", [PAGE, "/desk/texts/terms", "/desk/texts/nonsense"])
def test_texts_are_no_owners_to_see_or_change(app: Flask, operator: Staff, database: Database, path: str) -> None:
    with database.write() as session:
        a_user(session, email="owner@example.org")
    owner = signed_in(app, "owner@example.org")
    assert owner.get(path).status_code == 404
    token = form_of(owner.get("/desk"), "/logout")["csrf_token"]
    assert owner.post(path, csrf_token=token, after="0", step="publish", text_en="Mine.").status_code == 404
    assert published(database) == []


def test_there_is_no_text_of_an_unknown_kind(operator: Staff) -> None:
    assert operator.get("/desk/texts/nonsense").status_code == 404
