"""The portal under gunicorn: what goes wrong in a request is logged without the request."""

import http.client
import socket
from contextlib import closing
from pathlib import Path

from tests.deploy.processes import running

SECRET_PATH = "/v/K7QP2M4X9TZ"


def test_no_request_good_or_bad_leaves_an_address_or_a_path_in_the_log(tmp_path: Path) -> None:
    environment = {
        "SURFPASS_DATA_DIR": str(tmp_path / "data"),
        "SURFPASS_PORTAL_WORKERS": "1",
        "SURFPASS_LOG_LEVEL": "DEBUG",
    }
    with running(environment, tmp_path, "--no-demo") as pop:
        connection = http.client.HTTPConnection("127.0.0.1", pop.ports.portal, timeout=10)
        for path in (SECRET_PATH, f"{SECRET_PATH}?mac=02-00-00-00-00-01", f"/nowhere{SECRET_PATH}"):
            connection.request("GET", path)
            connection.getresponse().read()
        connection.close()
        for request in (
            f"GET {SECRET_PATH} HTTP/9.9\r\n\r\n",
            f"GET {SECRET_PATH} {SECRET_PATH} HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET {SECRET_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 02-00-00-00-00-01\r\n\r\n",
            f"GET {SECRET_PATH} HTTP/1.1\r\nbad header K7QP2M4X9TZ\r\n\r\n",
        ):
            with closing(socket.create_connection(("127.0.0.1", pop.ports.portal), timeout=10)) as raw:
                raw.sendall(request.encode())
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        assert pop.answers()
        printed = pop.printed
    assert "Invalid request from" in printed
    assert '"rule": "/healthz"' in printed
    for secret in ("K7QP2M4X9TZ", "02-00-00-00-00-01", "nowhere", "ip=", '127.0.0.1"'):
        assert secret not in printed, printed
