"""What somebody has made that goes on working when the account is closed: keys for other systems, and webhooks."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from hotspot.api_keys import ApiKey, keys_made_by, retire_key
from hotspot.audit import Actor
from hotspot.errors import Refusal
from hotspot.people import User
from hotspot.webhooks import Webhook, retire_webhook, webhooks_made_by


@dataclass(frozen=True)
class Made:
    """Keys and webhooks of one maker (docs/decisions/0020)."""

    keys: Sequence[ApiKey]
    webhooks: Sequence[Webhook]

    @property
    def names(self) -> list[str]:
        """Of each what people know it by."""
        return [f"{key.name} ({key.prefix}…)" for key in self.keys] + [hook.host for hook in self.webhooks]

    def withdraw(self, session: Session, actor: Actor, now: datetime) -> None:
        """Let none of it work any more."""
        # Race: what somebody has withdrawn meanwhile is as it should be.
        for key in self.keys:
            with suppress(Refusal):
                retire_key(session, actor, key, now)
        for hook in self.webhooks:
            with suppress(Refusal):
                retire_webhook(session, actor, hook, now)


def made_by(session: Session, user: User, now: datetime) -> Made:
    """What `user` has made and still works."""
    return Made(keys_made_by(session, user.id, now), webhooks_made_by(session, user.id))
