"""The files that a deployer reads have to agree with each other and with the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from erp.app import create_app
from erp.settings import Settings as ErpSettings
from neurolink.settings import Settings as NeurolinkSettings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.staging.yml"
# Set by the compose file itself, the same on every host.
FIXED = {"REDIS_URL", "LOG_DIRECTORY", "UPLOAD_DIRECTORY", "JWT_SECRET_KEY"}
SEED = """
GET gps/sync-status | POST gps/locations/batch | GET gps/history | GET gps/summary | GET gps/route
PUT gps/locations/{}/notes | POST gps/locations/cleanup | GET gps/stats
GET transfers/statistics | GET transfers/pending | GET transfers/history | POST transfers | PUT transfers/{}/status
POST transfers/{}/verify | GET transfers/summary | POST transfers/bulk | GET transfers/{}/details
POST transfers/{}/notes | GET transfers/analytics | POST transfers/export
GET commissions/summary | GET commissions/pending | GET commissions/history | GET commissions/targets
POST commissions/targets | PUT commissions/targets/{} | GET commissions/calculate | GET commissions/analytics
GET commissions/leaderboard | POST commissions/payout-request | GET commissions/tiers | GET commissions/forecast
POST commissions/export
"""


def endpoints() -> set[str]:
    return {" ".join(part.split()) for line in SEED.strip().splitlines() for part in line.split("|")}


def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())


def contract() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "acceptance.yaml").read_text())


def template() -> dict[str, str]:
    lines = (ROOT / ".env.staging.template").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def without_ids(method: str, path: str) -> str:
    return f"{method} {re.sub(r'{[^}]+}', '{}', path.removeprefix('/api/bff/salesperson/'))}"


def test_the_template_lists_every_variable_and_no_other() -> None:
    interpolated = set(re.findall(r"(?<!\$)\${(\w+)", COMPOSE.read_text()))
    read = {name.upper() for settings in (ErpSettings, NeurolinkSettings) for name in settings.model_fields}
    assert set(template()) == (interpolated | read) - FIXED


def test_placeholders_name_their_variable() -> None:
    found = {name: re.findall(r"<CHANGE_ME_(\w+)>", value) for name, value in template().items()}
    assert found.pop("DATABASE_URL") == ["POSTGRES_PASSWORD"]
    assert all(names in ([], [name]) for name, names in found.items())


def test_the_contract_names_the_services_of_the_compose_file() -> None:
    declared = {
        name: (service["container_name"], service["deploy"]["resources"]["limits"])
        for name, service in compose()["services"].items()
    }
    expected = {
        one["service"]: (one["container"], {"cpus": f"{one['cpus']:g}", "memory": memory(one["memory_mib"])})
        for one in contract()["services"]
    }
    assert declared == expected


def memory(mib: int) -> str:
    return f"{mib // 1024}G" if mib % 1024 == 0 else f"{mib}M"


def test_ports_are_published_to_the_host_itself_only() -> None:
    published = [port for service in compose()["services"].values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert sorted(int(port.split(":")[1]) for port in published) == contract()["ports"]["loopback"]


@pytest.mark.parametrize("service", compose()["services"].values(), ids=list(compose()["services"]))
def test_every_service_restarts_rotates_its_log_and_is_watched(service: dict[str, Any]) -> None:
    assert service["restart"] == "always"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert {"test", "interval", "timeout", "retries", "start_period", "start_interval"} == set(service["healthcheck"])
    assert set(service["deploy"]["resources"]) == {"limits", "reservations"}


def test_the_contract_asks_for_the_33_endpoints() -> None:
    asked = [without_ids(one.get("method", "GET"), one["path"]) for one in contract()["endpoints"]]
    assert len(asked) == 33
    assert set(asked) == endpoints()


def test_the_application_declares_the_33_endpoints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ErpSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings = ErpSettings.model_validate(
        {
            "database_url": "postgresql://nobody@127.0.0.1:1/none",
            "redis_url": "redis://127.0.0.1:1/0",
            "secret_key": "k" * 32,
            "admin_email": "a@example.org",
            "admin_password": "p" * 12,
            "upload_directory": tmp_path,
            **{f"zoho_{name}": "z" for name in ("client_id", "client_secret", "refresh_token", "organization_id")},
        }
    )
    paths = create_app(settings).openapi()["paths"]
    served = {without_ids(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert endpoints() <= served


def test_both_python_images_share_their_first_stage() -> None:
    stages = [(ROOT / name).read_text().split("FROM ") for name in ("Dockerfile", "neurolink/Dockerfile")]
    (_, first, _), (_, second, _) = stages
    assert first == second


def test_locks_pin_content_and_name_no_address() -> None:
    lock = json.loads((ROOT / "dashboard/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")
