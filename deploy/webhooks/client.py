"""Posting to an address that a customer has named, and that may be hostile."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from deploy.webhooks.addresses import Resolver, Rule, is_outside, resolve

# To connect, and for each read ...
STEP_SECONDS = 5.0
# ... and for everything, whatever a receiver does to be slow.
WHOLE_SECONDS = 15.0
LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Outcome:
    """How a try went: the HTTP status, or else why there is none."""

    status: int | None = None
    reason: str = ""

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has taken it; a redirect is no receiver."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Client:
    """A client with its rules; tests give it others than the defaults, and nothing else can."""

    resolve: Resolver = resolve
    is_allowed: Rule = field(default_factory=lambda: partial(is_outside, ""))
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    whole_seconds: float = WHOLE_SECONDS

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Post `body` once, to an address that was checked, without following anything."""
        parts, end_at = urlsplit(url), time.monotonic() + self.whole_seconds
        host, port = parts.hostname or "", parts.port or 443
        try:
            addresses = _within(self.whole_seconds, partial(self._look_up, host, port))
        except TimeoutError:
            return Outcome(reason="too-slow")
        except (OSError, UnicodeError):
            return Outcome(reason="no-address")
        if not addresses:
            return Outcome(reason="not-public")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = _Connection(host, port, addresses[0], self.context)
        return _send(connection, path, headers, body, end_at)

    def _look_up(self, host: str, port: int) -> list[str]:
        """The addresses of a name; none where there is one among them that is not allowed: such a name is up to something."""
        found = self.resolve(host, port)
        return found if all(self.is_allowed(one) for one in found) else []


def _send(connection: "_Connection", path: str, headers: Mapping[str, str], body: bytes, end_at: float) -> Outcome:
    end = threading.Timer(end_at - time.monotonic(), connection.cut)
    end.daemon = True
    end.start()
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(LARGEST_ANSWER)
        return Outcome(answer.status)
    except ssl.SSLCertVerificationError:
        return Outcome(reason="bad-certificate")
    except TimeoutError:
        return Outcome(reason="too-slow")
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        # Cut in the middle, a connection has no socket any more.
        return Outcome(reason="cut-off" if connection.was_cut else "no-answer")
    finally:
        end.cancel()
        connection.close()


def _within(seconds: float, look_up: Callable[[], list[str]]) -> list[str]:
    """What `look_up` finds; TimeoutError after `seconds`. Nothing can cut a look-up short: it goes on by itself."""
    found: Future[list[str]] = Future()

    def work() -> None:
        try:
            found.set_result(look_up())
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=work, name="look-up", daemon=True).start()
    return found.result(seconds)


class _Connection(http.client.HTTPSConnection):
    """HTTPS to the address that was checked: a name that is resolved twice may have two answers."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=STEP_SECONDS, context=context)
        self._address = address
        self._tls = context
        self.was_cut = False
        self._raw: socket.socket | None = None

    def connect(self) -> None:
        """Connect to the address, and ask for a certificate of the name."""
        self._raw = socket.create_connection((self._address, self.port), STEP_SECONDS)
        self.sock = self._tls.wrap_socket(self._raw, server_hostname=self.host)
        # Race: the time was over while there was nothing yet to cut.
        if self.was_cut:
            raise TimeoutError

    def cut(self) -> None:
        """End it at once, from another thread."""
        self.was_cut = True
        for one in (self.sock, self._raw):
            if one is not None:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
