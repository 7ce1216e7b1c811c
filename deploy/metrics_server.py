"""The port that Prometheus asks: a small HTTP server with nothing but /metrics."""

import socket
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

_LONGEST_REQUEST_SECONDS = 10


class _Handler(WSGIRequestHandler):
    """Says nothing: a line for each scrape would drown the log."""

    timeout = _LONGEST_REQUEST_SECONDS

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""

    def address_string(self) -> str:
        """No name server is asked."""
        return str(self.client_address[0])


class _Server(ThreadingMixIn, WSGIServer):
    """On a socket that is bound already."""

    daemon_threads = True

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_name, self.server_port = "metrics", bound.getsockname()[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up early is nobody's trouble."""


def serve(bound: socket.socket, registry: CollectorRegistry, stop: threading.Event) -> None:
    """Answer scrapes until `stop` is set."""
    server = _Server(bound)
    server.set_app(make_wsgi_app(registry))
    thread = threading.Thread(target=server.serve_forever, name="metrics")
    thread.start()
    stop.wait()
    server.shutdown()
    thread.join()
    server.server_close()
