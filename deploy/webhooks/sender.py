"""What is due is sent, one message for each webhook at a time, and what fails is tried again."""

import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Row, case, func, literal, select, update
from sqlalchemy.orm import Session

from deploy.installation import Installation
from deploy.webhooks.addresses import is_outside
from deploy.webhooks.client import Client, Outcome
from hotspot.clock import Clock
from hotspot.counters import Counters
from hotspot.database import Database, UtcDateTime
from hotspot.keys import Keyring, Purpose
from hotspot.webhooks import LEASE, WAITS, Delivery, Webhook, forget_old, sign
from vouchers.stock_alarms import check_stock

LOOK_EVERY_SECONDS = 2.0
STOCK_EVERY_SECONDS = 60.0
AT_ONCE = 32
# So that no customer's receivers, however slow, take all of them.
AT_ONCE_BY_CUSTOMER = 2
# After a try without an answer, so that whoever is away leaves room for the customer's other receivers.
REST = timedelta(seconds=30)

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, repr=False)
class Message:
    """A delivery as it is sent; `secret` is encrypted still."""

    id: int
    public_id: str
    webhook_id: int
    customer_id: int
    url: str
    secret: bytes
    body: str
    attempts: int


def start(installation: Installation, stop: threading.Event) -> None:
    """Send in a thread of its own: a receiver may take its time, and house-keeping has none to lose."""
    # Opened here, lest two threads open it at once.
    database, keyring = installation.database, installation.keyring()
    host = urlsplit(installation.settings.public_portal_url).hostname or ""
    counters = Counters(installation.settings.data_dir, "webhooks")
    sender = Sender(database, keyring, Client(is_allowed=partial(is_outside, host)), installation.clock, counters)
    threading.Thread(
        target=run, args=(database, sender, installation.clock, stop), name="webhooks", daemon=True
    ).start()


def run(database: Database, sender: "Sender", clock: Clock, stop: threading.Event) -> None:
    """Send until `stop` is set; what is on its way then is sent again once its lease is over."""
    look_at = 0.0
    while not stop.is_set():
        try:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + STOCK_EVERY_SECONDS
                look_after_stock(database, clock())
            sender.begin()
            sender.gather(LOOK_EVERY_SECONDS)
        except Exception as error:
            # Its words may name an address, or what a driver knows.
            log.error("round failed", error=type(error).__name__)
            stop.wait(LOOK_EVERY_SECONDS)


def look_after_stock(database: Database, now: datetime) -> None:
    """Tell what runs low, and forget what was told long ago."""
    with database.write() as session:
        check_stock(session, now)
        forget_old(session, now)


class Sender:
    """Messages on their way, each in a thread of its own: whoever is slow holds up nobody but themselves."""

    def __init__(self, database: Database, keyring: Keyring, client: Client, clock: Clock, counters: Counters) -> None:
        self._database, self._keyring, self._client, self._clock = database, keyring, client, clock
        self._counters = counters
        for result in ("delivered", "failed", "given_up"):
            self._count(result, 0)
        self._back: SimpleQueue[tuple[Message, Outcome]] = SimpleQueue()
        self._away: dict[int, Message] = {}
        self._resting: dict[int, datetime] = {}

    @property
    def away(self) -> Collection[Message]:
        """What is on its way."""
        return self._away.values()

    def begin(self) -> int:
        """Send what is due, the oldest of each webhook that has none on its way; returns how many."""
        now = self._clock()
        with self._database.read() as session:
            if not self._chosen(session, now):
                return 0
        with self._database.write() as session:
            messages = _claim(session, self._chosen(session, now), now)
        for one in messages:
            self._away[one.id] = one
            # Not of a pool, which the end of the process would wait for.
            threading.Thread(target=self._send, args=(one, now), name="webhook", daemon=True).start()
        return len(messages)

    def gather(self, seconds: float) -> int:
        """Note what has become of messages, once anything has, or after `seconds`; returns how many are still on their way."""
        back: list[tuple[Message, Outcome]] = []
        with suppress(Empty):
            back.append(self._back.get(timeout=seconds))
            while True:
                back.append(self._back.get_nowait())
        for message, outcome in back:
            del self._away[message.id]
            if outcome.status is None:
                self._resting[message.webhook_id] = self._clock() + REST
        if back:
            with self._database.write() as session:
                back.sort(key=lambda one: one[0].id)
                results = [_note(session, message, outcome, self._clock()) for message, outcome in back]
            for result in results:
                self._count(result, 1)
        return len(self._away)

    def _count(self, result: str, times: int) -> None:
        self._counters.add("surfpass_webhook_tries", "Messages sent to webhooks", times, result=result)

    def _chosen(self, session: Session, now: datetime) -> list[int]:
        """What is due and has room beside what is on its way, by id."""
        self._resting = {one: until for one, until in self._resting.items() if until > now}
        by_customer = Counter(one.customer_id for one in self.away)
        chosen: list[int] = []
        for delivery_id, customer_id in _due(session, {one.webhook_id for one in self.away} | set(self._resting), now):
            if len(self.away) + len(chosen) < AT_ONCE and by_customer[customer_id] < AT_ONCE_BY_CUSTOMER:
                by_customer[customer_id] += 1
                chosen.append(delivery_id)
        return sorted(chosen)

    def _send(self, message: Message, now: datetime) -> None:
        """One message that cannot be sent must not lose what became of the others."""
        outcome = Outcome(reason="no-answer")
        try:
            secret = self._keyring.decrypt(Purpose.SECRETS, message.secret)
            outcome = self._client.post(message.url, _headers(message, secret, now), message.body.encode())
        except Exception as error:
            # Its words may name an address.
            log.error("webhook failed", delivery=message.public_id, error=type(error).__name__)
        self._back.put((message, outcome))


def _due(session: Session, busy: Collection[int], now: datetime) -> Sequence[Row[int, int]]:
    """The oldest due delivery of each webhook but those that are busy, with its customer; who waits longest comes first."""
    query = (
        select(func.min(Delivery.id), Webhook.customer_id)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.next_try_at <= now, Webhook.retired_at.is_(None), Webhook.id.not_in(busy))
        .group_by(Delivery.webhook_id, Webhook.customer_id)
        .order_by(func.min(Delivery.next_try_at))
    )
    return session.execute(query).all()


def _claim(session: Session, ids: Sequence[int], now: datetime) -> list[Message]:
    """Race: of several processes that send, the one whose UPDATE finds the row due has it, until the lease ends."""
    claimed = (
        update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.next_try_at <= now)
        .values(next_try_at=now + LEASE, attempts=Delivery.attempts + 1)
        .returning(Delivery.id)
    )
    mine = list(session.scalars(claimed))
    query = select(Delivery, Webhook).join(Webhook, Webhook.id == Delivery.webhook_id).where(Delivery.id.in_(mine))
    return [
        Message(one.id, one.public_id, hook.id, hook.customer_id, hook.url, hook.secret, one.body, one.attempts)
        for one, hook in session.execute(query.order_by(Delivery.id)).all()
    ]


def _headers(message: Message, secret: bytes, now: datetime) -> dict[str, str]:
    stamp = int(now.timestamp())
    return {
        "Content-Type": "application/json",
        "User-Agent": "surfpass",
        "webhook-id": message.public_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secret, message.public_id, stamp, message.body),
    }


def _note(session: Session, message: Message, outcome: Outcome, now: datetime) -> str:
    """Done, to be tried again, or given up; how that is counted."""
    again = None if outcome.is_delivered or message.attempts > len(WAITS) else now + WAITS[message.attempts - 1]
    values = {
        "status": outcome.status,
        "outcome": outcome.reason,
        # Race: the webhook was withdrawn meanwhile, and nothing waits for it any more.
        "next_try_at": case((Delivery.next_try_at.is_not(None), literal(again, UtcDateTime()))),
        "delivered_at": now if outcome.is_delivered else None,
    }
    session.execute(update(Delivery).where(Delivery.id == message.id).values(**values))
    if outcome.is_delivered:
        return "delivered"
    log.info("webhook not delivered", delivery=message.public_id, status=outcome.status, reason=outcome.reason)
    return "failed" if again else "given_up"
