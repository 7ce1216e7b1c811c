"""surfpass run: the whole PoP on one machine."""

import http.client
from contextlib import ExitStack

import click

from deploy import ports
from deploy.children import Part
from deploy.demo import Demo, demo_of, is_empty, lay_out_demo
from deploy.demo_screen import demo_screen
from deploy.installation import Installation
from deploy.migrate import migrate
from deploy.radius_workers import WorkerSockets
from deploy.supervisor import supervise
from hotspot.settings import Settings, split_bind


def run(installation: Installation, *, with_demo: bool) -> None:
    """Set the database up, bind all ports, and run every part until told to stop. SetupError names a port that is taken."""
    settings = installation.settings
    migrate(settings)
    with ExitStack() as open_sockets:
        portal = open_sockets.enter_context(ports.bind_portal(settings))
        radius = open_sockets.enter_context(WorkerSockets(settings))
        metrics = open_sockets.enter_context(ports.bind_metrics(settings)) if settings.metrics_bind else None
        demo = _demo(installation) if with_demo else None
        if demo:
            ports.require_free_demo_port(settings)
        screen = f"{demo_screen(installation, demo)}\nCtrl-C stops everything.\n" if demo else _screen(settings)
        # The supervisor's pooled connections are of no more use, and must not reach the children.
        installation.close()
        parts = [
            Part("portal", ("portal", "--fd", str(portal.fileno())), (portal.fileno(),)),
            *radius.parts(),
            Part("housekeeping", ("housekeeping",)),
            Part("disconnects", ("disconnects",)),
            Part("printing", ("printing",)),
            *([Part("metrics", ("metrics", "--fd", str(metrics.fileno())), (metrics.fileno(),))] if metrics else []),
            *([Part("demo-ap", ("demo-ap", "--site", demo.site_slug), stops_first=True)] if demo else []),
        ]
        supervise(parts, installation.config, lambda: _portal_answers(settings), lambda: click.echo(screen))


def _demo(installation: Installation) -> Demo | None:
    """The demo of this database; laid out now if the database is empty."""
    with installation.read() as work:
        empty = is_empty(work.session)
    return lay_out_demo(installation) if empty else demo_of(installation)


def _portal_answers(settings: Settings) -> bool:
    host, port = split_bind(settings.portal_bind)
    connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=1)  # noqa: S104
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _screen(settings: Settings) -> str:
    return (
        f"surfpass is running: portal {settings.public_portal_url}, "
        f"RADIUS {settings.radius_bind} ports {settings.radius_auth_port} and {settings.radius_acct_port}. Ctrl-C stops it."
    )
