"""What is due is sent, one message for each webhook at a time, and what fails is tried again."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from deploy.installation import Installation
from deploy.webhooks.client import Client, Outcome
from hotspot.clock import Clock
from hotspot.database import Database
from hotspot.keys import Keyring, Purpose
from hotspot.webhooks import LEASE, WAITS, Delivery, Webhook, forget_old, sign
from vouchers.stock_alarms import check_stock

LOOK_EVERY_SECONDS = 2.0
STOCK_EVERY_SECONDS = 60.0
AT_ONCE = 8
_A_ROUND = 50

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, repr=False)
class Message:
    """A delivery as it is sent."""

    id: int
    public_id: str
    url: str
    secret: bytes
    body: str
    attempts: int


def start(installation: Installation, stop: threading.Event) -> None:
    """Send in a thread of its own: a receiver may take its time, and house-keeping has none to lose."""
    # Opened here, lest two threads open it at once.
    database, keyring = installation.database, installation.keyring()
    threading.Thread(
        target=run, args=(database, keyring, installation.clock, stop), name="webhooks", daemon=True
    ).start()


def run(database: Database, keyring: Keyring, clock: Clock, stop: threading.Event) -> None:
    """Send until `stop` is set."""
    client, look_at = Client(), 0.0
    while not stop.is_set():
        sent = 0
        try:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + STOCK_EVERY_SECONDS
                look_after_stock(database, clock())
            sent = send_due(database, keyring, client, clock())
        except Exception as error:
            # Its words may name an address, or what a driver knows.
            log.error("round failed", error=type(error).__name__)
        if not sent:
            stop.wait(LOOK_EVERY_SECONDS)


def look_after_stock(database: Database, now: datetime) -> None:
    """Tell what runs low, and forget what was told long ago."""
    with database.write() as session:
        check_stock(session, now)
        forget_old(session, now)


def send_due(database: Database, keyring: Keyring, client: Client, now: datetime) -> int:
    """Send what is due, the oldest of each webhook; returns how many were tried."""
    with database.read() as session:
        if not _due(session, now):
            return 0
    with database.write() as session:
        messages = _claim(session, keyring, now)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda one: _try(client, one, now), messages))
    with database.write() as session:
        for message, outcome in zip(messages, outcomes, strict=True):
            _note(session, message, outcome, now)
    return len(messages)


def _due(session: Session, now: datetime) -> list[int]:
    query = (
        select(func.min(Delivery.id))
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.next_try_at <= now, Webhook.retired_at.is_(None))
        .group_by(Delivery.webhook_id)
        .order_by(func.min(Delivery.next_try_at))
        .limit(_A_ROUND)
    )
    return list(session.scalars(query).all())


def _claim(session: Session, keyring: Keyring, now: datetime) -> list[Message]:
    """Race: of several processes that send, the one whose UPDATE finds the row due has it, until the lease ends."""
    claimed = (
        update(Delivery)
        .where(Delivery.id.in_(sorted(_due(session, now))), Delivery.next_try_at <= now)
        .values(next_try_at=now + LEASE, attempts=Delivery.attempts + 1)
        .returning(Delivery.id)
    )
    ids = list(session.scalars(claimed))
    query = select(Delivery, Webhook).join(Webhook, Webhook.id == Delivery.webhook_id).where(Delivery.id.in_(ids))
    return [
        Message(one.id, one.public_id, hook.url, keyring.decrypt(Purpose.SECRETS, hook.secret), one.body, one.attempts)
        for one, hook in session.execute(query).all()
    ]


def _try(client: Client, message: Message, now: datetime) -> Outcome:
    """One message that cannot be sent must not lose what became of the others."""
    try:
        return _send(client, message, now)
    except Exception as error:
        # Its words may name an address.
        log.error("webhook failed", delivery=message.public_id, error=type(error).__name__)
        return Outcome(reason="no-answer")


def _send(client: Client, message: Message, now: datetime) -> Outcome:
    stamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "surfpass",
        "webhook-id": message.public_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(message.secret, message.public_id, stamp, message.body),
    }
    return client.post(message.url, headers, message.body.encode())


def _note(session: Session, message: Message, outcome: Outcome, now: datetime) -> None:
    """Done, to be tried again, or given up."""
    again = None if outcome.is_delivered or message.attempts > len(WAITS) else now + WAITS[message.attempts - 1]
    values = {
        "status": outcome.status,
        "outcome": outcome.reason,
        "next_try_at": again,
        "delivered_at": now if outcome.is_delivered else None,
    }
    session.execute(update(Delivery).where(Delivery.id == message.id).values(**values))
    if not outcome.is_delivered:
        log.info("webhook not delivered", delivery=message.public_id, status=outcome.status, reason=outcome.reason)
