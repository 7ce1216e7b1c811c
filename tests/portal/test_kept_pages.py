"""Pages that are kept for many guests carry nothing of one to another."""

import re

from flask import Flask
from flask.testing import FlaskClient

from portal.context import EXTENSION, Portal
from portal.kept_pages import KeptPages
from tests.portal.guest import Chilli, Phone, Stage, flow_of
from vouchers.codes import Code


def _kept(app: Flask) -> str:
    portal: Portal = app.extensions[EXTENSION]
    return repr(portal.pages.__dict__)


def test_each_guest_gets_the_same_page_with_the_own_flow_in_every_link(stage: Stage, app: Flask) -> None:
    second = Phone(app.test_client(), Chilli(stage.place.site.slug))
    pages = [phone.arrive().text for phone in (stage.phone, second)]
    flows = [flow_of(page) for page in pages]
    assert flows[0] != flows[1]
    assert [page.count(flow) for page, flow in zip(pages, flows, strict=True)] == [14, 14]
    assert pages[0].replace(flows[0], "") == pages[1].replace(flows[1], "")
    assert not [link for link in re.findall(r'flow=([^&"]+)', pages[1]) if link != flows[1]]
    assert flows[0] not in _kept(app)


def test_what_somebody_has_typed_is_kept_by_nobody(stage: Stage, app: Flask, client: FlaskClient) -> None:
    typed = Code.new().printed
    refused = stage.phone.log_in(typed, stage.terms)
    assert typed in refused.text
    assert typed not in Phone(app.test_client(), Chilli(stage.place.site.slug)).arrive().text
    assert typed not in _kept(app)


def test_a_page_in_another_language_or_of_one_who_has_chosen_it_is_another_page(stage: Stage, app: Flask) -> None:
    phones = [Phone(app.test_client(), Chilli(stage.place.site.slug), language) for language in ("en", "de", "en")]
    english, german, again = (phone.arrive().text for phone in phones)
    assert 'lang="de"' in german
    assert english.replace(flow_of(english), "") == again.replace(flow_of(again), "")
    chosen = phones[2].get(f"/g/{stage.place.site.slug}?flow={flow_of(again)}&lang=en").text
    assert '<input type="hidden" name="lang" value="en">' in chosen
    assert 'name="lang"' not in english


def test_no_more_than_so_many_are_kept() -> None:
    pages = KeptPages()
    for number in range(1000):
        page = f"{number} {pages.stand_in}"
        assert pages.show(number, "token", page.__str__) == f"{number} token"
    assert len(pages._parts) <= 200
