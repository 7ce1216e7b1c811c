"""No log line of a guest's whole way holds a MAC, code, ticket, token, address, path or query (R11)."""

import logging

import pytest
import structlog

from sessions.tickets import possible_tickets
from tests.portal.guest import CHALLENGE, LogOn, Stage, flow_of


def test_no_log_line_of_a_guests_whole_way_tells_who_it_was(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        page = stage.phone.arrive()
        answer = stage.phone.log_in(stage.voucher.code.printed, stage.terms)
        stage.let_in()
        own = stage.phone.arrive("success").location
        token = own.removeprefix("/s/").partition("?")[0]
        stage.phone.get(own)
        stage.phone.client.post(f"/s/{token}/logout")
        stage.phone.get(f"/v/{stage.voucher.code.printed}")
        stage.phone.get(stage.phone.chilli.address()[:-1])
        stage.phone.get(f"/nothing/{stage.voucher.code.value}")
        stage.fail_inside(f"/v/{stage.voucher.code.value}")
    visit = stage.visits()[0]
    assert visit.ticket_expires_at
    ticket = possible_tickets(stage.keyring, visit.handle, visit.nas_id, visit.site_id, visit.ticket_expires_at)[0]
    written = "\n".join([repr(lines), caplog.text]).upper()
    mac = stage.phone.chilli.device.value
    for secret in (
        mac,
        mac.replace("-", ":"),
        mac.replace("-", ""),
        stage.voucher.code.value,
        stage.voucher.code.printed,
        visit.handle,
        ticket,
        token,
        flow_of(page.text)[:40],
        LogOn(answer.location).told["response"],
        CHALLENGE,
        "10.1.0.7",
        "127.0.0.1",
        "news.example",
        "/g/site",
        "res=",
    ):
        assert secret.upper() not in written
    assert {"method", "rule", "status", "milliseconds"} <= lines[0].keys()
    assert {"/g/<slug>", "/s/<token>", "/v/<text>", "none"} <= {line.get("rule") for line in lines}
    assert any(line["event"] == "gateway query refused" for line in lines)
    assert any(line["event"] == "request failed" for line in lines)


def test_health_checks_and_static_files_are_logged_for_debugging_only(stage: Stage) -> None:
    with structlog.testing.capture_logs() as lines:
        for path in ("/healthz", "/static/surfpass.css", "/", "/nothing"):
            stage.phone.get(path)
    levels = {line["rule"]: line["log_level"] for line in lines}
    assert levels == {"/healthz": "debug", "/static/<path:filename>": "debug", "/": "info", "none": "info"}
