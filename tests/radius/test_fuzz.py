"""No input stops a worker or delays the others: fuzzed datagrams against the decoder and against the running server."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from radius.packet import Discarded, parse
from tests.radius import wire
from tests.radius.fuzz import corpus, hostile
from tests.radius.make_corpus import access_requests, accounting_requests, malformed
from tests.radius.pop import SECRET, Pop, login_attributes, record_attributes
from vouchers.passes import Clock, Terms

KEY = SECRET.encode()
INTERIM = 3
CODES = (wire.ACCESS_REQUEST, wire.ACCOUNTING_REQUEST, wire.STATUS_SERVER)
# What a server says of an input that it was not prepared for.
ALARMS = ("batch taken apart", "request failed", "request unreadable")
SOAK_SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))


@dataclass
class Fuzzer:
    """Sends to both ports of a server, and asks it something good in between."""

    pop: Pop
    sender: socket.socket
    codes: list[str]
    sent: int = 0
    slowest: float = 0.0
    good: int = 0

    def send(self, octets: bytes) -> None:
        """One datagram, to both."""
        for port in (self.pop.auth_port, self.pop.acct_port):
            self.sender.sendto(octets, ("127.0.0.1", port))
            self.sent += 1

    def ask_something_good(self) -> None:
        """An Access-Request and an Accounting-Request: each has to be answered within a second, whatever came before."""
        self.good += 1
        attributes = login_attributes("0000-0000-000", f"0C-00-00-{self.good >> 16 & 255:02X}-"
                                      f"{self.good >> 8 & 255:02X}-{self.good & 255:02X}")  # fmt: skip
        access = wire.access_request(attributes, KEY, password=b"0000-0000-000", identifier=self.good & 255)
        record = wire.accounting_request(record_attributes(INTERIM, "good", "x"), KEY, identifier=self.good & 255)
        for port, request in ((self.pop.auth_port, access), (self.pop.acct_port, record)):
            begun = time.monotonic()
            answer = wire.ask(port, request, timeout=1)
            assert answer is not None, f"no answer to a good packet after {self.sent} others"
            assert answer.code in (wire.ACCESS_REJECT, wire.ACCOUNTING_RESPONSE)
            self.slowest = max(self.slowest, time.monotonic() - begun)


@pytest.fixture
def fuzzer(pop: Pop) -> Iterator[Fuzzer]:
    """A fuzzer at a running server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        yield Fuzzer(pop, sender, pop.codes(5, Terms(Clock.FIRST_USE, minutes=600, devices=5)))


def test_the_corpus_is_what_it_is_made_from() -> None:
    """A file by itself would be lost when the corpus is written anew; a packet without a file would not be kept."""
    made = (access_requests() | accounting_requests() | malformed()).values()
    assert sorted(made) == sorted(corpus())
    assert len(set(corpus())) == len(corpus())


@given(st.randoms(use_true_random=False))
@settings(max_examples=500)
def test_the_decoder_discards_or_reads_whatever_comes(random: Random) -> None:
    octets = hostile(random)
    with suppress(Discarded):
        packet = parse(octets, CODES)
        assert packet.octets == octets[: len(packet.octets)]
        for name in ("User-Name", "Class", "Proxy-State", "Calling-Station-Id"):
            assert packet.text(name) is None or isinstance(packet.text(name), str)
        assert packet.device is None or packet.device
        packet.vendor_integer(14559, 10)
        for name in ("Acct-Status-Type", "Acct-Input-Octets"):
            with suppress(Discarded):
                packet.integer(name)


def test_every_packet_of_the_corpus_leaves_the_server_well(fuzzer: Fuzzer) -> None:
    with capture_logs() as logs:
        for octets in corpus():
            fuzzer.send(octets)
        fuzzer.ask_something_good()
    assert [entry for entry in logs if entry["event"] in ALARMS] == []


def test_no_input_stops_the_server_or_delays_a_good_packet(fuzzer: Fuzzer) -> None:
    @given(st.randoms(use_true_random=False), st.integers(1, 10))
    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    def fuzz(random: Random, count: int) -> None:
        with capture_logs() as logs:
            for _ in range(count):
                fuzzer.send(hostile(random, fuzzer.codes))
            fuzzer.ask_something_good()
        assert [entry for entry in logs if entry["event"] in ALARMS] == []

    fuzz()


@pytest.mark.soak
def test_ten_minutes_of_fuzz_leave_no_good_packet_unanswered(
    fuzzer: Fuzzer, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = time.time_ns()
    random, end = Random(seed), time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        with capture_logs() as logs:
            for _ in range(random.randrange(1, 60)):
                fuzzer.send(hostile(random, fuzzer.codes))
            fuzzer.ask_something_good()
        assert [entry for entry in logs if entry["event"] in ALARMS] == [], f"seed {seed}"
    with capsys.disabled():
        said = f"{fuzzer.sent} inputs, {2 * fuzzer.good} good packets between, slowest answer {fuzzer.slowest:.3f} s"
        os.write(1, f"\nfuzz (seed {seed}): {said}\n".encode())
