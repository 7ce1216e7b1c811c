"""A site's own page on its way: allowed, drafted, submitted, returned, released, rolled back."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from hotspot.audit import Actor, AuditEntry
from hotspot.colours import Colour
from hotspot.database import Database
from hotspot.directory import current_revision, load_directory
from hotspot.errors import Refusal, WrongUse
from hotspot.keys import Keyring
from hotspot.look_changes import Keep, NewLook, Step, Welcome, allow_own_page, save_look, take_step
from hotspot.looks import (
    Look,
    LookState,
    PictureKind,
    looks_of,
    open_look,
    public_look,
    public_picture,
    released_look,
    waiting_looks,
)
from hotspot.pictures import EncodedPicture, encode_logo
from hotspot.place import Site
from tests.factories import a_site, a_user
from tests.hotspot.pictures import a_picture

NEW = NewLook(Colour.parse("#7a1f3d"), Colour.parse("#fbf3e4"), (Welcome("en", "Hello\nyou"), Welcome("de", "Hallo")))


@pytest.fixture(scope="module")
def logo() -> EncodedPicture:
    """A logo."""
    return encode_logo(a_picture())


def a_site_with_own_page(session: Session, now: datetime) -> tuple[Site, Actor]:
    """A site whose operator has switched its own page on, and its owner."""
    site = a_site(session)
    actor = Actor(a_user(session, customer=site.customer).id)
    allow_own_page(session, actor, site, True, now)
    return site, actor


def a_released_look(session: Session, site: Site, actor: Actor, now: datetime, new: NewLook = NEW) -> Look:
    """A version that has gone the whole way."""
    look = save_look(session, actor, site, new, now)
    for step in (Step.SUBMIT, Step.RELEASE):
        take_step(session, actor, look, step, look.edits, now)
    return look


def test_a_version_goes_from_draft_to_release_and_is_audited(database: Database, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, NEW, now)
        assert (look.number, look.state, released_look(session, site.id)) == (1, LookState.DRAFT, None)
        take_step(session, actor, look, Step.SUBMIT, 1, now)
        assert list(waiting_looks(session)) == [look]
        assert public_look(session, look.public_id) is None
        take_step(session, actor, look, Step.RELEASE, 1, now)
        customer_id = site.customer_id
    with database.read() as session:
        shown = released_look(session, site.id)
        assert shown
        assert shown.welcome("de").body == "Hallo"  # type: ignore[union-attr]
        assert shown.welcome("ar").body == "Hello\nyou"  # type: ignore[union-attr]
        assert public_look(session, shown.public_id) is shown
        assert waiting_looks(session) == []
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action.like("own page%"))).all()
        assert [(one.action, one.detail) for one in entries] == [
            ("own page on", ""),
            ("own page changed", "version 1"),
            ("own page submitted", "version 1"),
            ("own page released", "version 1"),
        ]
        assert {(one.user_id, one.customer_id, one.subject) for one in entries} == {
            (actor.user_id, customer_id, f"site {site.public_id}")
        }


def test_a_new_version_begins_with_the_pictures_of_the_released_one(
    database: Database, now: datetime, logo: EncodedPicture
) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        first = a_released_look(session, site, actor, now, replace(NEW, logo=logo, background=logo))
        second = save_look(session, actor, site, replace(NEW, background=Keep.GOES), now)
        assert second.number == 2
        kept = second.picture(PictureKind.LOGO)
        assert kept
        assert kept.sha256 == logo.sha256
        assert second.picture(PictureKind.BACKGROUND) is None
        assert first.picture(PictureKind.BACKGROUND)
        assert released_look(session, site.id) is first
        # Saved again, all of it is replaced and nothing is left behind.
        save_look(session, actor, site, replace(NEW, logo=replace(logo, width=7), welcomes=NEW.welcomes[:1]), now)
        assert [one.width for one in second.pictures] == [7]
        assert [one.language for one in second.texts] == ["en"]


def test_a_picture_can_be_had_once_it_is_released_and_no_sooner(
    database: Database, now: datetime, logo: EncodedPicture
) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, replace(NEW, logo=logo), now)
        take_step(session, actor, look, Step.SUBMIT, 1, now)
        assert public_picture(session, logo.sha256) is None
        take_step(session, actor, look, Step.RELEASE, 1, now)
        assert public_picture(session, logo.sha256) == logo.body
        allow_own_page(session, actor, site, False, now)
        assert public_picture(session, logo.sha256) is None
        assert public_look(session, look.public_id) is None


def test_what_is_returned_says_why_and_can_be_submitted_again(database: Database, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, NEW, now)
        take_step(session, actor, look, Step.SUBMIT, 1, now)
        with pytest.raises(Refusal, match="Say what"):
            take_step(session, actor, look, Step.RETURN, 1, now, "  ")
        take_step(session, actor, look, Step.RETURN, 1, now, "The logo is not yours.")
        assert (look.state, look.note) == (LookState.RETURNED, "The logo is not yours.")
        save_look(session, actor, site, NEW, now)
        take_step(session, actor, look, Step.SUBMIT, 2, now)
        assert (look.state, look.note) == (LookState.SUBMITTED, "")


def test_an_earlier_version_is_released_again(database: Database, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        first, second = (a_released_look(session, site, actor, now) for _ in range(2))
        assert (first.state, second.state) == (LookState.REPLACED, LookState.RELEASED)
        take_step(session, actor, first, Step.RELEASE, first.edits, now + timedelta(days=1))
        assert (first.state, second.state) == (LookState.RELEASED, LookState.REPLACED)
        assert first.released_at == now + timedelta(days=1)


def test_nobody_releases_what_they_have_not_seen(database: Database, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, NEW, now)
        take_step(session, actor, look, Step.SUBMIT, 1, now)
    with database.write() as session:  # while the operator looks at it, the owner takes it back and changes it
        look = session.get_one(Look, look.id)
        take_step(session, actor, look, Step.TAKE_BACK, 1, now)
        save_look(session, actor, look.site, NEW, now)
        take_step(session, actor, look, Step.SUBMIT, 2, now)
    with database.write() as session:
        look = session.get_one(Look, look.id)
        with pytest.raises(Refusal) as refused:
            take_step(session, actor, look, Step.RELEASE, 1, now)
        assert refused.value.code == "look-changed"
        assert look.state is LookState.SUBMITTED


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (LookState.DRAFT, {Step.SUBMIT, Step.DISCARD}),
        (LookState.SUBMITTED, {Step.TAKE_BACK, Step.RETURN, Step.RELEASE}),
        (LookState.RETURNED, {Step.SUBMIT, Step.DISCARD}),
        (LookState.RELEASED, set()),
        (LookState.REPLACED, {Step.RELEASE}),
    ],
)
def test_each_state_allows_its_steps_alone(
    database: Database, now: datetime, state: LookState, allowed: set[Step]
) -> None:
    with database.write() as session:
        for step in Step:
            site, actor = a_site_with_own_page(session, now)
            look = save_look(session, actor, site, NEW, now)
            look.state = state
            session.flush()
            if step in allowed:
                take_step(session, actor, look, step, 1, now, "a note")
            else:
                with pytest.raises(Refusal):
                    take_step(session, actor, look, step, 1, now, "a note")


def test_a_discarded_version_is_gone_with_all_its_parts(
    database: Database, now: datetime, logo: EncodedPicture
) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, replace(NEW, logo=logo), now)
        take_step(session, actor, look, Step.DISCARD, 1, now)
        assert open_look(session, site.id) is None
        assert looks_of(session, site.id) == []


def test_what_waits_for_release_cannot_be_changed(database: Database, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, NEW, now)
        take_step(session, actor, look, Step.SUBMIT, 1, now)
        with pytest.raises(Refusal, match="take it back"):
            save_look(session, actor, site, NEW, now)


def test_without_the_switch_nothing_is_made_or_released(database: Database, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        look = save_look(session, actor, site, NEW, now)
        take_step(session, actor, look, Step.SUBMIT, 1, now)
        allow_own_page(session, actor, site, False, now)
        assert waiting_looks(session) == []
        for refused in (
            lambda: save_look(session, actor, site, NEW, now),
            lambda: take_step(session, actor, look, Step.RELEASE, 1, now),
        ):
            with pytest.raises(Refusal) as told:
                refused()
            assert told.value.code == "no-own-page"


def test_the_doors_hear_of_the_switch(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        assert load_directory(session, keyring).sites[site.id].own_page
        before = current_revision(session)
        allow_own_page(session, actor, site, True, now)
        assert current_revision(session) == before
        allow_own_page(session, actor, site, False, now)
        assert current_revision(session) == before + 1


@pytest.mark.parametrize(
    "wrong",
    [
        replace(NEW, accent=Colour.parse("#ffee00")),
        replace(NEW, ground=Colour.parse("#808080")),
        replace(NEW, welcomes=(Welcome("en", "x" * 601),)),
        replace(NEW, welcomes=(Welcome("en", "a\x07b"),)),
        replace(NEW, welcomes=(Welcome("en", "right\u202eleft"),)),
        replace(NEW, welcomes=(Welcome("xx", "Hello"),)),
        replace(NEW, welcomes=(Welcome("en", "Hello"), Welcome("en", "Again"))),
    ],
)
def test_what_cannot_be_shown_is_refused(database: Database, now: datetime, wrong: NewLook) -> None:
    with database.write() as session:
        site, actor = a_site_with_own_page(session, now)
        with pytest.raises((Refusal, WrongUse)):
            save_look(session, actor, site, wrong, now)
