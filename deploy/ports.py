"""The ports of an installation, bound before anything is started, so that a taken one is named."""

import errno
import socket
from collections.abc import Callable
from typing import TypeVar

from hotspot.errors import SetupError
from hotspot.settings import Settings, split_bind
from radius import sockets

_BACKLOG = 1024

Bound = TypeVar("Bound")


def bind_portal(settings: Settings) -> socket.socket:
    """The portal's listening TCP socket; SetupError when it cannot be had."""
    return _named("SURFPASS_PORTAL_BIND", settings.portal_bind, lambda: listen(*split_bind(settings.portal_bind)))


def bind_radius_authentication(settings: Settings, workers: int) -> list[socket.socket]:
    """UDP sockets for authentication, one for each worker; a single one where the kernel cannot deal packets out.

    SetupError when they cannot be had.
    """
    return _bind_radius("SURFPASS_RADIUS_AUTH_PORT", settings.radius_bind, settings.radius_auth_port, workers)


def bind_radius_accounting(settings: Settings, workers: int) -> list[socket.socket]:
    """The same for accounting."""
    return _bind_radius("SURFPASS_RADIUS_ACCT_PORT", settings.radius_bind, settings.radius_acct_port, workers)


def bind_metrics(settings: Settings) -> socket.socket:
    """The listening TCP socket for metrics; SetupError when it cannot be had."""
    return _named("SURFPASS_METRICS_BIND", settings.metrics_bind, lambda: listen(*split_bind(settings.metrics_bind)))


def require_free_demo_port(settings: Settings) -> None:
    """SetupError when the software access point, which binds its port itself, will not get it."""
    bind = settings.demo_ap_bind
    _named("SURFPASS_DEMO_AP_BIND", bind, lambda: listen(*split_bind(bind))).close()


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. SO_REUSEADDR is for connections of an earlier process that still linger."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def adopt(fd: int) -> socket.socket:
    """A socket that the supervisor has bound and handed over."""
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise SetupError("bad-fd", f"File descriptor {fd} is not a socket.") from error


def _bind_radius(setting: str, host: str, port: int, workers: int) -> list[socket.socket]:
    where = f"{host} port {port}"
    return _named(setting, where, lambda: sockets.bind_group(host, port, workers), more="SURFPASS_RADIUS_BIND")


def _named(setting: str, where: str, bind: Callable[[], Bound], more: str = "") -> Bound:
    try:
        return bind()
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: f"{where} is taken by another program: choose another one with {setting}.",
            errno.EACCES: f"{where} may not be used without more rights: choose another one with {setting}.",
        }
        names = f"{setting} and {more}" if more else setting
        sentence = reasons.get(error.errno or 0, f"{where} cannot be used ({error.strerror}): look at {names}.")
        raise SetupError("port", sentence) from error
