"""Staff of the tests: people at a browser who fill in the forms that the pages give them."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from hotspot.database import Database
from hotspot.people.factors import code_at, step_at
from portal.context import EXTENSION
from tests.factories import PASSWORD, TOTP_SECRET


class _Forms(HTMLParser):
    """Collects the forms of a page: action, and the values that fields have before anybody types."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((told.get("action", ""), {}))
        elif tag == "input" and told.get("type") == "checkbox" and "checked" not in told:
            pass
        elif tag == "input" and self.forms and "name" in told:
            self.forms[-1][1][told["name"]] = told.get("value", "")
        elif tag == "select":
            self._select = told["name"]
        elif tag == "option":
            self.forms[-1][1].setdefault(self._select, told["value"])


@dataclass
class Staff:
    """Somebody at a browser."""

    client: FlaskClient
    address: str = "192.0.2.10"
    language: str = "en"

    def get(self, path: str) -> TestResponse:
        """Open a page."""
        return self.client.get(path, headers={"Accept-Language": self.language}, environ_base=self._environ)

    def post(self, path: str, **filled: str) -> TestResponse:
        """Send a form that no page has given."""
        headers = {"Accept-Language": self.language}
        return self.client.post(path, data=filled, headers=headers, environ_base=self._environ)

    def submit(self, page: TestResponse, action: str, **filled: str) -> TestResponse:
        """Fill in the form of `page` that leads to `action`, and send it."""
        return self.post(action, **form_of(page, action) | filled)

    def sign_in(self, email: str, password: str = PASSWORD, next: str = "") -> TestResponse:
        """Sign in by the form."""
        page = self.client.get("/login", query_string={"next": next} if next else {}, environ_base=self._environ)
        answer = self.submit(page, "/login", email=email, password=password)
        return self.type_code() if answer.status_code == 303 and answer.location == "/login/second" else answer

    def type_code(self) -> TestResponse:
        """The second step, with the first code of the app that has not been used yet."""
        step = step_at(self.client.application.extensions[EXTENSION].clock())
        for one in (step - 1, step, step + 1):
            answer = self.submit(self.get("/login/second"), "/login/second", code=code_at(TOTP_SECRET, one))
            if answer.status_code == 303:
                break
        return answer

    @property
    def _environ(self) -> dict[str, str]:
        return {"REMOTE_ADDR": self.address}


def signed_in(app: Flask, email: str, language: str = "en") -> Staff:
    """Somebody who has signed in, in a browser of their own."""
    staff = Staff(app.test_client(), language=language)
    assert staff.sign_in(email).status_code == 303
    return staff


def form_of(page: TestResponse, action: str) -> dict[str, str]:
    """The values in the page's form that leads to `action`."""
    parser = _Forms()
    parser.feed(page.text)
    found = [values for where, values in parser.forms if where == action]
    assert found, f"no form leads to {action}"
    return found[0]


def words_of(page: TestResponse) -> str:
    """The text of a page without its tags."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page.text)).split())


@contextmanager
def counting_queries(database: Database) -> Iterator[list[str]]:
    """The statements that reach the database inside the block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):  # on SQLite we say it ourselves
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
