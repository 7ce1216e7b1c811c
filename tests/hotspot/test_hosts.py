import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotspot.hosts import read_host, read_host_port


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.1.0.1", "10.1.0.1"),
        ("10.1.0.1:3990", "10.1.0.1:3990"),
        ("SecureLogin.Example", "securelogin.example"),
        ("wlc.example:8443", "wlc.example:8443"),
        ("2001:DB8::0:1", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("[2001:db8::1]:3990", "[2001:db8::1]:3990"),
    ],
)
def test_hosts_with_and_without_port_are_spelt_one_way(text: str, meant: str) -> None:
    assert read_host_port(text) == meant
    assert read_host_port(meant) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", ":80", "host:", "host:0", "host:65536", "host:٣", "a b", "a/b", "user@host", "http://host", "host\n"),
        *("-a.example", "a..example", "a.example.", "ä.example", "x" * 64, "10.1.0.256", "1.2.3", "0x7f.1"),
        *("0x7f", "a.0x", "[::1", "fe80::1%eth0"),
    ],
)  # fmt: skip
def test_what_browsers_could_read_otherwise_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        read_host_port(text)


@given(st.text(alphabet="a1.:-[]%/@ ", max_size=20))
def test_whatever_is_taken_stays_as_it_is(text: str) -> None:
    try:
        taken = read_host_port(text)
    except ValueError:
        return
    assert read_host_port(taken) == taken
    assert not set(taken) & set("%/@ ")


def test_a_host_has_no_port() -> None:
    with pytest.raises(ValueError, match="not a host"):
        read_host("wlc.example:80")
