"""Pages that are the same for many guests but for one thing, such as the flow they carry on: rendered once, and kept.

A page is kept by all that it shows, so none can be old. Nothing a guest has typed belongs into one.
"""

import secrets
from collections.abc import Callable, Hashable

# At some 10 KB each; more than there are in use at a time, were it not for somebody who wants to fill the memory.
_MOST = 200


class KeptPages:
    """The pages of one process."""

    def __init__(self) -> None:
        # In place of a flow token or an address: as good in addresses and in forms, and nothing that a page can hold otherwise.
        self.stand_in = secrets.token_urlsafe(16)
        self._parts: dict[Hashable, list[str]] = {}

    def show(self, shown: Hashable, own: str, render: Callable[[], str]) -> str:
        """The page for one guest; `own` is HTML, put where `render` puts `stand_in`, and `shown` is all else that it shows."""
        parts = self._parts.get(shown)
        if parts is None:
            parts = render().split(self.stand_in)
            if len(self._parts) >= _MOST:
                self._parts.clear()
            self._parts[shown] = parts
        return own.join(parts)
