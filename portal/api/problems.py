"""What the API answers when something is wrong: problem details (RFC 9457), each with a code that stays the same."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Response, request

PREFIX = "/api/v1"
MEDIA_TYPE = "application/problem+json"

# The code and the sentence of a status that nothing more is known about.
_PLAIN = {
    400: ("bad-request", "The request cannot be read."),
    401: ("no-key", "Send a key that is good: Authorization: Bearer KEY."),
    403: ("no-scope", "This key does not open this operation."),
    404: ("not-found", "There is nothing here, or nothing that this key may see."),
    405: ("bad-method", "This address does not take that method."),
    413: ("too-large", "The request is too large."),
    415: ("not-json", "Send the body as application/json."),
    429: ("too-many-requests", "This key has used up its requests: wait as long as Retry-After says."),
    500: ("defect", "Something went wrong on our side. It has been noted."),
    503: ("try-again", "The database does not answer. Try again as Retry-After says."),
}


class Problem(Exception):
    """A request that is answered with a problem; `errors` names what is wrong in it, by JSON pointers."""

    def __init__(
        self,
        status: int,
        code: str = "",
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        plain_code, plain_detail = _PLAIN.get(status) or _PLAIN[500 if status >= 500 else 400]
        super().__init__(code or plain_code)
        self.status = status
        self.code = code or plain_code
        self.detail = detail or plain_detail
        self.errors = errors
        self.headers = dict(headers or {})

    def answer(self) -> Response:
        """The response."""
        told: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            told["errors"] = list(self.errors)
        return Response(json.dumps(told), self.status, self.headers, content_type=MEDIA_TYPE)


def is_wanted() -> bool:
    """Whether whoever asks is a program that asks the API, at whatever address under it."""
    return request.path.startswith(f"{PREFIX}/") or request.path == PREFIX
