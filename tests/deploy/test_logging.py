"""Log lines say what happened, and never to whom."""

import json
import logging

import pytest
import structlog

from deploy.logging import configure_logging

SECRETS = ("02-00-00-00-00-01", "K7QP-2M4X-9TZ", "10.1.2.3", "/v/K7QP2M4X9TZ")


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    text = capsys.readouterr().err
    assert not [secret for secret in SECRETS if secret in text]
    return [json.loads(line) for line in text.splitlines()]


def test_our_own_events_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    structlog.get_logger("radius").info("requests", answered=3)
    structlog.get_logger("radius").debug("too much")
    (event,) = logged(capsys)
    assert (event["event"], event["logger"], event["level"], event["answered"]) == ("requests", "radius", "info", 3)
    assert str(event["timestamp"]).endswith("Z")


@pytest.mark.parametrize("secret", SECRETS)
def test_an_exception_is_told_by_type_and_place_without_its_words(
    capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    configure_logging("INFO")
    try:
        raise ValueError(f"no such thing: {secret}")
    except ValueError:
        structlog.get_logger("housekeeping").exception("round failed")
        logging.getLogger("flask.app").exception("Exception on %s [%s]", secret, "GET")
    ours, library = logged(capsys)
    assert (ours["event"], ours["error"]) == ("round failed", "ValueError")
    assert "test_logging.py" in str(ours["at"])
    assert (library["event"], library["error"], library["level"]) == ("failed", "ValueError", "error")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_library_message_keeps_its_words_and_numbers_only(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    configure_logging("INFO")
    library = logging.getLogger("gunicorn.error")
    library.warning(f"Invalid request from ip={secret}: bad")
    library.warning(f"Exception on {secret} [GET]")
    library.error("Worker (pid:%s) was sent %s!", 17, secret)
    library.error(secret)
    events = [event["event"] for event in logged(capsys)]
    assert events == [
        "Invalid request from",
        "Exception on",
        "Worker (pid:17) was sent *!",
        "message withheld",
    ]
