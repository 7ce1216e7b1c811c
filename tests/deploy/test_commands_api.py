"""Keys of the API, and webhooks, by the command line."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from hotspot.audit import AuditEntry
from hotspot.database import Database
from tests.deploy.conftest import Surfpass

Json = Callable[..., Any]
ADD = ("api-key", "add", "--customer", "Gasthof", "--name", "Kasse")


def test_a_key_is_shown_once_listed_and_retired(surfpass: Surfpass, surfpass_json: Json, database: Database) -> None:
    surfpass_json("customer", "add", "--name", "Gasthof")
    made = surfpass_json(*ADD, "--scope", "sites:read", "--scope", "vouchers:issue")

    assert made["key"].startswith(f"{made['prefix']}_")
    assert made["scopes"] == ["sites:read", "vouchers:issue"]
    listed = surfpass_json("api-key", "list", "--customer", "Gasthof")
    assert [(one["state"], one["last_used_on"], "key" in one) for one in listed] == [("good", None, False)]

    surfpass("api-key", "retire", made["prefix"])
    assert surfpass_json("api-key", "list", "--customer", "Gasthof")[0]["state"] == "retired"
    surfpass("api-key", "retire", made["id"], code=1)
    with database.read() as session:
        entries = list(session.execute(select(AuditEntry.action, AuditEntry.detail).order_by(AuditEntry.id)))
        assert [action for action, _detail in entries][-2:] == ["api key added", "api key retired"]
        assert made["key"] not in str(entries)


def test_a_key_that_makes_no_sense_is_refused(surfpass: Surfpass, surfpass_json: Json) -> None:
    surfpass_json("customer", "add", "--name", "Gasthof")

    surfpass(*ADD, code=2)
    surfpass(*ADD, "--scope", "everything", code=2)
    surfpass(*ADD, "--scope", "sites:read", "--expires", "2020-01-01", code=2)
    surfpass(*ADD, "--scope", "sites:read", "--expires", "2099-01-01", code=2)
    surfpass("api-key", "retire", "spk_nothing", code=1)


def test_a_webhook_is_added_tried_looked_at_and_retired(surfpass: Surfpass, surfpass_json: Json, markt: str) -> None:
    customer = ("--customer", "Gasthof am Markt")
    made = surfpass_json("webhook", "add", *customer, "--url", "https://till.example/hook")

    assert made["secret"].startswith("whsec_")
    assert [one["url"] for one in surfpass_json("webhook", "list", *customer)] == ["https://till.example/hook"]
    surfpass("webhook", "test", made["id"])
    surfpass("webhook", "stock", "--site", markt, "--pass", "day", "--below", "20")
    surfpass("webhook", "stock", "--site", markt, "--pass", "day", "--below", "-1", code=2)
    logged = surfpass_json("webhook", "log", made["id"])
    assert [(one["event"], one["state"], one["attempts"]) for one in logged] == [("test", "waiting", 0)]
    surfpass("webhook", "retire", made["id"])
    assert surfpass_json("webhook", "list", *customer) == []
    surfpass("webhook", "retire", made["id"], code=1)
    surfpass("webhook", "test", "nothing", code=1)
    surfpass("webhook", "add", *customer, "--url", "http://till.example/", code=2)
