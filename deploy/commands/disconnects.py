"""surfpass disconnects."""

import click

from deploy.commands.base import pass_installation
from deploy.installation import Installation
from deploy.logging import configure_logging
from deploy.signals import stop_on_signals


@click.command()
@pass_installation
def disconnects(installation: Installation) -> None:
    """Tell NAS to end visits, and new limits of running ones (RFC 5176). On PostgreSQL it may run on several machines."""
    from radius.coa import Sender

    stop = stop_on_signals()
    configure_logging(installation.settings.log_level)
    keyring = installation.keyring()
    Sender(installation.database, keyring, installation.clock, installation.settings.radius_bind).run(stop)
