import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pytest

from neurolink.settings import Settings
from stack import SECRET_KEY, Caller, Service, serving, wait_until
from tshkit import tokens

people = count(1000)


def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "JWT_SECRET_KEY": SECRET_KEY,
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture(scope="module")
def neurolink(database_url: str, redis_url: str) -> Iterator[Service]:
    with serving("neurolink.app:create_app", environment(database_url, redis_url)) as service:
        wait_until(service.ready, "Readiness of NeuroLink")
        yield service


def somebody(service: Service, role: str = "salesperson") -> Caller:
    user_id = next(people)
    email = f"{user_id}@example.org"
    return Caller(service.http, tokens.issue(SECRET_KEY, subject=email, user_id=user_id, role=role, minutes=5), user_id)


def event(**changes: Any) -> dict[str, Any]:
    return {"type": "transfer.verified", "title": "Verified", "body": "Transfer 1 was verified"} | changes


@pytest.mark.usefixtures("neurolink")
def test_the_schema_is_its_own_and_made_once(database_url: str, redis_url: str) -> None:
    with serving("neurolink.app:create_app", environment(database_url, redis_url)) as second:
        wait_until(second.ready, "Readiness of the second process")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'neurolink'")
        assert {name for (name,) in rows} == {"events", "notifications", "schema_versions"}


def test_without_neighbours_it_is_alive_but_not_ready() -> None:
    alone = environment("postgresql://tsh@127.0.0.1:1/none", "redis://127.0.0.1:1/2")
    with serving("neurolink.app:create_app", alone) as service:
        health = service.http.get("/health")
        assert health.status_code == 200
        assert (health.json()["database"], health.json()["redis"]) == ("disconnected", "disconnected")
        ready = service.http.get("/ready")
        assert ready.status_code == 503
        assert not any(check["ok"] for check in ready.json()["checks"].values())


def test_a_token_of_the_erp_opens_neurolink(neurolink: Service, admin: Caller) -> None:
    caller = Caller(neurolink.http, admin.token, admin.id)
    caller("POST", "/v1/events", status=201, body=event())
    assert caller("GET", "/v1/notifications")[0]["title"] == "Verified"


def test_no_token_is_403_and_a_bad_one_401(neurolink: Service) -> None:
    assert neurolink.http.get("/v1/events").status_code == 403
    Caller(neurolink.http, "a.b.c", 0)("GET", "/v1/notifications/unread/count", status=401)


def test_an_event_becomes_a_notification_for_each_recipient(neurolink: Service) -> None:
    manager, first, second = somebody(neurolink, "manager"), somebody(neurolink), somebody(neurolink)
    made = manager("POST", "/v1/events", status=201, body=event(recipients=[first.id, second.id, first.id]))
    assert made["notifications"] == 2
    assert [one["event_id"] for one in first("GET", "/v1/notifications")] == [made["id"]]
    assert manager("GET", "/v1/notifications") == []
    assert manager("GET", f"/v1/events/{made['id']}")["title"] == "Verified"
    first("GET", f"/v1/events/{made['id']}", status=404)
    first("POST", "/v1/events", status=403, body=event(recipients=[second.id]))


def test_an_event_with_a_known_key_is_not_stored_again(neurolink: Service) -> None:
    caller, other, key = somebody(neurolink), somebody(neurolink), uuid4().hex
    first = caller("POST", "/v1/events", status=201, body=event(idempotency_key=key))
    again = caller("POST", "/v1/events", status=200, body=event(idempotency_key=key))
    assert (again["id"], again["notifications"]) == (first["id"], 0)
    other("POST", "/v1/events", status=409, body=event(idempotency_key=key))


def test_reading_and_dismissing_change_the_count(neurolink: Service) -> None:
    caller = somebody(neurolink)

    def unread() -> int:
        return caller("GET", "/v1/notifications/unread/count")["unread"]

    assert unread() == 0
    for _ in range(5):
        caller("POST", "/v1/events", status=201, body=event())
    assert unread() == 5
    ids = [one["id"] for one in caller("GET", "/v1/notifications")]
    assert caller("PATCH", f"/v1/notifications/{ids[0]}/read")["read_at"]
    assert caller("PATCH", f"/v1/notifications/{ids[1]}/dismiss")["dismissed_at"]
    assert unread() == 3
    assert len(caller("GET", "/v1/notifications", unread_only=True)) == 3
    assert caller("POST", "/v1/notifications/mark-read", body={"ids": ids[:3]})["changed"] == 2
    assert caller("POST", "/v1/notifications/mark-all-read")["changed"] == 2
    caller("DELETE", f"/v1/notifications/{ids[4]}", status=204)
    caller("GET", f"/v1/notifications/{ids[4]}", status=404)
    assert unread() == 0
    assert len(caller("GET", "/v1/notifications")) == 3


def test_other_peoples_notifications_are_not_there(neurolink: Service) -> None:
    owner, stranger = somebody(neurolink), somebody(neurolink)
    owner("POST", "/v1/events", status=201, body=event())
    (mine,) = owner("GET", "/v1/notifications")
    for method, path in (("GET", ""), ("PATCH", "/read"), ("PATCH", "/dismiss"), ("DELETE", "")):
        stranger(method, f"/v1/notifications/{mine['id']}{path}", status=404)


class _Resend(BaseHTTPRequestHandler):
    """Takes messages as Resend does, when they come with the right key."""

    messages: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = self.path == "/emails" and self.headers["Authorization"] == "Bearer resend-key"
        if good:
            self.messages.append(message)
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.mark.parametrize(("key", "outcome"), [("resend-key", "sent"), ("other-key", "failed: HTTP 401")])
def test_critical_events_go_out_by_email(database_url: str, redis_url: str, key: str, outcome: str) -> None:
    _Resend.messages.clear()
    with HTTPServer(("127.0.0.1", 0), _Resend) as resend:
        threading.Thread(target=resend.serve_forever, daemon=True).start()
        settings = environment(database_url, redis_url) | {
            "EMAIL_DELIVERY": "resend",
            "RESEND_API_URL": f"http://127.0.0.1:{resend.server_port}",
            "RESEND_API_KEY": key,
            "EMAIL_FROM_ADDRESS": "noreply@example.org",
            "EMAIL_FROM_NAME": "TSH",
        }
        with serving("neurolink.app:create_app", settings) as service:
            wait_until(service.ready, "Readiness")
            caller = somebody(service)
            body = event(severity="critical", email_to="owner@example.org")
            made = caller("POST", "/v1/events", status=201, body=body)
            path = f"/v1/events/{made['id']}"
            assert wait_until(lambda: caller("GET", path)["email_outcome"], "The e-mail's outcome") == outcome
        resend.shutdown()
    expected = [
        {"from": "TSH <noreply@example.org>", "to": ["owner@example.org"], "subject": "Verified", "text": body["body"]}
    ]
    assert _Resend.messages == (expected if outcome == "sent" else [])


def test_email_without_its_settings_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="EMAIL_DELIVERY=resend needs RESEND_API_KEY, EMAIL_FROM_ADDRESS"):
        Settings.model_validate(
            {
                "database_url": "postgresql://x",
                "redis_url": "redis://x",
                "jwt_secret_key": "k" * 32,
                "log_directory": tmp_path,
                "email_delivery": "resend",
                "resend_api_key": "<CHANGE_ME_RESEND_API_KEY>",
            }
        )
