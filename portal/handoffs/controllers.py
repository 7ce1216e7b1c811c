"""Controllers that redirect guests to the portal, and take them back by a form that the guest's browser posts.

One table, at the end: what each make calls what. docs/gateways.md says how sure each row is. None of them signs anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hotspot.directory import NasRecord
from portal.handoffs.addresses import WEB_PORTS, Origin, make_origin, read_origin
from portal.handoffs.arrival import Admission, Arrival, Failure, FormPost, Guest, Problem, Sent, State, Ticket
from portal.handoffs.parameters import Parameters, address, mac, name, read_parameters, web_address

# All that is echoed has to fit into the flow token.
MOST_ECHOED_OCTETS = 1500

Fields = tuple[tuple[str, str], ...]
Situation = tuple[State, Failure | None]
_ARRIVED: Situation = (State.NOT_YET, None)
_REJECTED: Situation = (State.FAILED, Failure.REJECT)


@dataclass(frozen=True)
class Names:
    """What a make calls in its redirect what it tells of the guest."""

    device: str
    access_point: str = ""
    ssid: str = ""
    address: str = ""
    original_url: str = ""
    nas_identifier: str = ""


@dataclass(frozen=True)
class FormNames:
    """What a make calls the fields of its form; `fixed` go along always, `landing` says where to go when all went well."""

    path: str
    user_name: str = "username"
    password: str = "password"
    landing: str = ""
    fixed: Fields = ()


@dataclass(frozen=True)
class Controller:
    """One make. Its redirect is told by `marks`, all of which it holds.

    `echoes` are names in the redirect with the names of the form's fields that carry them back; `url_echo` is the redirect's
    name for the very address to post to, where it is more than a path.
    """

    make: str
    marks: tuple[str, ...]
    gateway_in: Callable[[Parameters], Origin]
    names: Names
    form: FormNames
    ports: Mapping[int, str]
    echoes: Fields = ()
    url_echo: str = ""
    situation: Callable[[Parameters], Situation] = lambda _told: _ARRIVED
    logout_path: str = ""
    admission = Admission.BY_TICKET

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Read the redirect."""
        told = read_parameters(sent.query)
        if told is None:
            return Problem.MALFORMED
        if not all(mark in told for mark in self.marks):
            return None
        try:
            return self._arrival(told)
        except ValueError:
            return Problem.MALFORMED

    def _arrival(self, told: Parameters) -> Arrival:
        """ValueError for anything the make would not send."""
        names = self.names
        state, failure = self.situation(told)
        access_point, ssid = name(told.get(names.access_point)), name(told.get(names.ssid))
        nas_identifier = name(told.get(names.nas_identifier))
        return Arrival(
            state=state,
            gateway=str(self.gateway_in(told)),
            nas_identifier=nas_identifier,
            called_station_id=access_point,
            place_names=(nas_identifier,) if nas_identifier else (),
            device=mac(told.get(names.device)),
            address=address(told.get(names.address)),
            ssid=ssid,
            original_url=web_address(told.get(names.original_url)),
            failure=failure,
            echoes=self._echoes(told),
        )

    def _echoes(self, told: Parameters) -> Fields:
        if self.url_echo and urlsplit(told[self.url_echo]).path != self.form.path:
            raise ValueError("not the address of the form")
        wanted = (*self.echoes, (self.url_echo, self.url_echo)) if self.url_echo else self.echoes
        echoes = tuple((field, told[parameter]) for parameter, field in wanted if parameter in told)
        if any(not value.isprintable() for _field, value in echoes):
            raise ValueError("not to be echoed")
        if sum(len(field) + len(value.encode()) for field, value in echoes) > MOST_ECHOED_OCTETS:
            raise ValueError("too much to echo")
        return echoes

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """Controllers sign nothing."""
        return False

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> FormPost:
        """The form with the ticket; the controller works out CHAP by itself where it is set so."""
        form, echoes = self.form, dict(guest.echoes)
        url = echoes.pop(self.url_echo) if self.url_echo else f"{guest.gateway}{form.path}"
        landing = ((form.landing, ticket.landing_url),) if form.landing else ()
        proof = ((form.user_name, ticket.user_name), (form.password, ticket.password))
        return FormPost(url, (*proof, *form.fixed, *echoes.items(), *landing))

    def again(self, gateway: str) -> None:
        """Controllers have no page that leads to the portal: any web page does."""

    def logout(self, gateway: str) -> str | None:
        """The controller ends the session, where it has an address for that; a Disconnect does it everywhere."""
        return f"{gateway}{self.logout_path}" if self.logout_path else None


def _in_url(parameter: str) -> Callable[[Parameters], Origin]:
    """The gateway is the host of an address in the redirect."""
    return lambda told: read_origin(told[parameter])


def _at(parameter: str, scheme: str, port: int) -> Callable[[Parameters], Origin]:
    """The redirect names the gateway's host; scheme and port are the make's."""
    return lambda told: make_origin(scheme, told[parameter].strip("[]"), str(port))


def _omada(told: Parameters) -> Origin:
    return make_origin(told.get("scheme") or "http", told["target"].strip("[]"), told["targetPort"])


def _failed_if(parameter: str) -> Callable[[Parameters], Situation]:
    """A login failed when the controller says why."""
    return lambda told: _REJECTED if told.get(parameter) else _ARRIVED


def _cisco(told: Parameters) -> Situation:
    """statusCode: 1 online already, 2 no web login set up, 3 name in use, 4 excluded, 5 refused."""
    match told.get("statusCode"):
        case None | "" | "0":
            return _ARRIVED
        case "1":
            return State.ALREADY, None
        case "3" | "4" | "5":
            return _REJECTED
        case _:
            return State.FAILED, Failure.OTHER


def _same(*names: str) -> Fields:
    """Parameters that go back by the same name."""
    return tuple((one, one) for one in names)


CONTROLLERS = (
    Controller(
        "cisco", ("switch_url",), _in_url("switch_url"),
        Names("client_mac", "ap_mac", "wlan", original_url="redirect"),
        FormNames("/login.html", landing="redirect_url", fixed=(("buttonClicked", "4"), ("err_flag", "0"))),
        ports=WEB_PORTS, situation=_cisco, logout_path="/logout.html",
    ),
    Controller(
        "aruba", ("switchip", "mac"), _at("switchip", "https", 443),
        Names("mac", "apmac", "essid", "ip", "url"),
        FormNames("/cgi-bin/login", user_name="user", landing="url", fixed=(("cmd", "authenticate"),)),
        ports=WEB_PORTS, situation=_failed_if("errmsg"), logout_path="/cgi-bin/login?cmd=logout",
    ),
    Controller(
        "ruckus", ("sip", "uip"), _at("sip", "http", 9997),
        Names("client_mac", "mac", "ssid", "uip", "url"),
        FormNames("/login"), ports={9997: "http"}, echoes=(("uip", "ip"),),
    ),
    Controller(
        "cambium", ("ga_srvr",), _at("ga_srvr", "http", 880),
        Names("ga_cmac", "ga_ap_mac", "ga_ssid", "ga_cip", "ga_orig_url", "ga_nas_id"),
        FormNames("/cgi-bin/hotspot_login.cgi", "ga_user", "ga_pass", landing="ga_orig_url"), ports={880: "http"},
        echoes=_same("ga_ssid", "ga_ap_mac", "ga_nas_id", "ga_srvr", "ga_cmac", "ga_cip", "ga_Qv"),
    ),
    Controller(
        "meraki", ("login_url",), _in_url("login_url"),
        Names("client_mac", "ap_mac", address="client_ip", original_url="continue_url"),
        FormNames("/splash/login", landing="success_url"),
        ports={443: "https"}, url_echo="login_url", situation=_failed_if("error_message"),
    ),
    Controller(
        "tp-link", ("target", "targetPort"), _omada,
        Names("clientMac", "apMac", "ssidName", "clientIp", "originUrl"),
        FormNames("/portal/radius/browserauth", landing="originUrl", fixed=(("authType", "2"),)),
        ports={8843: "https", 8088: "http"},
        echoes=_same("clientMac", "clientIp", "apMac", "gatewayMac", "ssidName", "radioId", "vid"),
    ),
)  # fmt: skip
