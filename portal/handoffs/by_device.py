"""Gateways that know a guest by the device's MAC alone: the portal notes the device, and a Disconnect makes it come back."""

from collections.abc import Mapping

from hotspot.directory import NasRecord
from portal.handoffs.arrival import Admission, Arrival, Guest, Problem, Sent, State, Ticket, Wait
from portal.handoffs.parameters import Parameters, mac, name, read_parameters, web_address
from portal.handoffs.signatures import is_signed, signed_part


class ByDevice:
    """A NAS that asks RADIUS by MAC, and redirects whom RADIUS does not know to the portal. The query's names are ours."""

    ports: Mapping[int, str] = {}
    admission = Admission.BY_DEVICE

    def __init__(self, make: str) -> None:
        self.make = make

    def parse(self, sent: Sent) -> Arrival | Problem | None:
        """Read `device`, `nas`, `called`, `ssid` and `url`."""
        told = read_parameters(signed_part(sent))
        if told is None:
            return Problem.MALFORMED
        if "device" not in told:
            return None
        try:
            return _arrival(told)
        except ValueError:
            return Problem.MALFORMED

    def verify(self, sent: Sent, nas: NasRecord) -> bool:
        """A gateway that can sign does it as CoovaChilli."""
        return is_signed(sent, nas)

    def grant(self, nas: NasRecord, guest: Guest, ticket: Ticket) -> Wait:
        """The device comes back by itself, and RADIUS knows it then."""
        return Wait()

    def again(self, gateway: str) -> None:
        """There is no address to go to."""

    def logout(self, gateway: str) -> None:
        """The portal logs out, by a Disconnect."""


def _arrival(told: Parameters) -> Arrival:
    """ValueError for anything that no gateway would send."""
    device = mac(told["device"])
    if device is None or not device.names_a_device:
        raise ValueError("no device")
    nas_identifier = name(told.get("nas"))
    return Arrival(
        state=State.NOT_YET,
        gateway=None,
        nas_identifier=nas_identifier,
        called_station_id=name(told.get("called")),
        place_names=(nas_identifier,) if nas_identifier else (),
        device=device,
        ssid=name(told.get("ssid")),
        original_url=web_address(told.get("url")),
    )
