"""The ERP over HTTP: what acceptance.yaml asks, and the rules behind it."""

import csv
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

import acceptance_client
from stack import ADMIN, Caller, Service, erp_environment, serving, wait_until
from tshkit import tokens

NOW = datetime.now(UTC)


def transfer(**changes: Any) -> dict[str, Any]:
    return {
        "amount_usd": 977.5,
        "amount_iqd": 1_280_525,
        "exchange_rate": 1310,
        "gross_sales": 1000,
        "claimed_commission": 22.5,
        "transfer_platform": "ZAIN Cash",
        "gps_latitude": 33.3,
        "gps_longitude": 44.4,
    } | changes


def point(index: int = 0, **changes: Any) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=100 - index)).isoformat()
    return {"latitude": f"33.30{index:02}", "longitude": "44.4", "timestamp": at} | changes


def test_everything_that_acceptance_asks_of_the_erp_is_answered(erp: Service) -> None:
    contract = acceptance_client.load()
    client = acceptance_client.Client(erp.http.request, dict(ADMIN))
    client.log_in(contract["login"])
    for request in [*contract["health"][:2], *acceptance_client.requests(contract)]:
        client.ask(request)


class TestAccess:
    def test_every_endpoint_but_health_wants_a_token(self, erp: Service) -> None:
        open_paths = {"/", "/health", "/ready", "/api/auth/login", "/api/auth/login/mobile"}
        for path, methods in erp.http.get("/openapi.json").json()["paths"].items():
            for method in methods:
                answer = erp.http.request(method, path.replace("{name}", "x").replace("{", "").replace("}", ""))
                is_open = path in open_paths or (path.startswith("/api/bff") and path.endswith("/health"))
                assert (answer.status_code == 403) is not is_open, f"{method} {path}: {answer.status_code}"

    @pytest.mark.parametrize("flaw", ["other key", "expired", "garbage", "of nobody"])
    def test_a_bad_token_is_401(self, erp: Service, flaw: str) -> None:
        fine = {"subject": ADMIN["admin_email"], "user_id": 1, "role": "admin", "minutes": 5}
        token = {
            "other key": tokens.issue("x" * 40, **fine),
            "expired": tokens.issue("k" * 40, **(fine | {"minutes": -5})),
            "garbage": "a.b.c",
            "of nobody": tokens.issue("k" * 40, **(fine | {"subject": "nobody@example.org"})),
        }[flaw]
        Caller(erp.http, token, 0)("GET", "gps/stats", status=401)

    def test_a_token_that_was_logged_out_is_401(self, erp: Service) -> None:
        caller = erp.log_in()
        caller("POST", "/api/auth/logout", status=204)
        caller("GET", "/api/auth/me", status=401)

    def test_salespeople_log_in_on_the_mobile_only(self, erp: Service, admin: Caller) -> None:
        email, password = f"{uuid4().hex[:8]}@example.org", "sells-in-the-field"
        admin("POST", "/api/users", status=201, body={"name": "S", "email": email, "password": password})
        body = {"email": email.upper(), "password": password}
        assert erp.http.post("/api/auth/login", json=body).status_code == 403
        assert erp.http.post("/api/auth/login/mobile", json=body).status_code == 200
        admin("POST", "/api/users", status=409, body={"name": "S", "email": email, "password": password})

    def test_ten_failures_close_the_door_for_a_while(self, erp: Service) -> None:
        body = {"email": f"{uuid4().hex[:8]}@example.org", "password": "wrong"}
        answers = [erp.http.post("/api/auth/login", json=body).status_code for _ in range(11)]
        assert answers == [401] * 10 + [429]

    def test_salespeople_see_their_own_data_only(self, salesperson: Caller, admin: Caller) -> None:
        salesperson("GET", "gps/history", status=403, salesperson_id=admin.id)
        salesperson("GET", "commissions/summary", status=403, salesperson_id=admin.id)
        made = admin("POST", "transfers", status=201, body=transfer())
        salesperson("GET", f"transfers/{made['id']}/details", status=403)
        assert salesperson("GET", "transfers/history")["total"] == 0
        admin("GET", "gps/history", salesperson_id=salesperson.id)
        admin("GET", "gps/history", status=404, salesperson_id=2**30)

    def test_salespeople_decide_nothing(self, salesperson: Caller) -> None:
        made = salesperson("POST", "transfers", status=201, body=transfer())
        salesperson("POST", f"transfers/{made['id']}/verify", status=403, body={})
        salesperson("PUT", f"transfers/{made['id']}/status", status=403, body={"status": "received"})
        salesperson("PUT", f"transfers/{made['id']}/status", body={"status": "cancelled"})
        target = {"salesperson_id": salesperson.id, "period_start": "2025-11-01"}
        salesperson("POST", "commissions/targets", status=403, body=target)
        salesperson("GET", "/api/users", status=403)


class TestGps:
    def test_a_thousand_points_are_stored_and_a_thousand_and_one_are_not(self, salesperson: Caller) -> None:
        points = [point(index % 100) for index in range(1001)]
        salesperson("POST", "gps/locations/batch", status=422, body={"locations": points})
        assert salesperson("POST", "gps/locations/batch", body={"locations": points[:1000]})["uploaded"] == 1000
        assert salesperson("GET", "gps/history", limit=1000)["total"] == 1000

    def test_a_batch_that_is_sent_again_is_not_stored_again(self, salesperson: Caller) -> None:
        body = {"locations": [point(index, location_uuid=str(uuid4())) for index in range(3)]}
        assert salesperson("POST", "gps/locations/batch", body=body)["uploaded"] == 3
        again = salesperson("POST", "gps/locations/batch", body=body)
        assert (again["uploaded"], again["duplicates"], again["success"]) == (0, 3, True)

    def test_one_bad_point_spoils_the_batch(self, salesperson: Caller) -> None:
        for bad in (
            point(latitude="90.1"),
            point(battery_level=101),
            point(customer_id=2**30),
            point(device_id="a\0b"),
        ):
            salesperson("POST", "gps/locations/batch", status=422, body={"locations": [point(), bad]})
        assert salesperson("GET", "gps/history")["total"] == 0

    def test_the_way_and_the_summary_agree(self, salesperson: Caller, admin: Caller) -> None:
        customer = admin("GET", "/api/customers")[0]["id"]
        noon = NOW.replace(hour=12) - timedelta(days=2)
        points = [
            point(latitude=f"33.{30 + index}", timestamp=(noon + timedelta(minutes=index)).isoformat())
            for index in range(4)
        ]
        points[2] |= {"is_customer_visit": True, "customer_id": customer}
        salesperson("POST", "gps/locations/batch", body={"locations": points[::-1]})
        day = noon.date().isoformat()
        route = salesperson("GET", "gps/route", route_date=day)
        summary = salesperson("GET", "gps/summary", summary_date=day)
        assert [float(one["latitude"]) for one in route["points"]] == [33.30, 33.31, 33.32, 33.33]
        assert route["total_distance_km"] == summary["total_distance_km"] == "3.34"
        assert summary["total_duration_hours"] == "0.05"
        assert (summary["gps_points_count"], summary["customer_visits"]) == (4, 1)

    def test_a_note_replaces_the_one_before(self, salesperson: Caller, admin: Caller) -> None:
        batch = salesperson("POST", "gps/locations/batch", body={"locations": [point()]})
        path = f"gps/locations/{batch['ids'][0]}/notes"
        for text in ("first", "second"):
            assert salesperson("PUT", path, body={"notes": text})["notes"] == text
        salesperson("PUT", f"gps/locations/{2**30}/notes", status=404, body={"notes": "x"})
        salesperson("PUT", path, status=422, body={"notes": ""})
        assert admin("PUT", path, body={"notes": "of a manager"})["location_id"] == batch["ids"][0]

    def test_cleanup_takes_the_old_and_leaves_the_new(self, salesperson: Caller) -> None:
        old = point(timestamp=(NOW - timedelta(days=100)).isoformat())
        salesperson("POST", "gps/locations/batch", body={"locations": [old, point()]})
        assert salesperson("POST", "gps/locations/cleanup", body={})["deleted"] == 1
        assert salesperson("POST", "gps/locations/cleanup", body={})["deleted"] == 0
        assert salesperson("GET", "gps/stats", period="all")["total_points"] == 1

    def test_batches_sent_side_by_side_all_count(self, salesperson: Caller, database_url: str) -> None:
        def send(start: int) -> Any:
            body = {"locations": [point(start + index) for index in range(10)]}
            return salesperson("POST", "gps/locations/batch", body=body)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(send, range(0, 80, 10)))
        with psycopg.connect(database_url) as connection:
            query = "SELECT sum(gps_points_count) FROM salesperson_daily_summaries WHERE salesperson_id = %s"
            assert connection.execute(query, [salesperson.id]).fetchone() == (80,)


class TestTransfers:
    @pytest.mark.parametrize(
        "change",
        [
            {"amount_usd": 0},
            {"claimed_commission": 24},
            {"claimed_commission": 21},
            {"transfer_platform": "Cash"},
            {"exchange_rate": -1},
        ],
    )
    def test_a_wrong_transfer_is_refused(self, salesperson: Caller, change: dict[str, Any]) -> None:
        salesperson("POST", "transfers", status=422, body=transfer(**change))

    def test_a_suspicious_transfer_waits_for_approval_and_says_why(self, salesperson: Caller) -> None:
        made = salesperson("POST", "transfers", status=201, body=transfer(amount_usd=6000, gps_latitude=None))
        assert made["is_suspicious"]
        assert made["manager_approval_required"]
        assert "No GPS position" in made["fraud_alert_reason"]

    def test_the_same_uuid_is_one_transfer(self, salesperson: Caller) -> None:
        body = transfer(transfer_uuid=str(uuid4()))
        first, second = (salesperson("POST", "transfers", status=201, body=body) for _ in range(2))
        assert first["id"] == second["id"]
        bulk = salesperson("POST", "transfers/bulk", body={"transfers": [body, transfer()]})
        assert (bulk["created"], bulk["duplicates"]) == (1, 1)

    def test_verified_earns_and_rejected_takes_back(self, salesperson: Caller, admin: Caller) -> None:
        made = salesperson("POST", "transfers", status=201, body=transfer())
        verified = admin("POST", f"transfers/{made['id']}/verify", body={"notes": "seen"})
        assert salesperson("GET", "commissions/pending")["total_amount"] == "22.50"
        admin("POST", f"transfers/{made['id']}/verify", status=409, body={})
        assert verified["commission_id"]
        admin("PUT", f"transfers/{made['id']}/status", body={"status": "rejected"})
        assert salesperson("GET", "commissions/pending")["total"] == 0
        admin("PUT", f"transfers/{made['id']}/status", status=409, body={"status": "verified"})
        details = salesperson("GET", f"transfers/{made['id']}/details")
        assert [note["note"] for note in details["notes"]] == ["seen"]

    def test_received_money_leaves_the_cash_box(self, salesperson: Caller, admin: Caller) -> None:
        made = salesperson("POST", "transfers", status=201, body=transfer())
        assert salesperson("GET", "transfers/summary")["cash_box"]["zain_cash_iqd"] == "1280525.00"
        admin("POST", f"transfers/{made['id']}/verify", body={})
        received = admin("PUT", f"transfers/{made['id']}/status", body={"status": "received"})
        assert received["money_received"]
        assert received["received_datetime"]
        summary = salesperson("GET", "transfers/summary")
        assert summary["cash_box"]["total_usd"] == "0"
        assert summary["by_status"]["received"] == {"count": 1, "amount_usd": "977.50"}

    def test_cancelled_transfers_do_not_count(self, salesperson: Caller) -> None:
        for status in (None, "cancelled"):
            made = salesperson("POST", "transfers", status=201, body=transfer())
            if status:
                salesperson("PUT", f"transfers/{made['id']}/status", body={"status": status})
        statistics = salesperson("GET", "transfers/statistics", period="today")
        assert statistics["total_transfers"] == 1
        assert statistics["platform_breakdown"] == {"ZAIN Cash": {"count": 1, "amount_usd": "977.50"}}
        assert salesperson("GET", "transfers/history?status=cancelled")["total"] == 1
        analytics = salesperson("GET", "transfers/analytics", days=7)
        assert [day["count"] for day in analytics["daily"]] == [0] * 6 + [1]

    def test_an_export_holds_the_rows_and_no_formula(self, salesperson: Caller) -> None:
        salesperson("POST", "transfers", status=201, body=transfer(platform_reference="=1+1"))
        export = salesperson("POST", "transfers/export", body={})
        content = salesperson("GET", export["url"])
        (row,) = csv.DictReader(StringIO(content))
        assert (row["platform_reference"], row["gross_sales"]) == ("'=1+1", "1000.0")
        assert len(content.encode()) == export["size_bytes"]
        salesperson("GET", "/api/bff/salesperson/exports/transfers-all-000000000000.csv", status=403)
        salesperson("GET", "/api/bff/salesperson/exports/..%2f..%2fetc%2fpasswd", status=404)

    def test_dates_the_wrong_way_round_are_refused(self, salesperson: Caller) -> None:
        salesperson("GET", "transfers/history", status=422, start_date="2025-11-02", end_date="2025-11-01")


class TestCommissions:
    def test_a_payout_is_asked_for_once(self, salesperson: Caller, admin: Caller) -> None:
        made = salesperson("POST", "transfers", status=201, body=transfer())
        earned = admin("POST", f"transfers/{made['id']}/verify", body={})["commission_id"]
        body = {"commission_ids": [earned, earned], "payment_method": "cash"}
        payout = salesperson("POST", "commissions/payout-request", body=body)
        assert (payout["total_amount"], payout["commission_count"]) == ("22.50", 1)
        assert payout["estimated_payment_date"] == (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
        salesperson("POST", "commissions/payout-request", status=409, body=body)
        admin("PUT", f"transfers/{made['id']}/status", status=409, body={"status": "rejected"})
        assert admin("GET", f"transfers/{made['id']}/details")["status"] == "verified"
        salesperson("POST", "commissions/payout-request", status=404, body=body | {"commission_ids": [2**30]})

    def test_a_new_target_replaces_the_one_it_overlaps(self, salesperson: Caller, admin: Caller) -> None:
        first_of_month = NOW.date().replace(day=1).isoformat()
        body = {"salesperson_id": salesperson.id, "period_start": first_of_month, "target_orders": 2}
        admin("POST", "commissions/targets", status=201, body=body)
        second = admin(
            "POST", "commissions/targets", status=201, body=body | {"bonus_enabled": True, "bonus_percentage": 5}
        )
        (target,) = salesperson("GET", "commissions/targets", period="monthly")["targets"]
        assert target["id"] == second["id"]
        salesperson("POST", "transfers", status=201, body=transfer())
        assert salesperson("GET", "commissions/targets")["targets"][0]["overall_progress_percentage"] == "50.00"
        salesperson("POST", "transfers", status=201, body=transfer())
        (done,) = salesperson("GET", "commissions/targets")["targets"]
        assert (done["is_achieved"], done["bonus_amount"]) == (True, "100.00")
        changed = admin("PUT", f"commissions/targets/{done['id']}", body={"target_orders": 4})
        assert (changed["is_achieved"], changed["bonus_amount"]) == (False, "0.00")

    def test_calculation_refuses_what_is_no_sale(self, salesperson: Caller) -> None:
        for amount in (0, -1, "x"):
            salesperson("GET", "commissions/calculate", status=422, sales_amount=amount)
        other = salesperson("GET", "commissions/calculate", sales_amount="99.99", commission_rate="10")
        assert other["commission_amount"] == "10.00"

    def test_the_leaderboard_is_sorted_and_knows_me(self, salesperson: Caller) -> None:
        salesperson("POST", "transfers", status=201, body=transfer(gross_sales=90_000, claimed_commission=2025))
        board = salesperson("GET", "commissions/leaderboard", period="today", limit=50)
        sales = [float(entry["total_sales"]) for entry in board["leaderboard"]]
        assert sales == sorted(sales, reverse=True)
        assert board["leaderboard"][0]["badge"] == "top_performer"
        assert board["leaderboard"][board["my_rank"] - 1]["salesperson_id"] == salesperson.id
        tiers = salesperson("GET", "commissions/tiers")
        assert (tiers["current_tier"], tiers["missing_to_next"]) == ("platinum", None)

    def test_the_forecast_goes_on_as_the_month_began(self, salesperson: Caller) -> None:
        salesperson("POST", "transfers", status=201, body=transfer())
        forecast = salesperson("GET", "commissions/forecast")
        expected = 1000 / forecast["days_elapsed"] * forecast["days_in_period"]
        assert float(forecast["projected_sales"]) == pytest.approx(expected, abs=0.01)


class _Zoho(BaseHTTPRequestHandler):
    """Answers as Zoho's accounts server does, to the right refresh token and to a wrong one."""

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        good = "refresh_token=zoho-refresh" in form and "client_id=zoho-client" in form
        body = b'{"access_token": "t", "expires_in": 3600}' if good else b'{"error": "invalid_code"}'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    ("token", "accepted", "detail"), [("zoho-refresh", True, "Accepted"), ("other", False, "Refused: invalid_code")]
)
def test_zoho_is_asked_whether_it_takes_the_credentials(
    database_url: str, redis_url: str, tmp_path: Path, token: str, accepted: bool, detail: str
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Zoho) as zoho:
        threading.Thread(target=zoho.serve_forever, daemon=True).start()
        environment = erp_environment(database_url, redis_url, tmp_path)
        environment |= {"ZOHO_ACCOUNTS_URL": f"http://127.0.0.1:{zoho.server_port}", "ZOHO_REFRESH_TOKEN": token}
        with serving("erp.app:create_app", environment) as service:
            wait_until(service.ready, "Readiness")
            answer = service.log_in()("POST", "/api/integrations/zoho/check")
        zoho.shutdown()
    assert answer == {"accepted": accepted, "detail": detail, "organization_id": "zoho-organization"}


def test_health_is_cheap_and_cacheable(erp: Service) -> None:
    answer = erp.http.get("/health")
    assert answer.headers["cache-control"] == "max-age=5"
    assert answer.json()["version"] == "1.0.0"
    assert erp.http.get("/docs").status_code == erp.http.get("/openapi.json").status_code == 200


def test_browsers_of_the_declared_origin_may_call(erp: Service) -> None:
    def allowed(origin: str) -> str | None:
        answer = erp.http.get("/health", headers={"Origin": origin})
        return answer.headers.get("access-control-allow-origin")

    assert allowed("https://erp.example.org") == "https://erp.example.org"
    assert allowed("https://other.example.org") is None
