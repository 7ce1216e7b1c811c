"""The software access point: plays a CoovaChilli-like gateway on loopback, for people and for tests.

In a browser it looks like a phone on the Wi-Fi: whatever is asked leads to the portal, until RADIUS has said yes.
It does not slow anybody down: rates are for real gateways.
"""

import threading

from deploy.software_ap.accounting import AccountingQueue
from deploy.software_ap.gateway import AccessPointConfig, Gateway
from deploy.software_ap.http import AccessPointServer
from deploy.software_ap.orders import OrderTaker
from hotspot.clock import Clock, utc_now
from sessions.records import Status

__all__ = ["AccessPointConfig", "SoftwareAccessPoint"]

_LOOK_EVERY_SECONDS = 0.2
_STOP_SECONDS = 5.0


class SoftwareAccessPoint:
    """An access point that can be started and stopped once.

    with SoftwareAccessPoint(config) as access_point:
        open_in_browser(access_point.address)
    """

    def __init__(self, config: AccessPointConfig, clock: Clock = utc_now) -> None:
        self._config = config
        self._clock = clock
        self._orders: OrderTaker | None = None
        self._accounting = AccountingQueue(config.client(), clock)
        self._server: AccessPointServer | None = None
        self._gateway: Gateway | None = None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        """Where guests open it, such as http://127.0.0.1:3990."""
        gateway = self._running()
        host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
        return f"http://{host}:{gateway.port}"

    @property
    def coa_port(self) -> int | None:
        """The UDP port where the PoP may end sessions; None where there is none."""
        return self._orders.port if self._orders else None

    def start(self) -> None:
        """Listen and announce itself to the PoP, which may come up later. OSError when the port is taken."""
        server = AccessPointServer(self._config.host, self._config.port)
        host, port = server.socket.getsockname()[:2]
        gateway = server.gateway = Gateway(self._config, host, port, self._accounting)
        self._server, self._gateway = server, gateway
        gateway.announce(Status.ACCOUNTING_ON)
        self._accounting.start()
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.1,), name="access-point-http", daemon=True),
            threading.Thread(target=self._look_after, args=(gateway,), name="access-point-limits", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        if self._config.coa_port is not None:
            self._orders = OrderTaker(gateway, host, self._config.coa_port, self._clock)
            self._orders.start()

    def stop(self) -> None:
        """Take all guests offline, say so to the PoP, and close; takes at most a few seconds, and twice does no harm."""
        if self._stopping.is_set() or self._server is None or self._gateway is None:
            return
        self._stopping.set()
        if self._orders:
            self._orders.stop()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self._gateway.close()
        self._accounting.close(_STOP_SECONDS)

    def __enter__(self) -> "SoftwareAccessPoint":
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _running(self) -> Gateway:
        if self._gateway is None:
            raise RuntimeError("the access point has not been started")
        return self._gateway

    def _look_after(self, gateway: Gateway) -> None:
        while not self._stopping.wait(_LOOK_EVERY_SECONDS):
            gateway.look_after_connections()
