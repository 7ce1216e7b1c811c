"""surfpass webhook."""

import click
from sqlalchemy import select

from deploy.commands.base import pass_installation
from deploy.commands.output import Shown, format_of_many, format_of_one, print_many, print_one
from deploy.installation import Installation, Work
from hotspot.audit import COMMAND_LINE
from hotspot.enrolment import find_customer, find_site
from hotspot.errors import NotFound
from hotspot.webhooks import Delivery, Webhook, add_webhook, log_of, retire_webhook, send_test, webhooks_of
from vouchers.passes import find_pass
from vouchers.stock_alarms import set_threshold


@click.group()
def webhook() -> None:
    """Webhooks: what a customer's other systems are told of vouchers."""


@webhook.command("add")
@click.option("--customer", "customer_name", required=True, help="The customer: its name or id.")
@click.option("--url", required=True, help="An https address on the public internet.")
@format_of_one
@pass_installation
def add(installation: Installation, customer_name: str, url: str, form: str) -> None:
    """Add a webhook, and print the secret that its receiver checks signatures with: this once."""
    with installation.write() as work:
        customer = find_customer(work.session, customer_name)
        made = add_webhook(work.session, COMMAND_LINE, work.keyring, customer, url, work.now)
        shown = {**_show(made.webhook), "secret": made.secret}
    print_one(shown, form)


@webhook.command("list")
@click.option("--customer", "customer_name", required=True, help="The customer: its name or id.")
@format_of_many
@pass_installation
def list_(installation: Installation, customer_name: str, form: str) -> None:
    """List a customer's webhooks."""
    with installation.read() as work:
        customer = find_customer(work.session, customer_name)
        rows = [_show(one) for one in webhooks_of(work.session, [customer.id])]
    print_many(("id", "url", "created_at", "lost_at"), rows, form)


@webhook.command("retire")
@click.argument("webhook_id", metavar="ID")
@pass_installation
def retire(installation: Installation, webhook_id: str) -> None:
    """Tell nothing more there."""
    with installation.write() as work:
        retire_webhook(work.session, COMMAND_LINE, _find(work, webhook_id), work.now)
    click.echo(f"Webhook {webhook_id} is retired.")


@webhook.command("test")
@click.argument("webhook_id", metavar="ID")
@pass_installation
def test(installation: Installation, webhook_id: str) -> None:
    """Send a test event; house-keeping sends it, and the log says how it went."""
    with installation.write() as work:
        send_test(work.session, _find(work, webhook_id), work.now)
    click.echo(f"A test event is on its way: surfpass webhook log {webhook_id}")


@webhook.command("log")
@click.argument("webhook_id", metavar="ID")
@format_of_many
@pass_installation
def log(installation: Installation, webhook_id: str, form: str) -> None:
    """List the last 100 deliveries, the newest first."""
    with installation.read() as work:
        rows = [_show_delivery(one) for one in log_of(work.session, [_find(work, webhook_id).id])]
    print_many(("at", "event", "state", "status", "reason", "attempts", "next_try_at"), rows, form)


@webhook.command("stock")
@click.option("--site", "slug", required=True, help="Slug of the site.")
@click.option("--pass", "slug_of_pass", required=True, help="Slug of the pass.")
@click.option("--below", required=True, type=int, help="Tell when fewer unused vouchers are left; 0: never.")
@pass_installation
def stock(installation: Installation, slug: str, slug_of_pass: str, below: int) -> None:
    """Set when webhooks are told that a pass runs low at a site."""
    with installation.write() as work:
        site = find_site(work.session, slug)
        article = find_pass(work.session, site, slug_of_pass)
        set_threshold(work.session, COMMAND_LINE, site, article, below, work.now)
    click.echo(f"Webhooks are told when fewer than {below} are left." if below else "Webhooks are not told.")


def _find(work: Work, webhook_id: str) -> Webhook:
    found = work.session.scalar(select(Webhook).where(Webhook.public_id == webhook_id))
    if found is None:
        raise NotFound("no-webhook", f"There is no webhook {webhook_id[:40]!r}.")
    return found


def _show(one: Webhook) -> Shown:
    return {"id": one.public_id, "url": one.url, "created_at": one.created_at, "lost_at": one.lost_at}


def _show_delivery(one: Delivery) -> Shown:
    return {
        "at": one.created_at,
        "event": one.event,
        "state": one.state,
        "status": one.status,
        "reason": one.outcome,
        "attempts": one.attempts,
        "next_try_at": one.next_try_at,
    }
