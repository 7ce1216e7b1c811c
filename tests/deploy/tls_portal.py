"""The portal's own server with a certificate: openNDS's level 3 speaks HTTPS, and nothing but this differs from a real one."""

import socket
import sys

from deploy.installation import Installation
from deploy.portal_server import PortalServer
from hotspot.settings import split_bind


class TlsPortalServer(PortalServer):
    """With a certificate and its key, as a proxy in front would have them."""

    def load_config(self) -> None:
        """Add the certificate."""
        super().load_config()
        self.cfg.set("certfile", sys.argv[1])
        self.cfg.set("keyfile", sys.argv[2])


def main() -> None:
    """Serve where SURFPASS_PORTAL_BIND says."""
    installation = Installation(None)
    listener = socket.create_server(split_bind(installation.settings.portal_bind))
    listener.set_inheritable(True)
    TlsPortalServer(installation, listener.fileno()).run()


if __name__ == "__main__":
    main()
