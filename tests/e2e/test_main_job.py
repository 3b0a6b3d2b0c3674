"""The main job, end to end, as its users meet it: up, up again, drift, a new release, a changed secret, down.

The chapters share one deployment and run in the order in which they stand here.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bed import Lab
from desk import argv_of_everything
from faultcase import load_cases
from faultlab import Bench
from methods import Greenroom

from localcloud.digitalocean.machinery import home_label
from localcloud.machines.engine import client, ensure_docker, release_docker
from localcloud.machines.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from desk import Desk, Done
    from faultcase import Case

pytestmark = [pytest.mark.droplet, pytest.mark.timeout(1500)]

WARM_LIMIT_S = 150
COLD_LIMIT_S = 900
REPAIR_LIMIT_S = 180
"""What nine of ten repairs of the whole lab have to stay below; a busy machine is slower than the lab's median."""
ENDPOINTS = 33
CANARIES = {
    "RESEND_API_KEY": "re_" + secrets.token_urlsafe(24),
    "ZOHO_CLIENT_SECRET": "zc_" + secrets.token_urlsafe(24),
}


def outputs(desk: Desk, *more: str) -> dict[str, Any]:
    return desk.greenroom("outputs", "-s", "local", "--json", *more, **CANARIES).document


def on_droplet(desk: Desk, command: str) -> str:
    return desk.greenroom("ssh", "-s", "local", "--", "sh", "-c", command, **CANARIES).stdout


def logins(desk: Desk) -> int:
    """How many SSH sessions the droplet has accepted; the question itself is one of them."""
    return int(on_droplet(desk, "journalctl -u ssh --no-pager | grep -c 'Accepted publickey'"))


def changed(done: Done) -> dict[str, str]:
    """Which resources a run changed, and how."""
    return {step["name"]: step["op"] for step in done.document["steps"] if step["op"] not in {"same", "read"}}


def sweeping(work: Callable[[], Done]) -> tuple[Done, set[str]]:
    """Do some work while every command line on this machine is collected."""
    seen: set[str] = set()
    over = threading.Event()

    def collect() -> None:
        while not over.wait(0.02):
            seen.update(argv_of_everything())

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        return work(), seen
    finally:
        over.set()
        collector.join()


def test_a_fresh_machine_comes_up_verified(desk: Desk) -> None:
    desk.edit("Pulumi.local.yaml", "RESEND_API_KEY: {source: generated}", "RESEND_API_KEY: {source: environment}")
    desk.edit(
        "Pulumi.local.yaml", "ZOHO_CLIENT_SECRET: {source: generated}", "ZOHO_CLIENT_SECRET: {source: environment}"
    )
    done, command_lines = sweeping(lambda: desk.run("./scripts/up", timeout_s=COLD_LIMIT_S, **CANARIES))
    assert done.status == 0, done.talk
    assert done.seconds < COLD_LIMIT_S
    assert "https://staging.tsh-erp.test" in done.stdout
    for canary in CANARIES.values():
        assert canary not in done.stdout + done.stderr
        assert not [line for line in command_lines if canary in line]
    report = desk.greenroom("verify", "-s", "local", "--json", **CANARIES).document
    assert report["failed"] == 0
    assert len(report["rows"]) > ENDPOINTS


def test_a_second_up_changes_nothing_and_asks_the_host_for_nothing(desk: Desk) -> None:
    before = logins(desk)
    done = desk.run("./scripts/up", check=0, **CANARIES)
    assert "no change" in done.stderr
    assert logins(desk) == before + 1, "only the two questions themselves logged in"


def test_the_stack_answers_over_verified_tls(desk: Desk, tmp_path: Path) -> None:
    known = outputs(desk)
    authority = tmp_path / "ca.pem"
    authority.write_text(known["ca_certificate"], encoding="utf-8")
    name = known["url"].removeprefix("https://")
    curl = ["curl", "-sS", "--fail", "--resolve", f"{name}:443:{known['address']}", "--cacert", str(authority)]
    health = json.loads(desk.run(*curl, f"https://{name}/health", check=0).stdout)
    assert health["status"] == "healthy"
    refused = desk.run(*curl[:-2], f"https://{name}/health")
    assert refused.status != 0, "without the stack's own authority the certificate must not verify"


def test_every_endpoint_is_proved_with_a_token(desk: Desk) -> None:
    rows = desk.greenroom("verify", "-s", "local", "--json", **CANARIES).document["rows"]
    endpoints = [row for row in rows if re.match(r"[GTC][0-9]+ .*: answers with a token$", row["name"])]
    assert len(endpoints) == ENDPOINTS
    assert all(row["passed"] for row in endpoints)
    named = " ".join(row["name"] for row in rows if row["passed"])
    assert "a GPS batch of 100 points is stored and read back" in named
    assert "the commission rate is 2.25 percent" in named


def everything_that_healing_could_touch(desk: Desk) -> dict[str, Any]:
    """What is on the host, in the cloud and in the state, down to times of files; but what writes by itself."""
    cloud = desk.greenroom("cloud", "status", "--json").document["environment"]["DIGITALOCEAN_API_URL"]
    request = {"headers": {"Authorization": "Bearer by-hand"}}

    def ask(path: str) -> Any:
        with urllib.request.urlopen(  # noqa: S310 - an address on loopback
            urllib.request.Request(f"{cloud}{path}", **request),  # noqa: S310 - as above
            timeout=10,
        ) as answer:
            return json.loads(answer.read())

    files = "find /etc /var/lib/greenroom /home/khaleel/tsh-erp -path '*/logs/*' -prune -o -type f"
    return {
        "files": on_droplet(desk, f"{files} -printf '%p %T@ %s %m %u\\n' | sort"),
        "containers": on_droplet(desk, "docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' | sort"),
        "images": on_droplet(desk, "docker images --no-trunc --quiet | sort"),
        "units": on_droplet(desk, "systemctl show docker caddy ssh nftables -p Id,ActiveState,ActiveEnterTimestamp"),
        "cloud": [ask(f"/v2/{each}") for each in ("droplets", "firewalls", "volumes", "domains", "reserved_ips")],
        "state": {path.name: path.read_bytes() for path in (desk.home / ".pulumi").rglob("*.json")},
        "audit": [path.read_bytes() for path in sorted((desk.home / "local").glob("audit*"))],
    }


def test_a_dry_run_of_healing_changes_nothing_and_what_it_plans_is_what_is_done(desk: Desk) -> None:
    on_droplet(desk, "docker rm -f tsh_neurolink_staging")
    before = everything_that_healing_could_touch(desk)
    planned = desk.greenroom("heal", "-s", "local", "--dry-run", "--json", **CANARIES).document
    assert everything_that_healing_could_touch(desk) == before
    assert planned["ending"] == "planned"
    plan = planned["attempts"][0]["plan"]
    healed = desk.greenroom("heal", "-s", "local", "--json", **CANARIES).document
    assert healed["ending"] == "healed"
    assert [each["act"] for each in healed["attempts"][0]["outcomes"]] == plan
    assert not healed["failed_statements"]
    assert healed["statements"] > ENDPOINTS
    log = desk.greenroom("audit", "-s", "local", "--verify", "--json", **CANARIES).document
    assert log["verified"]
    assert [each["verb"] for each in log["entries"]][-3:] == ["plan", "converge", "heal"]


def test_healing_stops_within_a_second_of_its_stop_file(desk: Desk) -> None:
    on_droplet(desk, "docker rm -f tsh_neurolink_staging")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "GREENROOM_"))}
    with subprocess.Popen(
        [".venv/bin/greenroom", "heal", "-s", "local"],
        cwd=desk.directory,
        env={**kept, **CANARIES},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as healer:
        assert healer.stderr is not None
        lines = iter(healer.stderr)
        assert any("acting: converge" in line for line in lines)
        stop = desk.home / "local" / "stop"
        stop.touch()
        began = time.monotonic()
        assert any("stopping: the stop file is there" in line for line in lines)
        assert time.monotonic() - began < 1.0
        rest = "".join(lines)
    assert healer.returncode == 22
    assert "acting:" not in rest
    assert ": stopped, 1 acts" in rest
    on_droplet(desk, "docker rm -f tsh_neurolink_staging || true")  # the step that ran may have come to its end
    assert desk.greenroom("heal", "-s", "local", check=22, **CANARIES).seconds < 30, "it stays a switch until removed"
    assert "tsh_neurolink_staging" not in on_droplet(desk, "docker ps --all --format '{{.Names}}'").split()
    stop.unlink()
    assert desk.greenroom("heal", "-s", "local", "--json", **CANARIES).document["ending"] == "healed"


def test_mending_rolls_out_no_edit_of_the_settings_that_nobody_has_deployed(desk: Desk) -> None:
    desk.edit("Pulumi.local.yaml", "    ACCESS_TOKEN_EXPIRE_MINUTES: 60", "    ACCESS_TOKEN_EXPIRE_MINUTES: 61")
    on_droplet(desk, "docker stop -t 1 tsh_neurolink_staging")
    refused = desk.greenroom("heal", "-s", "local", "--json", check=21, **CANARIES).document
    assert "env-file: another values is declared" in refused["attempts"][-1]["refusal"]
    assert not any(attempt["outcomes"] for attempt in refused["attempts"])
    desk.edit("Pulumi.local.yaml", "    ACCESS_TOKEN_EXPIRE_MINUTES: 61", "    ACCESS_TOKEN_EXPIRE_MINUTES: 60")
    assert desk.greenroom("heal", "-s", "local", "--json", **CANARIES).document["ending"] == "healed"


@pytest.mark.parametrize(
    ("by_hand", "resource"),
    [
        ("sed -i 's/^LOG_LEVEL=.*/LOG_LEVEL=DEBUG/' /home/khaleel/tsh-erp/.env.staging", "env-file"),
        ("docker stop -t 1 tsh_neurolink_staging", "compose-stack"),
        ("echo '# by hand' >> /home/khaleel/tsh-erp/docker-compose.staging.yml", "checkout"),
    ],
)
def test_a_change_by_hand_on_the_host_is_named_and_mended(desk: Desk, by_hand: str, resource: str) -> None:
    on_droplet(desk, by_hand)
    drift = desk.greenroom("refresh", "-s", "local", "--json", **CANARIES).document["drift"]
    assert resource in {finding["resource"] for finding in drift}
    mended = desk.greenroom("up", "-s", "local", "--yes", "--json", **CANARIES)
    assert resource in changed(mended)
    after = desk.greenroom("refresh", "-s", "local", "--json", **CANARIES).document["drift"]
    assert after == []


def test_a_firewall_opened_by_hand_is_named_and_mended(desk: Desk) -> None:
    cloud = desk.greenroom("cloud", "status", "--json").document
    api = cloud["environment"]["DIGITALOCEAN_API_URL"]

    def call(method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - an address on loopback
            f"{api}{path}",
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": "Bearer by-hand", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return json.loads(answer.read() or b"null")

    (firewall,) = call("GET", "/v2/firewalls")["firewalls"]
    rule = {"protocol": "tcp", "ports": "8002", "sources": {"addresses": ["0.0.0.0/0"]}}
    call("POST", f"/v2/firewalls/{firewall['id']}/rules", {"inbound_rules": [rule]})
    drift = desk.greenroom("refresh", "-s", "local", "--json", **CANARIES).document["drift"]
    assert any("firewall" in finding["resource"] for finding in drift)
    desk.greenroom("up", "-s", "local", "--yes", **CANARIES)
    (firewall,) = call("GET", "/v2/firewalls")["firewalls"]
    assert sorted(rule["ports"] for rule in firewall["inbound_rules"]) == ["22", "443", "80"]


def test_a_new_commit_is_shown_and_only_that_is_applied(desk: Desk) -> None:
    before = outputs(desk)["release"]
    readme = desk.directory / "examples/tsh-erp/README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + "\nOne more line.\n", encoding="utf-8")
    preview = desk.greenroom("preview", "-s", "local", "--json", **CANARIES)
    shown = changed(preview)
    assert {"checkout", "images", "compose-stack"} <= set(shown)
    assert not {name for name in shown if name in {"env-file", "baseline", "proxy", "droplet", "host-key"}}
    desk.greenroom("up", "-s", "local", "--yes", **CANARIES)
    after = outputs(desk)["release"]
    assert after["commit"] != before["commit"]
    assert after["tag"] == f"staging-{after['commit'][:7]}"
    assert after["env_hash"] == before["env_hash"]


def test_a_changed_secret_is_shown_as_such_and_never_printed(desk: Desk) -> None:
    before = outputs(desk)["release"]
    CANARIES["RESEND_API_KEY"] = "re_" + secrets.token_urlsafe(24)
    preview = desk.greenroom("preview", "-s", "local", **CANARIES)
    assert "env-file" in preview.stdout
    assert CANARIES["RESEND_API_KEY"] not in preview.stdout + preview.stderr
    desk.greenroom("up", "-s", "local", "--yes", **CANARIES)
    after = outputs(desk)["release"]
    assert after["env_hash"] != before["env_hash"]
    assert after["commit"] == before["commit"]
    held = on_droplet(desk, "docker exec tsh_neurolink_staging printenv RESEND_API_KEY")
    assert held.strip() == CANARIES["RESEND_API_KEY"]


def test_no_secret_stands_where_it_has_no_place(desk: Desk) -> None:
    password = outputs(desk, "--show-secrets")["admin_password"]
    wanted = [*CANARIES.values(), password]
    on_disk = [path for path in desk.home.rglob("*") if path.is_file()]
    assert any(path.name == "local.json" for path in on_disk), "the state must be among what is swept"
    hits = [
        str(path.relative_to(desk.directory))
        for path in on_disk
        for value in wanted
        if value.encode() in path.read_bytes()
    ]
    assert hits == []
    journal = on_droplet(desk, "journalctl --no-pager; cat /var/log/cloud-init*.log")
    assert not [value for value in wanted if value in journal]


def test_missing_secrets_are_all_named_before_anything_is_touched(desk: Desk) -> None:
    state = (desk.home / ".pulumi/stacks/greenroom/local.json").read_bytes()
    given = {"RESEND_API_KEY": "<CHANGE_ME_RESEND>", "ZOHO_CLIENT_SECRET": ""}
    for verb in (["preview"], ["up", "--yes"]):
        done = desk.greenroom(*verb, "-s", "local", check=2, **given)
        assert "RESEND_API_KEY" in done.stderr
        assert "ZOHO_CLIENT_SECRET" in done.stderr
        assert "CHANGE_ME_RESEND" not in done.stderr
    assert (desk.home / ".pulumi/stacks/greenroom/local.json").read_bytes() == state


@pytest.fixture(scope="module")
def bench(desk: Desk) -> Iterator[Bench]:
    """The fault lab on the stack that the chapters before have deployed; see tests/faults/README.md."""
    bench = Bench(Lab.of(desk, CANARIES))
    yield bench
    bench.tracer.stop()


@pytest.mark.parametrize("case", load_cases(fast=True), ids=lambda case: case.id)
def test_a_fault_ends_as_it_has_to_and_nothing_else_changes(bench: Bench, case: Case) -> None:
    verdict = None
    try:
        verdict = bench.run(case, Greenroom())
    finally:
        bench.clear(case, verdict)
    assert verdict.good, json.dumps(verdict.document(), indent=2)
    assert verdict.repair_s is not None
    assert verdict.repair_s < REPAIR_LIMIT_S


def test_a_warm_deployment_is_quick_and_down_leaves_nothing(desk: Desk) -> None:
    desk.greenroom("destroy", "-s", "local", "--yes", **CANARIES)
    started = time.monotonic()
    desk.run("./scripts/up", check=0, **CANARIES)
    assert time.monotonic() - started < WARM_LIMIT_S

    desk.run("./scripts/down", check=0, **CANARIES)
    assert not [line for line in argv_of_everything() if str(desk.home) in line]
    assert str(desk.home) not in Path("/proc/mounts").read_text(encoding="utf-8")
    assert home_label(desk.home) not in desk.run("iptables-save").stdout, "each chain of a cloud is named after it"
    assert not list((desk.home / ".pulumi").rglob("locks/**/*.json"))
    ensure_docker(print)  # `down` stops an engine that `up` had to start; what it left is asked of the engine itself
    try:
        mine = Names(home_label(desk.home)).filters()
        assert client().containers.list(all=True, filters=mine) == []
        assert client().volumes.list(filters=mine) == []
        assert client().networks.list(filters=mine) == []
        tags = [tag for image in client().images.list() for tag in image.tags]
        assert not [tag for tag in tags if re.search(r":staging-[0-9a-f]{7}$", tag)]
    finally:
        release_docker(print)
