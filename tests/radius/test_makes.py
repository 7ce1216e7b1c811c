"""The table of makes: how each names a place, and each limit in the attributes and units its make takes, over UDP."""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from hotspot.audit import COMMAND_LINE
from hotspot.database import Database
from hotspot.enrolment import NewAccessPoint, NewSite, add_access_points, add_customer, add_site
from hotspot.keys import Keyring
from hotspot.mac import Mac
from hotspot.nas import NewNas, add_nas
from hotspot.place import AccessPoint, LoginWay, SiteKind
from hotspot.settings import Settings
from radius.makes import MAKES, EnforcedBy, Limit
from radius.packet import Packet, load_dictionary, parse
from sessions.visit import Visit
from tests.radius import wire
from tests.radius.pop import AP_MAC, SECRET, SSID, Clockwork, Pop, serving
from vouchers.admission import Granted
from vouchers.passes import Clock, Terms

VENDOR_SPECIFIC, NAS_PORT_ID, TUNNEL_PRIVATE_GROUP_ID = 26, 87, 81
WISPR, CHILLISPOT, MIKROTIK, CAMBIUM, ARUBA, BROADBAND_FORUM = 14122, 14559, 14988, 17713, 14823, 3561
# 5 GB: more than 32 bits hold.
GIGAWORDS, OCTETS = divmod(5_000_000_000, 1 << 32)
IN_THE_HALL, IN_THE_GARDEN = "Saal", "Garten"

EVERYTHING = Granted(seconds_left=600, octets_left=5_000_000_000, down_kbit=20_000, up_kbit=5_000, ends_at=None)
TIME_ONLY = Granted(seconds_left=600, octets_left=None, down_kbit=None, up_kbit=None, ends_at=None)


@pytest.mark.parametrize("name", sorted(MAKES))
def test_every_attribute_of_a_make_is_in_the_dictionary_and_fits_32_bits(name: str) -> None:
    for attribute, value in MAKES[name].limits(EVERYTHING):
        assert attribute in load_dictionary()
        assert isinstance(value, str) or 0 <= value < 1 << 32


@pytest.mark.parametrize("name", sorted(MAKES))
def test_no_limit_means_no_attribute(name: str) -> None:
    assert MAKES[name].limits(TIME_ONLY) == []


def test_mikrotik_is_told_the_guests_upload_first() -> None:
    limits = dict(MAKES["mikrotik"].limits(EVERYTHING))
    assert limits["Mikrotik-Rate-Limit"] == "5000k/20000k"
    assert limits["Mikrotik-Total-Limit"] == 5_000_000_000 - (1 << 32)
    assert limits["Mikrotik-Total-Limit-Gigawords"] == 1


def test_a_rate_that_wispr_cannot_carry_is_capped() -> None:
    fast = Granted(seconds_left=600, octets_left=None, down_kbit=4_300_000, up_kbit=None, ends_at=None)
    assert MAKES["generic"].limits(fast) == [("WISPr-Bandwidth-Max-Down", (1 << 32) - 1)]


def test_we_say_who_enforces_what() -> None:
    assert MAKES["coovachilli"].rate_enforced_by is EnforcedBy.NAS
    assert MAKES["coovachilli"].volume_enforced_by is EnforcedBy.NAS
    assert MAKES["hostapd"].rate_enforced_by is EnforcedBy.NOBODY
    assert MAKES["generic"].volume_enforced_by is EnforcedBy.DISCONNECT


def vendor(number: int, kind: int, value: bytes) -> tuple[int, bytes]:
    """A vendor's attribute (RFC 2865 §5.26)."""
    return VENDOR_SPECIFIC, number.to_bytes(4, "big") + bytes((kind, len(value) + 2)) + value


@dataclass(frozen=True)
class Case:
    """What a make sends of the place besides the guest, by which name the garden is known, and what it is told."""

    sends: wire.Attributes
    garden: str = "nobody"
    place: str = IN_THE_GARDEN
    told: dict[tuple[int, int], bytes] = field(default_factory=dict)


WISPR_RATE = {(WISPR, 8): wire.integer(20_000_000), (WISPR, 7): wire.integer(5_000_000)}
NAMED = (wire.NAS_IDENTIFIER, b"gateway")
GATEWAY = (wire.CALLED_STATION_ID, b"0A-FF-FF-FF-FF-FF")
AT_THE_HALL = (wire.CALLED_STATION_ID, f"{AP_MAC}:{SSID}".encode())
CASES = {
    "coovachilli": Case(
        [NAMED, GATEWAY, vendor(WISPR, 2, b"garden")],
        garden="garden",
        told=WISPR_RATE
        | {(CHILLISPOT, 5): wire.integer(20_000), (CHILLISPOT, 4): wire.integer(5_000)}
        | {(CHILLISPOT, 3): wire.integer(OCTETS), (CHILLISPOT, 23): wire.integer(GIGAWORDS)},
    ),
    "mikrotik": Case(
        [NAMED, (wire.CALLED_STATION_ID, b"hotspot2")],
        garden="gateway/hotspot2",
        told={(MIKROTIK, 8): b"5000k/20000k"}
        | {(MIKROTIK, 17): wire.integer(OCTETS), (MIKROTIK, 18): wire.integer(GIGAWORDS)},
    ),
    "hostapd": Case([NAMED, AT_THE_HALL], place=IN_THE_HALL),
    "aruba": Case([NAMED, GATEWAY, vendor(ARUBA, 6, b"ap-garden")], garden="ap-garden"),
    "cisco": Case([NAMED, GATEWAY, (TUNNEL_PRIVATE_GROUP_ID, b"\x0120")], garden="gateway/20"),
    "ruckus": Case([NAMED, GATEWAY, vendor(WISPR, 1, b"isocc=de,cc=49")], garden="isocc=de,cc=49", told=WISPR_RATE),
    "cambium": Case(
        [NAMED, (wire.CALLED_STATION_ID, AP_MAC.replace("-", "").lower().encode())],
        place=IN_THE_HALL,
        told=WISPR_RATE | {(CAMBIUM, 155): wire.integer(OCTETS), (CAMBIUM, 156): wire.integer(GIGAWORDS)},
    ),
    "meraki": Case([NAMED, AT_THE_HALL], place=IN_THE_HALL),
    "tp-link": Case([NAMED, AT_THE_HALL], place=IN_THE_HALL, told=WISPR_RATE),
    "generic": Case(
        [NAMED, (NAS_PORT_ID, b"vlan 20"), vendor(BROADBAND_FORUM, 1, b"nobody knows")],
        garden="gateway/vlan 20",
        told=WISPR_RATE,
    ),
}


def lay_out_make(database: Database, keyring: Keyring, make: str, garden: str, pop: Pop) -> None:
    """A Multi site with a hall that has a radio, and a garden that has only a name."""
    now = pop.clock()
    with database.write() as session:
        customer = add_customer(session, COMMAND_LINE, "Gasthof am Markt", now)
        site = add_site(session, COMMAND_LINE, customer, NewSite("markt", "Marktplatz", SiteKind.MULTI, SSID), now)
        points = [NewAccessPoint(IN_THE_HALL, (Mac.parse(AP_MAC),)), NewAccessPoint(IN_THE_GARDEN, (), garden)]
        add_access_points(session, COMMAND_LINE, site, points, now)
        nas = NewNas("loopback", "127.0.0.1/32", make, SECRET, logins=(LoginWay.VOUCHER,))
        add_nas(session, COMMAND_LINE, keyring, nas, site, now)


def vendor_values(answer: wire.Answer) -> dict[tuple[int, int], bytes]:
    """The vendors' attributes of a reply."""
    found = {}
    for kind, value in answer.attributes:
        if kind == VENDOR_SPECIFIC:
            found[int.from_bytes(value[:4], "big"), value[4]] = value[6 : 4 + value[5]]
    return found


@pytest.mark.parametrize("make", sorted(CASES))
def test_each_make_is_understood_and_told_its_limits_in_its_own_words(
    database: Database, keyring: Keyring, settings: Settings, make: str
) -> None:
    case = CASES[make]
    pop = Pop(database, keyring, settings, Clockwork())
    lay_out_make(database, keyring, make, case.garden, pop)
    with serving(pop):
        terms = Terms(Clock.FIRST_USE, minutes=60, megabytes=5000, down_kbit=20_000, up_kbit=5_000)
        (code,) = pop.codes(1, terms)
        about = [(wire.USER_NAME, code.encode()), (wire.CALLING_STATION_ID, pop.device().encode()), *case.sends]
        answer = wire.ask(pop.auth_port, wire.access_request(about, SECRET.encode(), password=code.encode()), timeout=5)
    assert answer
    assert answer.code == wire.ACCESS_ACCEPT
    assert vendor_values(answer) == case.told
    assert answer.first(wire.SESSION_TIMEOUT) == wire.integer(3600)
    with database.read() as session:
        query = select(AccessPoint.name).join(Visit, Visit.access_point_id == AccessPoint.id)
        assert session.scalars(query).all() == [case.place]


def test_there_is_a_case_for_every_make() -> None:
    assert CASES.keys() == MAKES.keys()


def test_a_name_that_every_router_has_counts_only_with_the_routers_own() -> None:
    mikrotik = MAKES["mikrotik"]
    about: wire.Attributes = [(wire.CALLED_STATION_ID, b"hotspot1")]
    assert mikrotik.place_names(packet_of(about)) == ()
    assert mikrotik.place_names(packet_of([*about, NAMED])) == ("gateway/hotspot1", "gateway")


def packet_of(attributes: wire.Attributes) -> Packet:
    """A packet as the server reads it."""
    return parse(wire.access_request(attributes, b"secret").octets, (wire.ACCESS_REQUEST,))


def test_a_pass_is_said_to_be_enforced_by_whom() -> None:
    plenty = Terms(Clock.FIRST_USE, minutes=60, megabytes=10, up_kbit=1000)
    assert MAKES["coovachilli"].enforced(plenty) == [
        (Limit.TIME, EnforcedBy.NAS),
        (Limit.VOLUME, EnforcedBy.NAS),
        (Limit.RATE, EnforcedBy.NAS),
    ]
    assert MAKES["hostapd"].enforced(plenty)[1:] == [
        (Limit.VOLUME, EnforcedBy.DISCONNECT),
        (Limit.RATE, EnforcedBy.NOBODY),
    ]
    assert MAKES["hostapd"].enforced(Terms(Clock.FIRST_USE, minutes=60)) == [(Limit.TIME, EnforcedBy.NAS)]
