"""The `surfpass` command."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from deploy.commands.access_points import ap
from deploy.commands.api_keys import api_key
from deploy.commands.base import SurfpassGroup, config_option
from deploy.commands.customers import customer
from deploy.commands.demo_ap import demo_ap
from deploy.commands.devices import device
from deploy.commands.disconnects import disconnects
from deploy.commands.keys import keys
from deploy.commands.legal import legal
from deploy.commands.metrics import metrics
from deploy.commands.nas import nas
from deploy.commands.nas_traffic import traffic
from deploy.commands.offers import code_field, preselect, text
from deploy.commands.opening import hours
from deploy.commands.passes import pass_
from deploy.commands.services import demo, housekeeping, migrate, portal, printing, radius, run
from deploy.commands.sites import site
from deploy.commands.trace import trace
from deploy.commands.users import user
from deploy.commands.voucher_acts import activate, batches, credit, extend, replace, switch_off_
from deploy.commands.vouchers import voucher
from deploy.commands.webhooks import webhook
from deploy.installation import Installation


def _version() -> str:
    try:
        return version("surfpass")
    except PackageNotFoundError:
        return "unknown: not installed"


@click.group(cls=SurfpassGroup)
@config_option
@click.version_option(_version(), prog_name="surfpass")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """The software of a central hotspot PoP: captive portal, Surf Pass vouchers and RADIUS for many venues.

    \b
    surfpass run                 everything, in the foreground; with a demo if the database is empty
    surfpass COMMAND --help      says more about a command

    Settings come from the environment (SURFPASS_*) or from --config; docs/settings.md lists them.
    """
    installation = context.obj = Installation(config)
    context.call_on_close(installation.close)


for command in (
    *(migrate, run, portal, radius, housekeeping, disconnects, printing, metrics, demo, demo_ap),
    *(customer, user, site, ap, nas, pass_, voucher, device, legal, keys, api_key, webhook),
):
    cli.add_command(command)


radius.add_command(trace)
for command in (text, preselect, code_field):
    pass_.add_command(command)
for command in (batches, activate, switch_off_, extend, replace, credit):
    voucher.add_command(command)
nas.add_command(traffic)
site.add_command(hours)


def main() -> None:
    """The entry point."""
    cli.main(prog_name="surfpass")
