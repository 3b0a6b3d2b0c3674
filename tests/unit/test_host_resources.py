"""Host resources as pure decisions: what is planned from which facts, and that a second look plans nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.output import Unknown

from infra.errors import StepError
from infra.host.baseline import BaselineProvider
from infra.host.checkout import CheckoutProvider
from infra.host.env_file import EnvFileProvider
from infra.host.health import HealthGateProvider
from infra.host.host_key import HostKeyProvider, PinnedHostProvider
from infra.host.images import ImagesProvider
from infra.host.migrations import MigrationsProvider
from infra.host.proxy import ProxyProvider
from infra.host.stack import ComposeStackProvider
from infra.host.volume import DataVolumeProvider

if TYPE_CHECKING:
    from infra.host.resource import HostProvider

COMMIT = "a" * 40
REACH = {"machine": "1", "host": "192.0.2.1", "port": 22.0, "user": "root", "private_key": "P", "host_key": "K"}
WORKLOAD = {
    "directory": "/home/deploy/app",
    "compose_file": "compose.yml",
    "env_file": ".env",
    "project": "erp",
    "variables": {"IMAGE_TAG": "t"},
    "secrets": ["PASSWORD"],
}
FILE = {"exists": True, "kind": "file", "mode": "0600", "owner": "deploy", "uid": "1000", "group": "deploy"}
ABSENT = {"exists": False, "kind": "", "mode": "", "owner": "", "uid": "", "group": "", "digest": ""}
HOME = {**FILE, "kind": "directory", "mode": "0755"}

BASELINE = {"connection": REACH, "user": "deploy", "authorized_keys": ["ssh-ed25519 A"], "packages": ["caddy", "git"]}
ACTIVE = {"load": "loaded", "active": "active", "enabled": "enabled"}
BASELINE_FACTS = {
    "boot": {"status": "done"},
    "packages": {"caddy": "2", "git": "2"},
    "units": {"docker.service": ACTIVE},
    "user": {
        "exists": True,
        "uid": 1000,
        "home": "/home/deploy",
        "shell": "/bin/bash",
        "groups": ["docker"],
        "keys": [],
    },
    "home": {**HOME, "mode": "0750"},
    "keys": {**FILE, "content": "ssh-ed25519 A\n"},
    "state": {**HOME, "owner": "root"},
    "key": {**FILE, "owner": "root"},
}
CHECKOUT = {
    "connection": REACH,
    "repository": "https://git.example.test/app.git",
    "branch": "develop",
    "commit": COMMIT,
    "directory": "/home/deploy/app",
    "owner": "deploy",
    "keep": [".env", "backups/"],
    "directories": [{"path": "logs/staging", "owner": 1000.0, "mode": "0755"}],
}
TREE = {"exists": True, "commit": COMMIT, "url": CHECKOUT["repository"], "changed": []}
CHECKOUT_FACTS = {"tree": TREE, "/home/deploy/app/logs/staging": HOME}
VOLUME = {
    "connection": REACH,
    "volume": "erp-data",
    "mount": "/mnt/erp_data",
    "directories": [{"path": "postgres", "owner": "root", "mode": "0755"}],
}
VOLUME_FACTS = {"mount": {"source": "/dev/sda"}, "directory postgres": {**HOME, "owner": "999"}}
PROXY = {"connection": REACH, "domain": "a.example.test", "routes": [], "tls": "internal", "email": "", "expected": "d"}
PROXY_FACTS = {
    "file": {**FILE, "digest": "d"},
    "units": {"caddy.service": ACTIVE},
    "socket": {**FILE, "kind": "other"},
    "authority": {**FILE, "content": "CERTIFICATE"},
}
SERVED = (
    "# Written by Greenroom: the only host key that is offered.\n"
    "HostKey /etc/ssh/greenroom_host_ed25519_key\nHostKeyAlgorithms ssh-ed25519\n"
)
PINNED = {"connection": REACH, "public_key": "ssh-ed25519 B"}
PINNED_FACTS = {
    "keys": {"greenroom_host_ed25519_key.pub": "ssh-ed25519 B"},
    "config": {**FILE, "content": SERVED},
    "first": ABSENT,
}
HEALTH = {"connection": REACH, "domain": "a.example.test", "paths": ["/health"], "ca_certificate": "", "timeout_s": 9.0}
GOOD = {"status": 200, "reason": "OK", "body": "", "milliseconds": 3}
QUIET = {
    "privileged": False,
    "namespaces": [],
    "cap_add": [],
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "devices": [],
    "mounts": [],
    "published": [],
    "pids": 9,
    "memory": 1024,
}
SERVICE = {
    "image": "app:t",
    "build": True,
    "config": "c1",
    "depends": {"db": "service_healthy"},
    "health": True,
    "posture": QUIET,
}
DATABASE = {"image": "db:1", "build": False, "config": "c2", "depends": {}, "health": True, "posture": QUIET}
RUNNING = {
    "id": "1",
    "container": "erp-app-1",
    "state": "running",
    "health": "healthy",
    "exit_code": 0,
    "restarts": 0,
    "image": "app:t",
    "image_id": "sha256:a",
    "config": "c1",
}
STACK_FACT = {
    "services": {"app": SERVICE, "db": DATABASE},
    "error": "",
    "command": "",
    "images": {"app:t": "sha256:a", "db:1": "sha256:d"},
    "containers": {"app": RUNNING, "db": {**RUNNING, "image": "db:1", "image_id": "sha256:d", "config": "c2"}},
}
STACK = {"connection": REACH, "workload": WORKLOAD, "commit": COMMIT, "environment": "e", "timeout_s": 60.0}
IMAGES = {"connection": REACH, "workload": WORKLOAD, "commit": COMMIT, "mode": "build", "release": {}, "earlier": []}
MIGRATIONS = {
    "connection": REACH,
    "workload": WORKLOAD,
    "service": "app",
    "command": ["alembic", "upgrade", "head"],
    "current": ["alembic", "current"],
    "workdir": "",
    "commit": COMMIT,
    "environment": "e",
}

SETTLED: list[tuple[HostProvider, dict[str, Any], dict[str, Any]]] = [
    (BaselineProvider(), BASELINE, BASELINE_FACTS),
    (CheckoutProvider(), CHECKOUT, CHECKOUT_FACTS),
    (DataVolumeProvider(), VOLUME, VOLUME_FACTS),
    (ProxyProvider(), PROXY, PROXY_FACTS),
    (PinnedHostProvider(), PINNED, PINNED_FACTS),
    (HostKeyProvider(), {"connection": REACH}, PINNED_FACTS),
    (HealthGateProvider(), HEALTH, {"http": {"/health": GOOD}}),
    (ComposeStackProvider(), STACK, {"stack": STACK_FACT}),
    (ImagesProvider(), IMAGES, {"stack": STACK_FACT}),
]
DIFFERENCES: list[tuple[HostProvider, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"boot": {"status": "running"}}, "first boot is not over"),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"packages": {"git": "2"}}, "packages are missing: caddy"),
    (
        BaselineProvider(),
        BASELINE,
        BASELINE_FACTS,
        {"units": {"docker.service": {**ACTIVE, "active": "failed"}}},
        "docker.service is failed",
    ),
    (
        BaselineProvider(),
        BASELINE,
        BASELINE_FACTS,
        {"units": {"docker.service": {**ACTIVE, "enabled": "disabled"}}},
        "docker.service is not enabled",
    ),
    (
        BaselineProvider(),
        BASELINE,
        BASELINE_FACTS,
        {"user": {"exists": False, "groups": []}},
        "there is no user deploy",
    ),
    (
        BaselineProvider(),
        BASELINE,
        BASELINE_FACTS,
        {"user": {"exists": True, "groups": [], "shell": "/bin/bash"}},
        "not in group docker",
    ),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"home": {**HOME, "mode": "0777"}}, "mode 0777"),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"keys": {**FILE, "content": "evil\n"}}, "keys that open"),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"state": ABSENT}, "/var/lib/greenroom is not root's"),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"key": {**FILE, "mode": "0644"}}, "open to others"),
    (CheckoutProvider(), CHECKOUT, CHECKOUT_FACTS, {"tree": {**TREE, "commit": ""}}, "is no checkout"),
    (
        CheckoutProvider(),
        CHECKOUT,
        CHECKOUT_FACTS,
        {"tree": {**TREE, "commit": "b" * 40}},
        "commit bbbbbbbbbbbb is checked out instead of aaaaaaaaaaaa",
    ),
    (
        CheckoutProvider(),
        CHECKOUT,
        CHECKOUT_FACTS,
        {"tree": {**TREE, "changed": [" M app.py"]}},
        "edited on the host:  M app.py",
    ),
    (
        CheckoutProvider(),
        CHECKOUT,
        CHECKOUT_FACTS,
        {"tree": {**TREE, "changed": ["?? new.py"]}},
        "edited on the host: ?? new.py",
    ),
    (CheckoutProvider(), CHECKOUT, CHECKOUT_FACTS, {"tree": {**TREE, "url": "https://evil.test/x"}}, "the origin is"),
    (CheckoutProvider(), CHECKOUT, CHECKOUT_FACTS, {"/home/deploy/app/logs/staging": ABSENT}, "is missing"),
    (
        CheckoutProvider(),
        CHECKOUT,
        CHECKOUT_FACTS,
        {"/home/deploy/app/logs/staging": {**HOME, "owner": "root", "uid": "0"}},
        "belongs to root",
    ),
    (DataVolumeProvider(), VOLUME, VOLUME_FACTS, {"mount": {"source": ""}}, "nothing is mounted at /mnt/erp_data"),
    (DataVolumeProvider(), VOLUME, VOLUME_FACTS, {"directory postgres": ABSENT}, "postgres is missing"),
    (ProxyProvider(), PROXY, PROXY_FACTS, {"file": {**FILE, "digest": "x"}}, "configuration differs"),
    (ProxyProvider(), PROXY, PROXY_FACTS, {"socket": ABSENT}, "not running"),
    (ProxyProvider(), PROXY, PROXY_FACTS, {"units": {"caddy.service": {**ACTIVE, "active": "failed"}}}, "not running"),
    (
        ProxyProvider(),
        PROXY,
        PROXY_FACTS,
        {"units": {"caddy.service": {**ACTIVE, "enabled": "disabled"}}},
        "at every boot",
    ),
    (PinnedHostProvider(), PINNED, PINNED_FACTS, {"config": ABSENT}, "does not serve"),
    (PinnedHostProvider(), PINNED, PINNED_FACTS, {"first": FILE}, "one-time host key is still there"),
    (HostKeyProvider(), {"connection": REACH}, PINNED_FACTS, {"keys": {}}, "no host key of its own"),
    (
        HealthGateProvider(),
        HEALTH,
        {},
        {"http": {"/health": {**GOOD, "status": 502}}},
        "/health answers 502",
    ),
    (
        ComposeStackProvider(),
        STACK,
        {},
        {"stack": {**STACK_FACT, "containers": {}}},
        "service app has no container; service db has no container",
    ),
    (
        ImagesProvider(),
        IMAGES,
        {},
        {"stack": {**STACK_FACT, "images": {"app:t": "", "db:1": "sha256:d"}}},
        "images are missing: build app",
    ),
    (
        ImagesProvider(),
        IMAGES,
        {},
        {"stack": {**STACK_FACT, "images": {"app:t": "", "db:1": ""}}},
        "images are missing: build app; images are missing: pull db",
    ),
    (
        ImagesProvider(),
        {**IMAGES, "release": {"app:t": "sha256:other"}},
        {},
        {"stack": STACK_FACT},
        "images are missing: build app",
    ),
    (
        ImagesProvider(),
        {**IMAGES, "mode": "pull"},
        {},
        {"stack": {**STACK_FACT, "images": {"app:t": "", "db:1": ""}}},
        "images are missing: pull db app",
    ),
]


@pytest.mark.parametrize(("provider", "spec", "facts"), SETTLED, ids=lambda each: getattr(each, "subject", ""))
def test_a_host_that_is_as_wanted_needs_no_act(
    provider: HostProvider, spec: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert provider.plan(spec, facts) == []


@pytest.mark.parametrize(("provider", "spec", "facts", "change", "why"), DIFFERENCES, ids=lambda each: str(each)[:40])
def test_a_difference_is_planned_with_its_reason(
    provider: HostProvider, spec: dict[str, Any], facts: dict[str, Any], change: dict[str, Any], why: str
) -> None:
    plan = provider.plan(spec, {**facts, **change})

    assert any(why in act.why for act in plan), [act.why for act in plan]


@pytest.mark.parametrize(
    "entry", ["?? .env", "?? logs/", "?? logs/staging/app.log", "?? backups/", "?? backups/1.dump"]
)
def test_what_the_deployment_keeps_in_the_tree_is_no_edit(entry: str) -> None:
    facts = {**CHECKOUT_FACTS, "tree": {**TREE, "changed": [entry]}}

    assert CheckoutProvider().plan(CHECKOUT, facts) == []


@pytest.mark.parametrize("entry", ["?? .env.other", " M .env", " D backups/1.dump", "?? uploads/"])
def test_what_looks_alike_is_an_edit(entry: str) -> None:
    facts = {**CHECKOUT_FACTS, "tree": {**TREE, "changed": [entry]}}

    assert CheckoutProvider().plan(CHECKOUT, facts)


def test_directories_under_a_mount_to_come_are_made_after_it_and_keep_what_is_there() -> None:
    plan = DataVolumeProvider().plan(VOLUME, {**VOLUME_FACTS, "mount": {"source": ""}})

    assert [act.wire["do"] for act in plan] == ["mount", "directory"]
    assert plan[1].wire["keep"] is True


def test_compose_files_that_cannot_be_read_are_an_error_with_composes_words() -> None:
    fact = {"services": {}, "error": "IMAGE_TAG is not set", "command": "docker compose config", "images": {}}
    for provider, spec in ((ComposeStackProvider(), STACK), (ImagesProvider(), IMAGES)):
        with pytest.raises(StepError) as raised:
            provider.plan(spec, {"stack": fact})
        assert raised.value.code == "COMPOSE_INVALID"
        assert "IMAGE_TAG" in raised.value.evidence


def test_only_what_differs_is_made_anew_and_all_is_watched() -> None:
    old = {**STACK_FACT["containers"], "app": {**RUNNING, "config": "c0"}}
    plan = ComposeStackProvider().plan(STACK, {"stack": {**STACK_FACT, "containers": old}})

    assert [act.wire["do"] for act in plan] == ["write", "run", "start"]
    assert plan[1].wire["argv"][-2:] == ["--force-recreate", "app"]
    assert sorted(plan[2].wire["services"]) == ["app", "db"]


def test_a_stopped_service_is_started_and_not_made_anew() -> None:
    stopped = {**STACK_FACT["containers"], "app": {**RUNNING, "state": "exited"}}
    plan = ComposeStackProvider().plan(STACK, {"stack": {**STACK_FACT, "containers": stopped}})

    assert [act.wire["do"] for act in plan] == ["start"]


def test_migrations_bring_up_what_their_service_needs_and_not_the_service() -> None:
    plan = MigrationsProvider().plan(MIGRATIONS, {"stack": {**STACK_FACT, "containers": {}}})

    assert [act.wire["do"] for act in plan] == ["write", "run", "start", "run"]
    assert plan[1].wire["argv"][-1] == "db"
    assert sorted(plan[2].wire["services"]) == ["db"]
    script = "alembic upgrade head && echo '-- where the schema stands --' && alembic current"
    assert plan[3].wire["argv"][-4:] == ["app", "sh", "-c", script]


def test_migrations_that_leave_the_schema_short_of_the_head_are_a_failed_step() -> None:
    printed = "INFO Running upgrade  -> 0001, x\n-- where the schema stands --\n0001\n"
    with pytest.raises(StepError) as raised:
        MigrationsProvider().outputs(MIGRATIONS, {"migration": printed})
    assert raised.value.code == "MIGRATION_INCOMPLETE"


def test_migrations_tell_what_they_applied() -> None:
    printed = "INFO Running upgrade  -> 0001, x\n-- where the schema stands --\n0001 (head)\n"

    assert MigrationsProvider().outputs(MIGRATIONS, {"migration": printed}) == {
        "revision": "0001",
        "head": True,
        "applied": ["nothing -> 0001"],
    }


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"exit_status": 0, "stdout": "0001\n"}, "the schema is at revision 0001 instead of 0002"),
        ({"exit_status": 0, "stdout": ""}, "at revision none instead of 0002"),
        ({"exit_status": -1, "stdout": ""}, "unknown: service app can't tell"),
    ],
)
def test_a_schema_that_was_moved_by_hand_is_drift(seen: dict[str, Any], why: str) -> None:
    (act,) = MigrationsProvider().plan({**MIGRATIONS, "revision": "0002"}, {"current": seen})

    assert why in act.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "exited", "health": "unhealthy"}, "service app is exited, health unhealthy"),
        ({"config": "c9"}, "another configuration"),
        (None, "service app has no container"),
    ],
)
def test_drift_of_a_service_is_told_without_asking_compose(change: dict[str, Any] | None, why: str) -> None:
    provider = ComposeStackProvider()
    recorded = provider.outputs(STACK, {"stack": STACK_FACT})
    seen = {name: each for name, each in STACK_FACT["containers"].items() if change is not None or name != "app"}
    if change is not None:
        seen["app"] = {**RUNNING, **change}

    plan = provider.plan({**STACK, **recorded}, {"seen": {"containers": seen}})

    assert [why in act.why for act in plan] == [True]


def test_a_container_that_nobody_declared_is_drift() -> None:
    provider = ComposeStackProvider()
    recorded = provider.outputs(STACK, {"stack": STACK_FACT})
    seen = {**STACK_FACT["containers"], "miner": RUNNING}

    (act,) = provider.plan({**STACK, **recorded}, {"seen": {"containers": seen}})
    assert act.why == "service miner is not one of the project's"


ENV = {
    "connection": REACH,
    "path": "/home/deploy/app/.env",
    "owner": "deploy",
    "values": {"A": 1.0},
    "secrets": {"TOKEN": "canary-secret"},
    "recipe": "r",
}


def env_outputs(inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Give what the provider would return after it has written the file."""
    provider = EnvFileProvider()
    spec = provider.prepared(inputs, olds)
    facts = {"file": {**FILE, "digest": spec["expected"]}}
    assert provider.plan(spec, facts) == []
    kept = {name: value for name, value in spec.items() if name not in provider.withheld}
    return {**kept, **provider.outputs(spec, facts), "drift": [], "reachable": True}


def test_the_env_files_outputs_hold_no_value_and_no_bare_digest() -> None:
    outputs = env_outputs(ENV, {})
    text = str({name: value for name, value in outputs.items() if name != "key"})

    assert "canary-secret" not in text
    content = 'A="1"\nTOKEN="canary-secret"\n'
    assert hashlib.sha256(content.encode()).hexdigest() not in text
    assert outputs["names"] == ["A", "TOKEN"]


def test_the_env_files_key_stays_so_that_the_same_values_are_no_change() -> None:
    provider, outputs = EnvFileProvider(), env_outputs(ENV, {})

    assert not provider.diff("id", outputs, ENV).changes
    assert env_outputs(ENV, outputs) == outputs


@pytest.mark.parametrize(
    "change",
    [{"secrets": {"TOKEN": "other"}}, {"values": {"A": 2.0}}, {"recipe": "s"}, {"owner": "root"}, {"path": "/x/y"}],
)
def test_another_value_is_a_change_that_is_seen_without_rendering(change: dict[str, Any]) -> None:
    assert EnvFileProvider().diff("id", env_outputs(ENV, {}), {**ENV, **change}).changes


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (ABSENT, "is missing"),
        ({**FILE, "digest": "other"}, "another content"),
        ({**FILE, "mode": "0644"}, "mode 0644"),
        ({**FILE, "owner": "root"}, "belongs to root"),
    ],
)
def test_an_env_file_that_was_touched_is_written_anew(found: dict[str, Any], why: str) -> None:
    provider = EnvFileProvider()
    spec = provider.prepared(ENV, {})
    facts = {"file": {"digest": spec["expected"], **found}}

    (act,) = provider.plan(spec, facts)
    assert why in act.why
    assert (act.wire["mode"], act.wire["owner"]) == ("0600", "deploy")
    assert "canary-secret" not in repr(act)


def test_unknown_inputs_are_a_change_in_a_preview() -> None:
    news = {**STACK, "environment": Unknown()}

    assert ComposeStackProvider().diff("id", {**STACK, "drift": [], "reachable": True}, news).changes


@pytest.mark.parametrize("found", [{"drift": ["edited"]}, {"reachable": False}])
def test_what_a_refresh_has_found_makes_the_next_run_mend_it(found: dict[str, Any]) -> None:
    settled = {**STACK, "drift": [], "reachable": True}
    provider = ComposeStackProvider()

    assert not provider.diff("id", settled, STACK).changes
    assert provider.diff("id", {**settled, **found}, STACK).changes


def test_another_machine_is_a_change_of_everything_on_it() -> None:
    settled = {**STACK, "drift": [], "reachable": True}
    news = {**STACK, "connection": {**REACH, "machine": "2"}}

    assert ComposeStackProvider().diff("id", settled, news).changes


@pytest.mark.parametrize(
    ("provider", "inputs", "name"),
    [
        (CheckoutProvider(), {**CHECKOUT, "repository": "ext::sh -c id"}, "repository"),
        (CheckoutProvider(), {**CHECKOUT, "repository": "file:///etc"}, "repository"),
        (CheckoutProvider(), {**CHECKOUT, "repository": "https://-oProxyCommand=id/x"}, "repository"),
        (CheckoutProvider(), {**CHECKOUT, "branch": "--upload-pack=id"}, "branch"),
        (CheckoutProvider(), {**CHECKOUT, "branch": "a..b"}, "branch"),
        (CheckoutProvider(), {**CHECKOUT, "commit": "HEAD"}, "commit"),
        (CheckoutProvider(), {**CHECKOUT, "directory": "/home/x/../../etc"}, "directory"),
        (CheckoutProvider(), {**CHECKOUT, "directory": "relative"}, "directory"),
        (CheckoutProvider(), {**CHECKOUT, "directory": "/a\nb"}, "directory"),
        (CheckoutProvider(), {**CHECKOUT, "owner": "a;b"}, "owner"),
        (EnvFileProvider(), {**ENV, "path": "/home//x"}, "path"),
        (ComposeStackProvider(), {**STACK, "workload": {**WORKLOAD, "project": "A b"}}, "workload.project"),
        (
            ComposeStackProvider(),
            {**STACK, "workload": {**WORKLOAD, "compose_file": "../x.yml"}},
            "workload.compose_file",
        ),
        (ComposeStackProvider(), {**STACK, "workload": {**WORKLOAD, "env_file": "/etc/x"}}, "workload.env_file"),
        (ProxyProvider(), {**PROXY, "domain": "a.test {\n}"}, "domain"),
        (ProxyProvider(), {**PROXY, "email": "a@b}\n{"}, "email"),
        (ProxyProvider(), {**PROXY, "tls": "off"}, "tls"),
        (ProxyProvider(), {**PROXY, "routes": [{"path": "/x {\n", "port": 1.0}]}, "routes"),
        (ProxyProvider(), {**PROXY, "routes": [{"path": "/", "port": 0.0}]}, "routes"),
        (DataVolumeProvider(), {**VOLUME, "mount": "/etc"}, "mount"),
        (DataVolumeProvider(), {**VOLUME, "volume": "A;b"}, "volume"),
    ],
)
def test_inputs_that_could_not_be_meant_are_refused(provider: HostProvider, inputs: dict[str, Any], name: str) -> None:
    failures = provider.check({}, inputs).failures

    assert [failure.property for failure in failures] == [name]


@pytest.mark.parametrize(("provider", "spec", "facts"), SETTLED, ids=lambda each: getattr(each, "subject", ""))
def test_inputs_that_are_meant_are_accepted(
    provider: HostProvider, spec: dict[str, Any], facts: dict[str, Any]
) -> None:
    del facts
    assert provider.check({}, spec).failures == []


def test_a_recorded_host_key_stays_on_record_without_asking_the_host() -> None:
    olds = {"connection": REACH, "public_key": "ssh-ed25519 B", "recorded": {}, "drift": [], "reachable": True}
    news = {"connection": {**REACH, "private_key": "another login"}}

    outs = HostKeyProvider().update("id", olds, news).outs or {}
    assert outs["public_key"] == "ssh-ed25519 B"
    assert outs["connection"]["private_key"] == "another login"


def test_images_of_the_last_three_releases_stay() -> None:
    earlier = ["app:1", "app:2", "app:3"]
    spec = {**IMAGES, "earlier": earlier}

    (act,) = ImagesProvider().plan(spec, {"stack": STACK_FACT})
    assert act.wire["references"] == ["app:1"]
    assert ImagesProvider().outputs(spec, {"stack": STACK_FACT})["built"] == ["app:2", "app:3", "app:t"]
    assert ImagesProvider().plan(ImagesProvider().verified(spec), {"stack": STACK_FACT}) == []
