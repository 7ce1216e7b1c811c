"""surfpass migrate, run, portal, radius, housekeeping, demo."""

import click

from deploy import ports
from deploy.commands.base import pass_installation
from deploy.installation import Installation
from deploy.logging import configure_logging
from deploy.signals import stop_on_signals

fd_type = click.IntRange(min=0)


@click.command()
@pass_installation
def migrate(installation: Installation) -> None:
    """Set the database up, or bring it to this version. Doing it again changes nothing."""
    from deploy.migrate import migrate as set_up

    set_up(installation.settings)
    click.echo("The database is set up and of this version.")


@click.command()
@click.option(
    "--no-demo", is_flag=True, help="Lay out no demo in an empty database, and start no software access point."
)
@pass_installation
def run(installation: Installation, no_demo: bool) -> None:
    """Run the whole PoP in the foreground: portal, RADIUS and house-keeping. Ctrl-C or SIGTERM stops it.

    The database is set up first. An empty one gets a demo; --no-demo leaves it empty.
    """
    from deploy.run import run as run_all

    configure_logging(installation.settings.log_level)
    run_all(installation, with_demo=not no_demo)


@click.command()
@click.option("--fd", type=fd_type, help="A listening socket to take over, as 'surfpass run' hands it.")
@pass_installation
def portal(installation: Installation, fd: int | None) -> None:
    """Run the portal."""
    from deploy.portal_server import PortalServer

    configure_logging(installation.settings.log_level)
    bound = ports.bind_portal(installation.settings) if fd is None else ports.adopt(fd)
    installation.keyring()
    # Gunicorn closes the descriptor it is given, so it gets this one for good.
    PortalServer(installation, bound.detach()).run()


@click.command()
@click.option("--auth-fd", type=fd_type, help="A UDP socket to take over for authentication.")
@click.option("--acct-fd", type=fd_type, help="A UDP socket to take over for accounting.")
@pass_installation
def radius(installation: Installation, auth_fd: int | None, acct_fd: int | None) -> None:
    """Run RADIUS authentication and accounting."""
    from radius.server import RadiusServer

    stop = stop_on_signals()
    configure_logging(installation.settings.log_level)
    settings = installation.settings
    authentication = ports.bind_radius_authentication(settings) if auth_fd is None else ports.adopt(auth_fd)
    accounting = ports.bind_radius_accounting(settings) if acct_fd is None else ports.adopt(acct_fd)
    keyring = installation.keyring()
    server = RadiusServer(settings, installation.database, keyring, authentication, accounting, installation.clock)
    with authentication, accounting:
        server.run(stop)


@click.command()
@pass_installation
def housekeeping(installation: Installation) -> None:
    """Run house-keeping: what time alone brings about, such as ends of vouchers and the erasure of data."""
    from deploy.housekeeper import run as keep_running

    stop = stop_on_signals()
    configure_logging(installation.settings.log_level)
    keep_running(installation, stop)


@click.command()
@pass_installation
def demo(installation: Installation) -> None:
    """Lay out a demo in an empty database, and print how to look at it; 'surfpass run' does both."""
    from deploy.demo import demo_of, lay_out_demo
    from deploy.demo_screen import demo_screen

    click.echo(demo_screen(installation, demo_of(installation) or lay_out_demo(installation)))
