"""What a look at a host tells in detail: each difference with what was expected, what is there, and since when."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import hostfacts
import pytest
from hostfacts import LOGIN, LOGIN_KEYS, PINNED_FACTS

from infra.commands import compose
from infra.host.baseline import BaselineProvider
from infra.host.checkout import CheckoutProvider
from infra.host.env_file import EnvFileProvider
from infra.host.host_key import PinnedHostProvider
from infra.host.images import ImagesProvider
from infra.host.migrations import MigrationsProvider
from infra.host.proxy import ProxyProvider
from infra.host.stack import ComposeStackProvider
from infra.host.volume import DataVolumeProvider
from infra.transport.remote.files import file_fact
from infra.transport.remote.posture import posture
from infra.transport.remote.stack import describe
from infra.transport.remote.units import _written

if TYPE_CHECKING:
    from pathlib import Path

    from infra.host.resource import HostProvider

AT = "2026-11-24T10:00:00Z"
KEY = "0f" * 32
REACH = {"machine": "1", "host": "192.0.2.1", "port": 22.0, "user": "root", "private_key": "P", "host_key": "K"}
WORKLOAD = {
    "directory": "/d",
    "compose_file": "c.yml",
    "env_file": ".env",
    "project": "p",
    "variables": {},
    "secrets": [],
}
BARE = {"build": False, "depends": {}, "health": True, "posture": posture({}, {})}
FILE = {
    "exists": True,
    "kind": "file",
    "mode": "0600",
    "owner": "deploy",
    "uid": "1000",
    "group": "deploy",
    "digest": "d",
    "changed_at": AT,
}
UNIT = {"load": "loaded", "active": "active", "enabled": "enabled", "since": AT}
LIMITS = {"cpus": 1.0, "memory_bytes": 134217728, "pids": 0, "restart": "always"}
RUNNING = {
    "id": "1",
    "container": "p-app-1",
    "state": "running",
    "health": "healthy",
    "image": "app:t",
    "image_id": "sha256:a",
    "config": "c1",
    "limits": LIMITS,
    "since": AT,
}
SERVICES = compose.services_shown({"app": RUNNING})
BASELINE = {
    "connection": hostfacts.REACH,
    "user": "deploy",
    "authorized_keys": [f"{LOGIN} operator"],
    "packages": ["git"],
}
HOME = {**FILE, "kind": "directory", "mode": "0755"}
HOST = {
    "boot": {"status": "done"},
    "packages": {"git": "2"},
    "units": {"docker.service": UNIT},
    "user": {"exists": True, "shell": "/bin/bash", "groups": ["docker"]},
    "home": {**HOME, "mode": "0750"},
    **LOGIN_KEYS,
    "state": {**HOME, "owner": "root"},
    "key": {**FILE, "owner": "root"},
}
CHECKOUT = {"repository": "r", "branch": "b", "commit": "a" * 40, "directory": "/d", "owner": "deploy", "keep": []}
TREE = {"exists": True, "commit": "a" * 40, "url": "r", "changed": [], "times": {}, "head_at": AT}
VARIABLES = {"A": "1" * 16, "B": "2" * 16}
ENV = {"path": "/d/.env", "owner": "deploy", "expected": "d", "variables": VARIABLES, "key": KEY}
VOLUME = {"connection": REACH, "mount": "/mnt/x", "volume": "v", "directories": [], "options": ["rw"]}
PROXY = {"expected": "d", "tls": "internal", "running": "r"}
RUNS = {"running": "r", "stale": False}
PROXIED = {"file": FILE, "units": {"caddy.service": UNIT}, "socket": FILE, "authority": FILE, "configuration": RUNS}

CASES: list[tuple[str, HostProvider, dict[str, Any], dict[str, Any], list[tuple[str, str, str | None]]]] = [
    ("a quiet host", BaselineProvider(), BASELINE, HOST, []),
    ("a package", BaselineProvider(), BASELINE, {**HOST, "packages": {}}, [("installed", "absent", None)]),
    (
        "a unit",
        BaselineProvider(),
        BASELINE,
        {**HOST, "units": {"docker.service": {**UNIT, "active": "inactive"}}},
        [("active, enabled", "inactive, enabled", AT)],
    ),
    ("the key on record", BaselineProvider(), {**BASELINE, "key_fingerprint": FILE["digest"]}, HOST, []),
    (
        "another key of digests",
        BaselineProvider(),
        {**BASELINE, "key_fingerprint": "e"},
        HOST,
        [("SHA-256 e", f"SHA-256 {FILE['digest']}", AT)],
    ),
    (
        "shell and group",
        BaselineProvider(),
        BASELINE,
        {**HOST, "user": {"exists": True, "shell": "/bin/sh", "groups": ["users"]}},
        [("in docker", "in users", None), ("/bin/bash", "/bin/sh", None)],
    ),
    (
        "a key more",
        BaselineProvider(),
        BASELINE,
        {
            **HOST,
            "/home/deploy/.ssh/authorized_keys": {**FILE, "content": f"{LOGIN} operator\nssh-ed25519 B\n"},
        },
        [("1 keys, 0600 deploy", "2 keys, 1 of them unknown, 0600 deploy", AT)],
    ),
    (
        "a key more for root, and another file of keys",
        BaselineProvider(),
        BASELINE,
        {
            **HOST,
            hostfacts.ROOT_KEYS: {**FILE, "owner": "root", "content": "ssh-ed25519 B\n"},
            f"{hostfacts.ROOT_KEYS}2": FILE,
        },
        [("1 keys, 0600 root", "1 keys, 1 of them unknown, 0600 root", AT), ("missing", "present", AT)],
    ),
    (
        "an edited and an untracked file",
        CheckoutProvider(),
        {**CHECKOUT, "directories": []},
        {"tree": {**TREE, "changed": [" M a.py", "?? b"], "times": {" M a.py": AT}}},
        [("as committed", "edited", AT), ("as committed", "added", None)],
    ),
    (
        "another commit",
        CheckoutProvider(),
        {**CHECKOUT, "directories": []},
        {"tree": {**TREE, "commit": "b" * 40}},
        [("a" * 40, "b" * 40, AT)],
    ),
    (
        "variables",
        EnvFileProvider(),
        ENV,
        {"file": {**FILE, "digest": "x", "variables": {"A": "9" * 16, "C": "3" * 16}}},
        [("the declared value", "another value", AT), ("set", "not set", AT), ("not set", "set", AT)],
    ),
    (
        "a comment",
        EnvFileProvider(),
        ENV,
        {"file": {**FILE, "digest": "x", "variables": VARIABLES}},
        [("as rendered", "comments or quoting edited", AT)],
    ),
    (
        "an env file's mode",
        EnvFileProvider(),
        ENV,
        {"file": {**FILE, "mode": "0644", "variables": VARIABLES}},
        [("0600", "0644", AT)],
    ),
    (
        "an image",
        ImagesProvider(),
        {"images": {"app:t": "sha256:a"}},
        {"present": {"app:t": ""}},
        [("sha256:a", "missing", None)],
    ),
    (
        "images while Docker is down",
        ImagesProvider(),
        {"images": {"app:t": "sha256:a", "db:t": "sha256:b"}},
        {"present": {"app:t": None, "db:t": None}},
        [("2 images", "unknown", None)],
    ),
    (
        "containers while Docker is down",
        ComposeStackProvider(),
        {"services": SERVICES, "workload": WORKLOAD},
        {"seen": {"silent": "GET /containers/json: connection refused", "containers": {}}},
        [("1 containers", "unknown", None)],
    ),
    (
        "a revision",
        MigrationsProvider(),
        {"service": "app", "revision": "2"},
        {"current": {"exit_status": 0, "stdout": "1\n"}},
        [("2", "1", None)],
    ),
    (
        "a schema that can't be asked for",
        MigrationsProvider(),
        {"service": "app", "revision": "2"},
        {"current": {"exit_status": -1, "stdout": "", "stderr": "service app is exited"}},
        [("2", "service app is exited", None)],
    ),
    (
        "a schema that does not answer",
        MigrationsProvider(),
        {"service": "app", "revision": "2"},
        {"current": {"exit_status": 1, "stdout": "", "stderr": "Traceback:\n  refused"}},
        [("2", "exit status 1: Traceback: refused", None)],
    ),
    (
        "a host key",
        PinnedHostProvider(),
        {"public_key": "ssh-ed25519 B"},
        {**PINNED_FACTS, "keys": {"greenroom_host_ed25519_key": "ssh-ed25519 C"}, "key": FILE},
        [("ssh-ed25519 B", "ssh-ed25519 C", AT)],
    ),
    ("a proxy's file", ProxyProvider(), PROXY, {**PROXIED, "file": {**FILE, "digest": "x"}}, [("d", "x", AT)]),
    (
        "what a proxy runs with",
        ProxyProvider(),
        PROXY,
        {**PROXIED, "configuration": {"running": "s", "stale": True}},
        [("r", "s", None)],
    ),
    (
        "mount options",
        DataVolumeProvider(),
        VOLUME,
        {"mount": {"source": "/dev/sda", "options": ["ro"]}},
        [("rw", "ro", None)],
    ),
    (
        "limits",
        ComposeStackProvider(),
        {"services": SERVICES, "workload": WORKLOAD},
        {
            "seen": {
                "silent": "",
                "containers": {"app": {**RUNNING, "limits": {**LIMITS, "memory_bytes": 1.0, "restart": "no"}}},
            }
        },
        [("134217728", "1", None), ("always", "no", None)],
    ),
    (
        "a stranger",
        ComposeStackProvider(),
        {"services": SERVICES, "workload": WORKLOAD},
        {"seen": {"silent": "", "containers": {"app": RUNNING, "x": {**RUNNING, "container": "x-1"}}}},
        [("no container", "x-1", AT)],
    ),
    (
        "a stopped container",
        ComposeStackProvider(),
        {"services": SERVICES, "workload": WORKLOAD},
        {"seen": {"silent": "", "containers": {"app": {**RUNNING, "state": "exited", "health": "unhealthy"}}}},
        [("running, health healthy", "exited, health unhealthy", AT)],
    ),
]


@pytest.mark.parametrize(("name", "provider", "spec", "facts", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_finding_tells_what_was_expected_what_is_there_and_since_when(
    name: str,
    provider: HostProvider,
    spec: dict[str, Any],
    facts: dict[str, Any],
    expected: list[tuple[str, str, str | None]],
) -> None:
    del name
    assert [(each.expected, each.found, each.since) for each in provider.findings(spec, facts)] == expected
    assert bool(provider.plan(spec, facts)) == bool(expected), "what is found is what is planned for"


def test_the_far_end_digests_each_variable_as_the_near_one_does(tmp_path: Path) -> None:
    spec = EnvFileProvider().prepared(
        {"values": {"N": 5.0, "LIST": ["a"]}, "secrets": {"TOKEN": 'a"b$c\\ #\nd'}, "recipe": "r"}, {"key": KEY}
    )
    path = tmp_path / ".env"
    path.write_text(spec["content"])

    fact = file_fact({"path": str(path), "key": KEY, "variables": True})

    assert fact["variables"] == spec["variables"]
    assert fact["digest"] == spec["expected"]
    told = hmac.new(bytes.fromhex(KEY), b"N=5", "sha256").hexdigest()[:16]
    assert fact["variables"]["N"] == told


def test_equal_values_of_two_variables_do_not_look_equal() -> None:
    spec = EnvFileProvider().prepared({"values": {}, "secrets": {"A": "same", "B": "same"}, "recipe": "r"}, {})
    assert spec["variables"]["A"] != spec["variables"]["B"]


def test_a_changed_limit_and_a_stranger_are_mended_by_new_containers_and_removal() -> None:
    fact = {
        "services": {"app": {**BARE, "image": "app:t", "config": "c1"}},
        "error": "",
        "command": "",
        "images": {"app:t": "sha256:a"},
        "containers": {"app": {**RUNNING, "limits": {**LIMITS, "memory_bytes": 1}}, "x": {**RUNNING, "id": "9"}},
    }
    spec = {"connection": REACH, "workload": WORKLOAD, "timeout_s": 5.0, "full": True}
    provider = ComposeStackProvider()

    plan = provider.plan({**spec, "made": SERVICES}, {"stack": fact})
    assert [act.why for act in plan][:2] == ["service x is not one of the project's", "service app has other limits"]
    assert plan[0].wire["argv"][-1] == "9"
    assert (
        provider.plan(
            provider.verified({**spec, "made": SERVICES}), {"stack": {**fact, "containers": {"app": RUNNING}}}
        )
        == []
    )


def test_a_remount_names_every_option_that_decides() -> None:
    (act,) = DataVolumeProvider().plan(
        {**VOLUME, "options": ["nodev", "rw"]}, {"mount": {"source": "/dev/sda", "options": ["noexec", "rw"]}}
    )
    assert act.wire["argv"][-2:] == ["rw,suid,nodev,exec,async", "/mnt/x"]


def test_a_container_is_described_by_what_decides() -> None:
    inspected = {
        "Id": "1",
        "Name": "/p-app-1",
        "State": {
            "Status": "exited",
            "ExitCode": 1,
            "StartedAt": "0001-01-01T00:00:00Z",
            "FinishedAt": "2026-11-24T10:00:00.123Z",
        },
        "RestartCount": 0,
        "Image": "sha256:a",
        "Config": {"Image": "app:t", "Labels": None},
        "HostConfig": {"NanoCpus": 1_500_000_000, "Memory": 0, "PidsLimit": None, "RestartPolicy": {"Name": ""}},
    }
    described = describe(inspected)
    assert described["limits"] == {"cpus": 1.5, "memory_bytes": 0, "pids": 0, "restart": "no"}
    assert described["since"] == AT
    inspected["State"]["FinishedAt"] = "0001-01-01T00:00:00Z"
    assert describe(inspected)["since"] is None


def test_a_unit_s_time_is_told_where_it_is_in_utc() -> None:
    assert _written("Tue 2026-11-24 10:00:00 UTC") == AT
    assert _written("Tue 2026-11-24 10:00:00 CET") is None
    assert _written("") is None
