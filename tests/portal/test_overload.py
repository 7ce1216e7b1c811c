"""Whoever would wait for long is asked to come back, without a failure's status, and not all come back at once."""

import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import structlog
from flask import Flask
from werkzeug.test import TestResponse

from portal import overload
from portal.overload import (
    LATEST_SECONDS,
    LOGIN_SECONDS,
    PAGE_SECONDS,
    RETURN_SECONDS,
    SOONEST_SECONDS,
    WaitingRoom,
    seconds_waited,
)
from tests.portal.desk import counting_queries
from tests.portal.guest import Phone, Stage, flow_of, words_of


@pytest.fixture
def connect() -> Iterator[Callable[[], socket.socket]]:
    """Makes connections on which a request has arrived, as the server has them."""
    opened: list[socket.socket] = []

    def make() -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        guest = socket.create_connection(listener.getsockname())
        guest.sendall(b"GET / HTTP/1.1\r\n\r\n")
        opened.extend((listener, guest, listener.accept()[0]))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def late(connect: Callable[[], socket.socket]) -> socket.socket:
    """A connection whose request has waited for too long for anything."""
    connection = connect()
    time.sleep(LOGIN_SECONDS + 0.05)
    return connection


def _arrive(phone: Phone, connection: socket.socket) -> TestResponse:
    return phone.client.get(
        phone.chilli.address(), headers={"Accept-Language": phone.language}, environ_overrides={"gunicorn.socket": connection}
    )  # fmt: skip


def test_the_kernel_knows_how_long_a_request_has_waited(connect: Callable[[], socket.socket]) -> None:
    began = time.monotonic()
    connection = connect()
    time.sleep(0.2)
    waited = seconds_waited(connection)
    # The kernel counts in ticks of some milliseconds.
    assert 0.19 <= waited <= time.monotonic() - began + 0.01


def test_where_nobody_knows_it_nobody_is_sent_away() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert seconds_waited(ours) == 0
    assert seconds_waited(None) == 0


def test_a_page_that_comes_too_late_asks_for_patience_and_nothing_of_the_database(
    stage: Stage, late: socket.socket
) -> None:
    with counting_queries(stage.database) as asked:
        page = _arrive(stage.phone, late)
    assert (page.status_code, page.headers["Retry-After"], page.headers["Refresh"]) == (429, "10", "10")
    assert "Many guests are signing in right now. This page goes on by itself" in words_of(page)
    assert re.search(r'<a class="button" href="">', page.text)
    assert asked == []
    assert stage.phone.arrive().status_code == 200


def test_a_login_that_comes_too_late_keeps_what_was_filled_in(stage: Stage, late: socket.socket) -> None:
    page = stage.phone.arrive().text
    form = {"flow": flow_of(page), "variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    address = f"/g/{stage.place.site.slug}/login"
    answers = [
        stage.phone.client.post(address, data=form, environ_overrides={"gunicorn.socket": late}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [429, 429]
    back = [answer.headers["Refresh"].partition("; url=")[2] for answer in answers]
    assert back[0] != back[1]
    for answer, own in zip(answers, back, strict=True):
        assert f'href="{own}"' in answer.text.replace("&amp;", "&")
        assert stage.voucher.code.value not in answer.text
    assert stage.visits() == []
    assert stage.phone.get(back[1]).status_code == 303


def test_who_has_begun_is_served_longer_than_who_comes(
    stage: Stage, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PAGE_SECONDS < LOGIN_SECONDS < RETURN_SECONDS
    # A busy machine must not make them late for everything.
    for name in ("LOGIN_SECONDS", "RETURN_SECONDS"):
        monkeypatch.setattr(overload, name, 60.0)
    page, connection = stage.phone.arrive().text, connect()
    time.sleep(PAGE_SECONDS + 0.05)
    form = {"flow": flow_of(page), "variant": "voucher", "code": stage.voucher.code.value, "terms": str(stage.terms.id)}
    address, given = f"/g/{stage.place.site.slug}/login", {"gunicorn.socket": connection}
    assert _arrive(stage.phone, connection).status_code == 429
    assert stage.phone.client.get(stage.phone.chilli.address(res="success"), environ_overrides=given).status_code == 200
    assert stage.phone.client.post(address, data=form, environ_overrides=given).status_code == 303
    # The browser has the visit's cookie now.
    assert _arrive(stage.phone, connection).status_code == 200


def test_a_crowd_comes_back_one_after_the_other_and_the_last_ones_not_together() -> None:
    room = WaitingRoom()
    numbers = [room.number(1000.0) for _ in range(5000)]
    in_order = numbers[: (LATEST_SECONDS - SOONEST_SECONDS) * 20]
    assert in_order == sorted(in_order)
    assert min(numbers) == SOONEST_SECONDS
    assert max(numbers) == LATEST_SECONDS
    assert max(Counter(in_order).values()) <= 22
    assert max(Counter(numbers).values()) < 150
    assert room.number(1000.0 + LATEST_SECONDS) == SOONEST_SECONDS


def test_the_log_says_once_that_a_crowd_was_sent_away(stage: Stage, app: Flask, late: socket.socket) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            _arrive(stage.phone, late)
    assert [line["event"] for line in lines].count("overloaded") == 1
