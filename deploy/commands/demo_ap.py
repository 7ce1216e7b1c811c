"""surfpass demo-ap."""

import click
import structlog

from deploy.commands.base import pass_installation
from deploy.installation import Installation
from deploy.logging import configure_logging
from deploy.signals import stop_on_signals
from hotspot.errors import SetupError

log = structlog.get_logger("demo-ap")

_PORT = click.IntRange(1, 65535)


@click.command("demo-ap")
@click.option("--site", help="Slug of the site it plays at; by default that of the first access point.")
@click.option("--ap", "access_point", help="Name of the access point it plays; by default the site's first.")
@click.option(
    "--listen", help="host:port guests open, one of a NAS's gateway addresses; default SURFPASS_DEMO_AP_BIND."
)
@click.option("--portal-url", help="Address of the portal, where it is not SURFPASS_PORTAL_URL.")
@click.option("--radius-host", help="Host of the RADIUS server, where it is not SURFPASS_RADIUS_BIND.")
@click.option(
    "--radius-auth-port", "auth_port", type=_PORT, help="Its port, where it is not SURFPASS_RADIUS_AUTH_PORT."
)
@click.option(
    "--radius-acct-port", "acct_port", type=_PORT, help="Its port, where it is not SURFPASS_RADIUS_ACCT_PORT."
)
@pass_installation
def demo_ap(
    installation: Installation,
    site: str | None,
    access_point: str | None,
    listen: str | None,
    portal_url: str | None,
    radius_host: str | None,
    auth_port: int | None,
    acct_port: int | None,
) -> None:
    """Play an access point: open its address in a browser, and you are a guest's phone on the Wi-Fi.

    \b
    surfpass demo-ap --site markt
    """
    from deploy.software_ap import SoftwareAccessPoint
    from deploy.software_ap.setup import Wishes, set_up

    stop = stop_on_signals()
    configure_logging(installation.settings.log_level)
    wishes = Wishes(site, access_point, listen, portal_url, radius_host, auth_port, acct_port)
    with installation.read() as work:
        config = set_up(work, installation.settings, wishes)
    player = SoftwareAccessPoint(config, installation.clock)
    try:
        player.start()
    except OSError as error:
        raise SetupError(
            "port",
            f"{config.host} port {config.port} cannot be used ({error.strerror}): "
            "choose another one with SURFPASS_DEMO_AP_BIND.",
        ) from error
    log.info("the access point is there", site=config.site_slug, open=player.address)
    stop.wait()
    player.stop()
