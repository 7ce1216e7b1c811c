"""surfpass metrics."""

import click

from deploy import ports
from deploy.commands.base import pass_installation
from deploy.commands.services import fd_type
from deploy.installation import Installation
from deploy.logging import configure_logging
from deploy.signals import stop_on_signals
from hotspot.errors import SetupError


@click.command()
@click.option("--fd", type=fd_type, help="A listening socket to take over, as 'surfpass run' hands it.")
@pass_installation
def metrics(installation: Installation, fd: int | None) -> None:
    """Tell Prometheus how the PoP does, at SURFPASS_METRICS_BIND. Answers also while the database is away."""
    from deploy.metrics import registry_of
    from deploy.metrics_server import serve

    settings = installation.settings
    if fd is None and not settings.metrics_bind:
        raise SetupError("no-metrics", "SURFPASS_METRICS_BIND is empty, so there are no metrics.")
    stop = stop_on_signals()
    configure_logging(settings.log_level)
    bound = ports.bind_metrics(settings) if fd is None else ports.adopt(fd)
    serve(bound, registry_of(settings.data_dir, lambda: installation.database, installation.clock), stop)
