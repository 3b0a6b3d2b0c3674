"""Starting, waiting, becoming ready, and refusing to start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from stack import ADMIN, ROOT, Service, alembic, erp_environment, serving, wait_until
from tshkit import probe


def test_started_before_migrations_it_is_alive_and_becomes_ready_by_itself(
    empty_database: str, redis_url: str, tmp_path: Path
) -> None:
    with serving("erp.app:create_app", erp_environment(empty_database, redis_url, tmp_path)) as service:
        assert service.http.get("/health").json()["status"] == "healthy"
        ready = service.http.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["reason"] == "migrations: no migration has run; run: alembic upgrade head"
        body = {"email": ADMIN["admin_email"], "password": ADMIN["admin_password"]}
        assert service.http.post("/api/auth/login", json=body).status_code == 503
        alembic(empty_database, "upgrade", "base_tables")
        assert "database is at base_tables" in service.http.get("/ready").json()["reason"]
        alembic(empty_database, "upgrade", "head")
        wait_until(service.ready, "Readiness", seconds=10)
        assert service.http.post("/api/auth/login", json=body).status_code == 200
        alembic(empty_database, "downgrade", "-1")
        assert service.http.get("/ready").status_code == 503


def test_without_a_database_and_redis_it_is_alive_and_says_what_is_missing(tmp_path: Path) -> None:
    environment = erp_environment("postgresql://tsh:hidden-word@127.0.0.1:1/none", "redis://127.0.0.1:1/0", tmp_path)
    with serving("erp.app:create_app", environment) as service:
        assert service.http.get("/health").status_code == 200
        ready = service.http.get("/ready")
        assert ready.status_code == 503
        checks = ready.json()["checks"]
        assert {name for name, check in checks.items() if check["ok"]} == {"storage"}
        assert "hidden-word" not in ready.text
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(15) == -signal.SIGTERM or service.process.returncode == 0


def test_an_upload_directory_of_somebody_else_is_reported(database_url: str, redis_url: str, tmp_path: Path) -> None:
    environment = erp_environment(database_url, redis_url, tmp_path / "absent")
    with serving("erp.app:create_app", environment) as service:
        assert service.http.get("/ready").json()["checks"]["storage"]["reason"].endswith("is not there")


def test_a_new_admin_password_in_the_environment_is_taken_over(
    empty_database: str, redis_url: str, tmp_path: Path
) -> None:
    alembic(empty_database, "upgrade", "head")
    environment = erp_environment(empty_database, redis_url, tmp_path)
    for password in ("the-first-password", "the-second-password"):
        with serving("erp.app:create_app", environment | {"ADMIN_PASSWORD": password}) as service:
            wait_until(service.ready, "Readiness")
            assert service.log_in(password=password).id == 1
    with psycopg.connect(empty_database) as connection:
        query = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM customers)"
        assert connection.execute(query).fetchone() == (1, 5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SECRET_KEY": "short"}, "secret_key"),
        ({"SECRET_KEY": "<CHANGE_ME_SECRET_KEY>_and_some_more_letters"}, "secret_key"),
        ({"LOG_LEVEL": "info"}, "log_level"),
        ({"CORS_ORIGINS": "https://a.example,https://b.example"}, "cors_origins"),
        ({"ADMIN_EMAIL": "<CHANGE_ME_ADMIN_EMAIL>"}, "admin_email"),
        ({"ACCESS_TOKEN_EXPIRE_MINUTES": "4"}, "access_token_expire_minutes"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, change: dict[str, str], named: str) -> None:
    environment = erp_environment("postgresql://x@127.0.0.1:1/x", "redis://127.0.0.1:1/0", tmp_path) | change
    argv = [sys.executable, "-c", "from erp.app import create_app; create_app()"]
    environment["PATH"] = os.environ["PATH"]
    result = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert named in result.stderr
    assert "some_more_letters" not in result.stderr


def test_logs_are_json_lines_in_a_file_too(database_url: str, redis_url: str, tmp_path: Path) -> None:
    environment = erp_environment(database_url, redis_url, tmp_path)
    environment |= {"LOG_DIRECTORY": str(tmp_path), "LOG_LEVEL": "INFO"}
    with serving("erp.app:create_app", environment) as service:
        wait_until(service.ready, "Readiness")
    assert '"message": "first data: done"' in (tmp_path / "erp.log").read_text()


def test_the_probe_of_the_containers_tells_good_from_bad(
    erp: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = str(erp.http.base_url.port)
    results: list[int] = []
    for arguments in ([port, "/health"], [port, "/nothing"], ["1", "/health"]):
        monkeypatch.setattr(sys, "argv", ["probe", *arguments])
        results.append(probe.main())
    assert results == [0, 1, 1]
    assert "not 200" in capsys.readouterr().out
