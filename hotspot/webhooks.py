"""Webhooks: what other systems are told of a customer's vouchers, kept until it is delivered or given up."""

import base64
import enum
import hmac
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, delete, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot import audit
from hotspot.audit import Actor
from hotspot.database import Base, Identified
from hotspot.errors import Refusal, WrongUse
from hotspot.keys import Keyring, Purpose
from hotspot.place import Customer, Site

LONGEST_URL = 500
# Where systems take https; anywhere else nobody is to be knocked at through the PoP.
PORTS = (443, 4443, 8443, 9443)
MOST_WEBHOOKS = 10
# Of one webhook. What comes then is not told, rather than what waits forgotten: a receiver that comes back has all up to a moment
# that it can be told, and nobody can push out of the queue what it has to know.
MOST_WAITING = 1000
KEPT = timedelta(days=30)
SHOWN = 100
# After the first try at once: three days in all, but for half an hour.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 300, 480, 720, 1200, 1440))
# While one process sends, no other does.
LEASE = timedelta(minutes=2)
_SECRET_OCTETS = 32


class Event(enum.StrEnum):
    """What is told; nothing about use."""

    ISSUED = "vouchers.issued"
    REVOKED = "vouchers.revoked"
    RESTORED = "vouchers.restored"
    STOCK_LOW = "stock.low"
    TEST = "test"


class Webhook(Identified, Base):
    """An address of a customer's system, with the secret that signs what is sent there, encrypted."""

    __tablename__ = "webhook"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    url: Mapped[str] = mapped_column(String(LONGEST_URL))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
    # When something was last not told, because too much waited.
    lost_at: Mapped[datetime | None]

    @property
    def host(self) -> str:
        """Whose address it is; the rest of it may hold a secret."""
        return urlsplit(self.url).hostname or ""


class Delivery(Identified, Base):
    """Something to tell, and how that went: `status` is the HTTP status of the last try, `outcome` the reason without one."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_due", "next_try_at", sqlite_where=text("next_try_at IS NOT NULL"),
              postgresql_where=text("next_try_at IS NOT NULL")),
        Index("ix_webhook_delivery_waiting", "webhook_id", sqlite_where=text("next_try_at IS NOT NULL"),
              postgresql_where=text("next_try_at IS NOT NULL")),
        Index("ix_webhook_delivery_webhook_id_id", "webhook_id", "id"),
    )  # fmt: skip

    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhook.id"))
    event: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_try_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    status: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(String(40), default="")

    @property
    def state(self) -> str:
        """How it stands: delivered, waiting, or given up."""
        return "delivered" if self.delivered_at else "waiting" if self.next_try_at else "given-up"


@dataclass(frozen=True, repr=False)
class MadeWebhook:
    """A webhook just made, with the secret that its receiver checks signatures with; shown once."""

    webhook: Webhook
    secret: str


def add_webhook(
    session: Session, actor: Actor, keyring: Keyring, customer: Customer, url: str, now: datetime
) -> MadeWebhook:
    """Tell a customer's events to `url` from now on.

    WrongUse for what is no plain https address; Refusal when there are MOST_WEBHOOKS already.
    """
    url = url.strip()
    if not is_https(url):
        ports = ", ".join(str(one) for one in PORTS)
        raise WrongUse(
            "bad-url", f"A webhook needs an address such as https://till.example/hook; its port is one of {ports}."
        )
    count = select(func.count()).where(Webhook.customer_id == customer.id, Webhook.retired_at.is_(None))
    if (session.scalar(count) or 0) >= MOST_WEBHOOKS:
        raise Refusal("too-many-webhooks", f"A customer has at most {MOST_WEBHOOKS} webhooks: retire one first.")
    secret = secrets.token_bytes(_SECRET_OCTETS)
    webhook = Webhook(
        customer_id=customer.id,
        url=url,
        secret=keyring.encrypt(Purpose.SECRETS, secret),
        created_by=actor.user_id,
        created_at=now,
    )
    session.add(webhook)
    session.flush()
    _record(session, actor, "webhook added", webhook, now)
    return MadeWebhook(webhook, "whsec_" + base64.b64encode(secret).decode())


def retire_webhook(session: Session, actor: Actor, webhook: Webhook, now: datetime) -> None:
    """Tell nothing more there. Refusal when that is so already."""
    session.refresh(webhook, with_for_update=True)
    if webhook.retired_at:
        raise Refusal("webhook-retired", "This webhook has been retired already.")
    webhook.retired_at = now
    waiting = Delivery.webhook_id == webhook.id, Delivery.next_try_at.is_not(None)
    session.execute(update(Delivery).where(*waiting).values(next_try_at=None))
    _record(session, actor, "webhook retired", webhook, now)


def webhooks_of(session: Session, customer_ids: Collection[int]) -> list[Webhook]:
    """The customers' webhooks that are in use, the newest first."""
    query = select(Webhook).where(Webhook.customer_id.in_(customer_ids), Webhook.retired_at.is_(None))
    return list(session.scalars(query.order_by(Webhook.id.desc()).limit(1000)))


def webhooks_made_by(session: Session, user_id: int) -> list[Webhook]:
    """The webhooks that somebody has added and that are in use, in the order in which they may be held."""
    query = select(Webhook).where(Webhook.created_by == user_id, Webhook.retired_at.is_(None))
    return list(session.scalars(query.order_by(Webhook.id)))


def listeners(session: Session, site_id: int) -> list[int]:
    """Who is told what happens at a site: the webhooks' ids."""
    of_customer = select(Webhook.id).join(Site, Site.customer_id == Webhook.customer_id).where(Site.id == site_id)
    return list(session.scalars(of_customer.where(Webhook.retired_at.is_(None)).order_by(Webhook.id)))


def tell(
    session: Session, webhook_ids: Collection[int], event: Event, data: Mapping[str, object], now: datetime
) -> None:
    """Have something told, in the transaction of the change that it is about; not where MOST_WAITING wait already.

    Races: of several who tell at once, each may add one more; and none waits for another to write the same moment,
    since they hold a till.
    """
    if not webhook_ids:
        return
    waiting = select(Delivery.webhook_id).where(Delivery.webhook_id.in_(webhook_ids), Delivery.next_try_at.is_not(None))
    full = set(session.scalars(waiting.group_by(Delivery.webhook_id).having(func.count() >= MOST_WAITING)))
    if full:
        free = select(Webhook.id).where(Webhook.id.in_(full)).with_for_update(skip_locked=True, key_share=True)
        session.execute(update(Webhook).where(Webhook.id.in_(free)).values(lost_at=now))
    body = _body(event, data, now)
    session.add_all(_delivery(one, event.value, body, now) for one in webhook_ids if one not in full)


def send_test(session: Session, webhook: Webhook, now: datetime) -> None:
    """Have a test told, however much waits: whoever asks for one wants to see how it goes."""
    session.add(_delivery(webhook.id, Event.TEST.value, _body(Event.TEST, {}, now), now))


def send_again(session: Session, delivery: Delivery, now: datetime) -> None:
    """Have something told once more, as a delivery of its own. Refusal when its webhook is retired."""
    if session.get_one(Webhook, delivery.webhook_id).retired_at:
        raise Refusal("webhook-retired", "This webhook has been retired already.")
    session.add(_delivery(delivery.webhook_id, delivery.event, delivery.body, now))


def log_of(session: Session, webhook_ids: Collection[int]) -> list[Delivery]:
    """The last SHOWN deliveries, the newest first."""
    query = select(Delivery).where(Delivery.webhook_id.in_(webhook_ids)).order_by(Delivery.id.desc())
    return list(session.scalars(query.limit(SHOWN)))


def forget_old(session: Session, now: datetime) -> None:
    """Forget deliveries of long ago, and that some were lost then."""
    session.execute(delete(Delivery).where(Delivery.created_at < now - KEPT))
    session.execute(update(Webhook).where(Webhook.lost_at < now - KEPT).values(lost_at=None))


def sign(secret: bytes, message_id: str, timestamp: int, body: str) -> str:
    """The signature as Standard Webhooks spells it: `v1,` and HMAC-SHA256 over id, time and body."""
    digest = hmac.digest(secret, f"{message_id}.{timestamp}.{body}".encode(), "sha256")
    return "v1," + base64.b64encode(digest).decode()


def is_https(url: str) -> bool:
    """Whether it is an https address with a full host name and one of PORTS, without a user, a fragment, or what is not ASCII."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    # A name of one word would be looked up in the PoP's own domain.
    is_whole = "." in host.strip(".") or ":" in host
    return (
        parts.scheme == "https"
        and is_whole
        and port in (None, *PORTS)
        and "@" not in parts.netloc
        and not parts.fragment
    )


def _body(event: Event, data: Mapping[str, object], now: datetime) -> str:
    stamp = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    return json.dumps({"type": event.value, "timestamp": stamp, "data": data}, separators=(",", ":"))


def _delivery(webhook_id: int, event: str, body: str, now: datetime) -> Delivery:
    return Delivery(
        webhook_id=webhook_id, event=event, body=body, created_at=now, next_try_at=now, attempts=0, outcome=""
    )


def _record(session: Session, actor: Actor, action: str, webhook: Webhook, now: datetime) -> None:
    subject = f"webhook {webhook.public_id}"
    audit.record(session, actor, action, subject, now, customer_id=webhook.customer_id, detail=webhook.host)
