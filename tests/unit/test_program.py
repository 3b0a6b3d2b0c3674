"""The whole program under the SDK's mocks: what it registers, what it puts out, and what it refuses before anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

from infra.__main__ import main
from infra.report import read_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
COMMIT = "a" * 40

pytestmark = pytest.mark.filterwarnings("ignore:digitalocean:DeprecationWarning")  # the SDK warns of itself


class Cloud(mocks.Mocks):
    """Answers every registration with its inputs and the outputs that the rest of the program reads."""

    def __init__(self) -> None:
        self.registered: dict[str, mocks.MockResourceArgs] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.registered[args.name] = args
        outputs = {
            "ipv4Address": "127.0.10.1",
            "ipAddress": "127.0.20.1",
            "public_key": "ssh-ed25519 AAAA",
            "private_key": "PRIVATE-CANARY",
            "host_key": "ssh-ed25519 BBBB",
            "user_data": "USERDATA-CANARY",
            "value": f"GENERATED-{args.name}",
            "digest": "d" * 64,
            "images": {"tsh-erp:staging-aaaaaaa": "sha256:1"},
            "revision": "head",
            "services": {"app": {}},
            "ca_certificate": "PEM",
            "fingerprint": "aa:bb",
            "name": args.inputs.get("name", args.name),
        }
        return f"{len(self.registered)}", {**args.inputs, **outputs}

    def call(self, args: mocks.MockCallArgs) -> dict[Any, Any]:  # noqa: ARG002 - nothing is invoked
        return {}


def config_of(stack: str, **changes: Any) -> dict[str, str]:
    values = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    values["greenroom:workload"]["commit"] = COMMIT
    for key, value in changes.items():
        values[f"greenroom:{key}"] = value
    values = {key: value for key, value in values.items() if value is not None}
    return {
        key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for key, value in values.items()
    }


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, dict[str, str]], tuple[Cloud, dict[str, Any]]]]:
    made: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)  # the SDK's mocks make one a thread and close none
    loop = remembered()

    def deploy(stack: str, config: dict[str, str]) -> tuple[Cloud, dict[str, Any]]:
        cloud = Cloud()
        exported: dict[str, Any] = {}
        monkeypatch.setattr(pulumi, "export", exported.__setitem__)
        monkeypatch.setattr(pulumi, "get_root_directory", lambda: str(ROOT))

        async def program() -> dict[str, Any]:
            mocks.set_mocks(cloud, project="greenroom", stack=stack)
            pulumi.runtime.set_all_config(config)
            await run_pulumi_func(main)
            return {name: await pulumi.Output.from_input(value).future() for name, value in exported.items()}

        asyncio.set_event_loop(loop)
        return cloud, loop.run_until_complete(program())

    yield deploy
    asyncio.set_event_loop(None)
    for each in made:
        each.close()


def by_kind(cloud: Cloud) -> dict[str, list[mocks.MockResourceArgs]]:
    kinds: dict[str, list[mocks.MockResourceArgs]] = {}
    for each in cloud.registered.values():
        kinds.setdefault(each.typ.rsplit(":", 1)[-1], []).append(each)
    return kinds


def test_the_local_stack_declares_the_whole_deployment(run: Any) -> None:
    cloud, outputs = run("local", config_of("local"))
    kinds = by_kind(cloud)
    for kind in ("Vpc", "SshKey", "Droplet", "Firewall", "ReservedIp", "ReservedIpAssignment", "Domain", "DnsRecord"):
        assert len(kinds[kind]) == 1, kind
    assert {"Volume", "Project", "MonitorAlert"} <= set(kinds)
    assert len(kinds["MonitorAlert"]) == 3
    assert {"Baseline", "EnvFile", "Checkout", "Images", "Migrations", "ComposeStack", "Proxy", "HealthGate"} <= set(
        kinds
    )
    assert set(outputs) == {
        "url", "address", "ssh", "release", "services", "ca_certificate", "admin_email", "admin_password",
    }  # fmt: skip
    assert outputs["url"] == "https://staging.tsh-erp.test"
    assert outputs["release"] == {
        "commit": COMMIT,
        "tag": "staging-aaaaaaa",
        "images": {"tsh-erp:staging-aaaaaaa": "sha256:1"},
        "migration": "head",
        "env_hash": "d" * 64,
    }
    assert outputs["ssh"] == {"user": "khaleel", "host": "127.0.10.1", "port": 22, "host_key": "ssh-ed25519 BBBB"}


def test_nothing_but_22_80_and_443_comes_in(run: Any) -> None:
    cloud, _ = run("local", config_of("local"))
    rules = (
        cloud.registered["firewall"].inputs.get("inboundRules") or by_kind(cloud)["Firewall"][0].inputs["inboundRules"]
    )
    assert sorted((rule["protocol"], rule["portRange"]) for rule in rules) == [
        ("tcp", "22"), ("tcp", "443"), ("tcp", "80"),
    ]  # fmt: skip


def test_a_named_reserved_address_is_assigned_and_not_made(run: Any) -> None:
    named = {"POSTGRES_USER": "u", "POSTGRES_DB": "d"}
    config = config_of("staging", secrets={"POSTGRES_PASSWORD": {"source": "generated"}}, environment=named)
    cloud, outputs = run("staging", config)
    kinds = by_kind(cloud)
    assert "ReservedIp" not in kinds
    assert kinds["ReservedIpAssignment"][0].inputs["ipAddress"] == "167.71.58.65"
    assert "admin_password" not in outputs


def test_the_release_tag_goes_to_compose_and_not_into_the_env_file(run: Any) -> None:
    cloud, _ = run("local", config_of("local"))
    env_file = by_kind(cloud)["EnvFile"][0].inputs
    assert "IMAGE_TAG" not in env_file["values"]
    assert env_file["values"]["ADMIN_EMAIL"] == "admin@tsh-erp.test"
    assert env_file["values"]["DATABASE_URL"].startswith("postgresql://{{ POSTGRES_USER }}:")
    variables = by_kind(cloud)["ComposeStack"][0].inputs["workload"]["variables"]
    assert variables == {"IMAGE_TAG": "staging-aaaaaaa", "DATA_DIRECTORY": "/mnt/greenroom_local_data"}


def test_every_reference_is_filled_in_wherever_it_stands(run: Any) -> None:
    environment = {
        "POSTGRES_USER": "u",
        "POSTGRES_DB": 'd"1',
        "CORS": ["https://{{ DOMAIN }}", "https://{{ DOMAIN }}:8443", 5],
        "TAGS": ["{{ POSTGRES_DB }}", "{{ RELEASE_TAG }}"],
        "IMAGE": "{{ POSTGRES_USER }}-{{ RELEASE_TAG }}",
    }
    cloud, _ = run("local", config_of("local", environment=environment))
    values = by_kind(cloud)["EnvFile"][0].inputs["values"]
    assert values["CORS"] == ["https://staging.tsh-erp.test", "https://staging.tsh-erp.test:8443", 5]
    variables = by_kind(cloud)["ComposeStack"][0].inputs["workload"]["variables"]
    assert variables == {"TAGS": '["d\\"1","staging-aaaaaaa"]', "IMAGE": "u-staging-aaaaaaa"}


def test_the_table_of_revisions_is_named_in_full(run: Any) -> None:
    cloud, _ = run("local", config_of("local"))
    assert by_kind(cloud)["Migrations"][0].inputs["version"] == {
        "service": "tsh_postgres_staging",
        "role": "tsh_app_user",
        "name": "tsh_erp_staging",
        "table": "alembic_version",
    }


def test_bad_settings_end_the_program_before_anything_is_registered(run: Any) -> None:
    config = config_of("local", droplet={"region": "fra9", "size": "s-2vcpu-4gb", "image": "debian-13-x64"})
    with pytest.raises(pulumi.RunError, match="fra9") as caught:
        run("local", config)
    assert "Pulumi.local.yaml:" in str(caught.value)
    assert "did you mean fra1" in str(caught.value)


def test_missing_secrets_are_all_named_and_reported_to_the_command_line(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    monkeypatch.setenv("GREENROOM_REPORT", str(report))
    config = config_of("staging", ZOHO_CLIENT_ID="<CHANGE_ME_ZOHO>")
    with pytest.raises(pulumi.RunError) as caught:
        run("staging", config)
    for name in (
        "RESEND_API_KEY",
        "ZOHO_CLIENT_ID",
        "ZOHO_CLIENT_SECRET",
        "ZOHO_REFRESH_TOKEN",
        "ZOHO_ORGANIZATION_ID",
    ):
        assert name in str(caught.value)
    assert "<CHANGE_ME_ZOHO>" not in str(caught.value)
    error = read_report(report)
    assert error is not None
    assert error.exit_code == 2
    assert not report.exists()


def test_a_repository_that_cannot_be_had_is_told_with_the_command_to_try(run: Any) -> None:
    config = config_of("local")
    workload = json.loads(config["greenroom:workload"])
    workload |= {"commit": None, "repository": "http://127.0.0.1:1/nothing.git"}
    config["greenroom:workload"] = json.dumps(workload)
    with pytest.raises(pulumi.RunError, match="GIT_UNREACHABLE"):
        run("local", config)


def test_user_data_and_keys_are_secret_inputs(run: Any) -> None:
    cloud, _ = run("local", config_of("local"))
    assert "USERDATA-CANARY" in cloud.registered["droplet"].inputs["userData"]
    for each in cloud.registered.values():
        if each.typ != "digitalocean:index/droplet:Droplet":
            assert "USERDATA-CANARY" not in json.dumps(each.inputs, default=str)


def test_hardening_is_declared_with_its_packages_and_can_be_left_out(run: Any) -> None:
    cloud, _ = run("local", config_of("local", hardening={"exempt": ["203.0.113.0/24"], "confirmWithinSeconds": 30}))
    (found,) = by_kind(cloud)["Hardening"]
    assert (found.inputs["exempt"], found.inputs["confirm_within_s"]) == (["203.0.113.0/24"], 30)
    assert "nftables" in by_kind(cloud)["Baseline"][0].inputs["packages"]

    without, _ = run("local", config_of("local", hardening={"enabled": False}))
    assert "Hardening" not in by_kind(without)
    assert "usbguard" not in by_kind(without)["Baseline"][0].inputs["packages"]
