"""A trace shows live why a NAS's requests are answered as they are: by pseudonyms of its own, and at nobody's cost."""

import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from deploy.commands.trace import describe, events
from hotspot.directory import NasRecord
from hotspot.errors import SetupError
from hotspot.mac import Mac
from radius.clients import Request
from radius.observe import Observer
from radius.packet import Cause
from radius.trace import LONGEST_EVENT, Event, Tracer, listen
from tests.conftest import NOON
from tests.radius import wire
from tests.radius.test_observe import AUTH, nas_record
from vouchers.admission import Reason

PHONE, LAPTOP = "0A-00-00-00-01-01", "0A-00-00-00-02-01"
Worker = Callable[[], Observer]
CODE = "ABCD-EFGH-JKMN"


class Listening:
    """Somebody who listens to a NAS."""

    def __init__(self, data_dir: Path, nas_id: int) -> None:
        self.socket, self.path = listen(data_dir, nas_id)
        self.socket.settimeout(0.0)

    def raw(self) -> list[bytes]:
        """What has come."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(LONGEST_EVENT))
            except BlockingIOError:
                return found

    def events(self) -> list[Event]:
        """The same as events."""
        return [Event.decode(one) for one in self.raw()]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name, as a socket needs it."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def phone(folder: Path) -> Iterator[Listening]:
    """A listener to NAS 7."""
    listening = Listening(folder, 7)
    yield listening
    listening.socket.close()


def a_request(device: str, user_name: str = CODE, nas: NasRecord | None = None) -> Request:
    """As much of a request as is traced."""
    attributes = [
        (wire.USER_NAME, user_name.encode()),
        (wire.USER_PASSWORD, CODE.encode()),
        (wire.CALLING_STATION_ID, device.encode()),
        (200, b"?"),
    ]
    packet = SimpleNamespace(
        device=Mac(device),
        text=lambda name: user_name if name == "User-Name" else None,
        attributes=attributes,
    )
    return cast(Request, SimpleNamespace(nas=nas or nas_record(7), packet=packet, told=None))


@pytest.fixture
def tracers() -> Iterator[list[Tracer]]:
    """The tracers of a test, closed after it."""
    some: list[Tracer] = []
    yield some
    for tracer in some:
        tracer.close()


@pytest.fixture
def worker(folder: Path, tracers: list[Tracer]) -> Worker:
    """Start a worker, which knows who listens."""

    def start() -> Observer:
        tracers.append(Tracer(folder))
        tracers[-1].look()
        return Observer(AUTH, tracers[-1], lambda: NOON)

    return start


def test_it_says_what_was_answered_and_why(worker: Worker, phone: Listening) -> None:
    observer = worker()
    observer.answered(a_request(PHONE), Reason.FULL, 0.0042)
    observer.unanswered(a_request(PHONE), "overload")
    observer.discarded(Cause.WRONG_SECRET, "127.0.0.1", nas_record(7))
    answered, unanswered, discarded = phone.events()
    assert (answered.at, answered.port, answered.says) == ("2026-06-15T12:00:00.000+00:00", AUTH, "full")
    assert (answered.milliseconds, answered.way, answered.make) == (4.2, "voucher", "generic")
    assert answered.attributes == ("User-Name", "User-Password", "Calling-Station-Id", "200")
    assert (unanswered.says, unanswered.milliseconds) == ("overload", None)
    assert (discarded.says, discarded.device, discarded.attributes) == ("wrong secret", None, ())
    assert describe(answered).startswith(
        "12:00:00.000 authentication full: No free place at the access point. [device "
    )
    assert "Signed with another secret" in describe(discarded)


@pytest.mark.parametrize(("name", "way"), [(PHONE, "mac"), ("abcdefgh234567aa", "ticket"), (CODE, "voucher")])
def test_it_says_how_somebody_wants_to_log_in(worker: Worker, phone: Listening, name: str, way: str) -> None:
    worker().answered(a_request(PHONE, name), "accepted", 0.1)
    (event,) = phone.events()
    assert event.way == way


def test_one_phone_can_be_followed_within_a_trace_by_all_workers_and_no_further(
    worker: Worker, folder: Path, phone: Listening
) -> None:
    other = Listening(folder, 7)
    for observer in (worker(), worker()):
        for device in (PHONE, LAPTOP):
            observer.answered(a_request(device), "accepted", 0.1)
    here = [event.device for event in phone.events()]
    there = [event.device for event in other.events()]
    other.socket.close()
    assert here[:2] == here[2:]
    assert len(set(here)) == 2
    assert all(device and len(device) == 4 for device in here)
    assert not set(here) & set(there)


def test_nothing_that_identifies_a_guest_is_in_it(worker: Worker, phone: Listening) -> None:
    observer = worker()
    for user_name in (PHONE, CODE, "abcdefgh234567aa"):
        observer.answered(a_request(PHONE, user_name), "accepted", 0.1)
        observer.unanswered(a_request(PHONE, user_name), "failed")
    said = b" ".join(phone.raw()).decode().upper()
    assert said
    for secret in (PHONE, PHONE.replace("-", ""), PHONE.replace("-", ":"), CODE, "ABCDEFGH234567AA"):
        assert secret not in said


def test_only_the_nas_asked_for_is_shown(worker: Worker, phone: Listening) -> None:
    observer = worker()
    observer.answered(a_request(PHONE, nas=nas_record(8)), "accepted", 0.1)
    observer.discarded(Cause.MALFORMED, "127.0.0.1", nas_record(77))
    observer.discarded(Cause.UNKNOWN_CLIENT, "127.0.0.1", None)
    assert phone.events() == []


def test_nobody_listens_and_nothing_is_made(worker: Worker, folder: Path, tracers: list[Tracer]) -> None:
    observer = worker()
    observer.answered(a_request(PHONE), "accepted", 0.1)
    assert tracers[0].listeners == ()
    assert tracers[0]._sender is None
    assert not (folder / "trace").exists()


def test_a_reader_that_takes_nothing_delays_nobody_and_is_given_up(
    tracers: list[Tracer], worker: Worker, phone: Listening
) -> None:
    observer = worker()
    for _ in range(3000):
        observer.answered(a_request(PHONE), "accepted", 0.1)
    assert not phone.path.exists()
    tracers[0].look()
    assert tracers[0].listeners == ()


def test_a_reader_that_died_is_cleared_away(worker: Worker, phone: Listening) -> None:
    phone.socket.close()
    assert phone.path.exists()
    observer = worker()
    observer.answered(a_request(PHONE), "accepted", 0.1)
    assert not phone.path.exists()


def test_a_foreign_file_in_the_folder_disturbs_nobody(worker: Worker, folder: Path, phone: Listening) -> None:
    (folder / "trace" / "notes.txt").touch()
    (folder / "trace" / "7").touch()
    observer = worker()
    observer.answered(a_request(PHONE), "accepted", 0.1)
    assert len(phone.events()) == 1


def test_a_request_that_cannot_be_described_is_answered_all_the_same(worker: Worker, phone: Listening) -> None:
    observer = worker()
    odd = cast(Request, SimpleNamespace(nas=nas_record(7), packet=None, told=None))
    observer.answered(odd, "accepted", 0.1)
    assert phone.events() == []
    assert observer.take().done.answered.total() == 1


def test_only_the_own_user_can_listen_or_look(folder: Path, phone: Listening) -> None:
    assert (folder / "trace").stat().st_mode & 0o777 == 0o700


def test_a_folder_whose_name_is_too_long_is_named(folder: Path) -> None:
    with pytest.raises(SetupError, match="too long"):
        listen(folder / ("x" * 100), 7)


def test_an_event_is_no_longer_than_a_reader_takes() -> None:
    event = dataclasses.replace(
        Event("2026-06-15T12:00:00.000+00:00", AUTH, "full"), attributes=tuple(str(n) for n in range(256))
    )
    assert Event.decode(event.encode()) == event
    assert len(event.encode()) < LONGEST_EVENT
    assert json.loads(event.encode())["says"] == "full"


def test_who_is_no_longer_told_anything_is_told_so(folder: Path) -> None:
    bound, path = listen(folder, 7)
    told = Event("2026-05-04T12:00:00.000Z", AUTH, "accepted")
    with bound, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(told.encode(), str(path))
        path.unlink()
        heard = events(bound, path, threading.Event())
        assert next(heard) == told, "what has come before is still shown"
        with pytest.raises(SetupError, match="socket was taken away"):
            next(heard)
