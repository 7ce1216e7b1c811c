"""Error pages in plain words."""

from dataclasses import dataclass

from flask import Flask, render_template
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException, InternalServerError


@dataclass(frozen=True)
class ErrorWords:
    """What an error page says."""

    title: str
    advice: str


_WORDS = {
    400: ErrorWords(
        _l("That did not work"),
        _l("The address or form was incomplete. Open the page again, or disconnect from the Wi-Fi and join it anew."),
    ),
    404: ErrorWords(
        _l("There is nothing here"),
        _l("Check the address. If you are on the Wi-Fi, open any web page: the sign-in page comes by itself."),
    ),
    405: ErrorWords(_l("That did not work"), _l("Go back one page and try again.")),
    413: ErrorWords(_l("That was too much"), _l("What was sent is too long. Go back one page and try again.")),
    500: ErrorWords(_l("Something went wrong on our side"), _l("Please try again in a minute.")),
}


def init_app(app: Flask) -> None:
    """Show our own pages for HTTP errors."""
    app.register_error_handler(HTTPException, _error_page)


def _error_page(error: HTTPException) -> tuple[str, int] | HTTPException:
    status = error.code or InternalServerError.code
    if status < 400:  # a redirect of the router's own
        return error
    words = _WORDS.get(status) or _WORDS[500 if status >= 500 else 400]
    return render_template("error.html", title=words.title, advice=words.advice), status
