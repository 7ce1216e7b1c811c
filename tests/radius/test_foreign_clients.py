"""Programs of others that speak RADIUS: eapol_test, and radsecproxy between a NAS and us. radclient asks everywhere else."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from sessions.visit import Visit, VisitState
from tests.radius.pop import SECRET, Pop, about, radclient
from tests.radius.proxies import free_port, make_certificates, radsecproxy, shipped_configuration

VENUE_SECRET = "the secret of the venue"
EAP = """
network={{
    key_mgmt=WPA-EAP
    eap={method}
    identity="guest"
    password="guest"
    {more}
}}
"""


@pytest.mark.parametrize(
    ("method", "more"), [("MD5", ""), ("PEAP", 'phase2="auth=MSCHAPV2"'), ("TTLS", 'phase2="auth=PAP"')]
)
def test_eapol_test_is_rejected_cleanly_whatever_it_tries(pop: Pop, tmp_path: Path, method: str, more: str) -> None:
    config = tmp_path / "eapol.conf"
    config.write_text(EAP.format(method=method, more=more))
    done = subprocess.run(
        ["eapol_test", "-c", str(config), "-a", "127.0.0.1", "-p", str(pop.auth_port), "-s", SECRET, "-t", "5"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.stdout.count("RADIUS message: code=3 (Access-Reject)") == 1, done.stdout[-2000:]
    assert "Invalid Message-Authenticator" not in done.stdout
    assert "EAPOL test timed out" not in done.stdout, "the rejection came at once and was understood"
    assert done.stdout.splitlines()[-1] == "FAILURE"
    assert pop.login(pop.codes(1)[0], pop.device()).kind == "Access-Accept"


def outwards(pop: Pop) -> dict[str, str]:
    """What in the shipped configuration names the PoP's ports and secret."""
    return {
        "port    1812": f"port    {pop.auth_port}",
        "port    1813": f"port    {pop.acct_port}",
        "change-this-secret": SECRET,
        "x-syslog:///LOG_DAEMON": "x-syslog:///LOG_LOCAL0",
    }


@pytest.fixture
def udp_proxy(pop: Pop, tmp_path: Path) -> Iterator[int]:
    """radsecproxy from UDP to UDP; its port."""
    port = free_port(socket.SOCK_DGRAM)
    changes = outwards(pop) | {
        "ListenTLS       *:2083": f"ListenUDP       127.0.0.1:{port}",
        "0.0.0.0/0\n    type                  tls\n    certificateNameCheck  off": (
            f'127.0.0.1\n    type                  udp\n    secret                "{VENUE_SECRET}"'
        ),
    }
    text = shipped_configuration("pop.conf", changes)
    without_tls = text[: text.index("tls default")] + text[text.index("# Any address") :]
    with radsecproxy(tmp_path / "udp", without_tls, f"listening for udp on 127.0.0.1:{port}"):
        yield port


@contextmanager
def tls_between(pop: Pop, venue: Path, beside_pop: Path) -> Iterator[int]:
    """One radsecproxy at a venue and one at the PoP, as they are shipped, TLS between; the UDP port of the venue's."""
    tls, auth, acct = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    at_pop = shipped_configuration(
        "pop.conf", outwards(pop) | {"*:2083": f"127.0.0.1:{tls}", "/etc/radsecproxy": str(beside_pop)}
    )
    at_venue = shipped_configuration(
        "venue.conf",
        {
            "*:1812": f"127.0.0.1:{auth}",
            "*:1813": f"127.0.0.1:{acct}",
            "pop.example.org": "127.0.0.1",
            "2083": str(tls),
            "the-gateways-secret": f'"{VENUE_SECRET}"',
            "/etc/radsecproxy": str(venue),
        },
    )
    with (
        radsecproxy(beside_pop, at_pop, f"listening for tls on 127.0.0.1:{tls}"),
        radsecproxy(venue, at_venue, f"listening for udp on 127.0.0.1:{acct}"),
    ):
        yield auth


@pytest.fixture
def tls_proxies(pop: Pop, tmp_path: Path) -> Iterator[int]:
    """RADIUS over TLS with good certificates on both sides."""
    make_certificates(tmp_path, "venue", "pop")
    with tls_between(pop, tmp_path / "venue", tmp_path / "pop") as port:
        yield port


@pytest.mark.parametrize("proxy", ["udp_proxy", "tls_proxies"])
def test_a_guest_comes_and_goes_behind_radsecproxy(pop: Pop, proxy: str, request: pytest.FixtureRequest) -> None:
    port: int = request.getfixturevalue(proxy)
    [code] = pop.codes(1)
    device = pop.device()
    asking = {"User-Name": code, "User-Password": code, **about(device), "Message-Authenticator": "0x00"}
    accepted = radclient(port, "auth", asking, VENUE_SECRET)
    assert accepted.kind == "Access-Accept"
    assert accepted["Session-Timeout"] == "3600"
    refused = radclient(port, "auth", asking | {"Calling-Station-Id": pop.device()}, VENUE_SECRET)
    assert refused.kind == "Access-Reject"
    assert "in use on another device" in refused["Reply-Message"]
    session = {"User-Name": code, "Acct-Session-Id": "s-1", **about(device), "Class": accepted["Class"]}
    for status, state in (("Start", VisitState.OPEN), ("Stop", VisitState.CLOSED)):
        answer = radclient(port, "acct", {"Acct-Status-Type": status, **session}, VENUE_SECRET)
        assert answer.kind == "Accounting-Response"
        with pop.database.read() as work:
            assert [visit.state for visit in work.scalars(select(Visit))] == [state]


def test_a_venue_whose_certificate_another_ca_has_made_is_not_let_in(pop: Pop, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    make_certificates(tmp_path, "venue", "pop")
    make_certificates(stranger, "venue")
    [code] = pop.codes(1)
    asking = {"User-Name": code, "User-Password": code, **about(pop.device()), "Message-Authenticator": "0x00"}
    (stranger / "venue" / "ca.pem").write_bytes((tmp_path / "pop" / "ca.pem").read_bytes())
    for folder, kind in ((stranger / "venue", ""), (tmp_path / "venue", "Access-Accept")):
        with tls_between(pop, folder, tmp_path / "pop") as port:
            assert radclient(port, "auth", asking, VENUE_SECRET).kind == kind
