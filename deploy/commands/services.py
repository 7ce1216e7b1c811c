"""surfpass migrate, run, portal, radius, housekeeping, printing, demo."""

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
    """Run the whole PoP in the foreground: portal, RADIUS, house-keeping, disconnects, printing and metrics.

    Ctrl-C or SIGTERM stops it. The database is set up first. An empty one gets a demo; --no-demo leaves it empty.
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


@click.group(invoke_without_command=True)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes; by default as SURFPASS_RADIUS_WORKERS says.")
@click.option("--auth-fd", type=fd_type, help="A UDP socket to take over for authentication, as a single worker.")
@click.option("--acct-fd", type=fd_type, help="A UDP socket to take over for accounting, as a single worker.")
@click.option("--name", default="radius", show_default=True, help="What a single worker calls itself.")
@pass_installation
def radius(
    installation: Installation, workers: int | None, auth_fd: int | None, acct_fd: int | None, name: str
) -> None:
    """Run RADIUS authentication and accounting, or look at it. SIGUSR1 restarts the workers one by one."""
    if click.get_current_context().invoked_subcommand:
        return
    from deploy.radius_workers import run_worker, run_workers

    configure_logging(installation.settings.log_level)
    if auth_fd is None and acct_fd is None:
        run_workers(installation, workers)
    elif auth_fd is None or acct_fd is None:
        raise click.UsageError("--auth-fd and --acct-fd go together")
    else:
        run_worker(installation, name, auth_fd, acct_fd, stop_on_signals())


@click.command()
@pass_installation
def housekeeping(installation: Installation) -> None:
    """Run house-keeping: what time alone brings about, such as ends of vouchers and the erasure of data; and send webhooks."""
    from deploy.housekeeper import run as keep_running
    from deploy.webhooks import sender

    stop = stop_on_signals()
    configure_logging(installation.settings.log_level)
    sender.start(installation, stop)
    keep_running(installation, stop)


@click.command()
@pass_installation
def printing(installation: Installation) -> None:
    """Make the large prints that staff order: PDF files of batches."""
    from deploy.printing import run as keep_running

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
