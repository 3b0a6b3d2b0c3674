"""What the tests do with real programs: start them, wait for them, talk to them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg

ROOT = Path(__file__).resolve().parent.parent
ADMIN = {"admin_email": "admin@example.org", "admin_password": "correct-horse-battery"}
SECRET_KEY = "k" * 40
START_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = START_S) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        if (found := condition()) or time.monotonic() > deadline:
            assert found, f"{what} did not happen within {seconds} s"
            return found
        time.sleep(0.1)


@contextmanager
def running(argv: list[str], ready: Callable[[], Any], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, **options) as process:
        try:
            wait_until(lambda: process.poll() is not None or ready(), f"Start of {argv[0]}")
            assert process.poll() is None, f"{argv[0]} ended with {process.returncode}"
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def new_database(server: str) -> str:
    name = f"t{uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{server}/{name}"


def alembic(database_url: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database_url}
    argv = [sys.executable, "-m", "alembic", *arguments]
    result = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert not check or result.returncode == 0, result.stderr
    return result


@dataclass(frozen=True)
class Service:
    """A service that runs: a client for it, and its environment."""

    http: httpx.Client
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    def ready(self) -> dict[str, Any] | None:
        response = self.http.get("/ready")
        return response.json() if response.status_code == 200 else None

    def log_in(self, email: str = ADMIN["admin_email"], password: str = ADMIN["admin_password"]) -> "Caller":
        body = {"email": email, "password": password}
        response = self.http.post("/api/auth/login/mobile", json=body)
        assert response.status_code == 200, response.text
        login = response.json()
        return Caller(self.http, login["access_token"], login["user"]["id"])


@dataclass(frozen=True)
class Caller:
    """Somebody who is logged in."""

    http: httpx.Client
    token: str
    id: int

    def __call__(self, method: str, path: str, *, status: int = 200, body: Any = None, **query: Any) -> Any:
        path = path if path.startswith("/") else f"/api/bff/salesperson/{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        response = self.http.request(method, path, params=query or None, json=body, headers=headers)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        is_json = response.content and response.headers.get("content-type") == "application/json"
        return response.json() if is_json else response.text


def erp_environment(database_url: str, redis_url: str, uploads: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY,
        "ADMIN_EMAIL": "Admin@Example.org",
        "ADMIN_PASSWORD": ADMIN["admin_password"],
        "UPLOAD_DIRECTORY": str(uploads),
        "LOG_LEVEL": "WARNING",
        "CORS_ORIGINS": '["https://erp.example.org"]',
        "ZOHO_CLIENT_ID": "zoho-client",
        "ZOHO_CLIENT_SECRET": "zoho-secret",
        "ZOHO_REFRESH_TOKEN": "zoho-refresh",
        "ZOHO_ORGANIZATION_ID": "zoho-organization",
    }


@contextmanager
def serving(application: str, environment: dict[str, str]) -> Iterator[Service]:
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port)]
    environment = {"PATH": os.environ["PATH"]} | environment
    with (
        running(argv, lambda: answers(port), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
    ):
        yield Service(http, environment, process)
