"""What host resources plan from which facts, and that a host that is as wanted needs nothing."""

from __future__ import annotations

import base64
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hostfacts import (
    ABSENT,
    ACTIVE,
    BASELINE,
    BASELINE_FACTS,
    CHECKOUT,
    CHECKOUT_FACTS,
    FILE,
    GOOD,
    HEALTH,
    HOME,
    IMAGES,
    LOGIN,
    PINNED,
    PINNED_FACTS,
    PROXY,
    PROXY_FACTS,
    REACH,
    ROOT_KEYS,
    SETTLED,
    STACK,
    STACK_FACT,
    TREE,
    VOLUME,
    VOLUME_FACTS,
)

from infra.host.baseline import BaselineProvider
from infra.host.checkout import CheckoutProvider
from infra.host.health import HealthGateProvider
from infra.host.host_key import HostKeyProvider, PinnedHostProvider, expect_key
from infra.host.images import ImagesProvider
from infra.host.keys import new_key_pair
from infra.host.proxy import ProxyProvider
from infra.host.stack import ComposeStackProvider
from infra.host.volume import DataVolumeProvider

if TYPE_CHECKING:
    from pathlib import Path

    from infra.host.resource import HostProvider

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
    *(
        (BaselineProvider(), BASELINE, BASELINE_FACTS, {path: {**FILE, "content": "evil\n"}}, f"that open {user}'s")
        for user, path in (
            ("deploy", "/home/deploy/.ssh/authorized_keys"),
            ("root", ROOT_KEYS),
        )
    ),
    *(
        (BaselineProvider(), BASELINE, BASELINE_FACTS, {path: FILE}, f"{path} can open")
        for path in ("/home/deploy/.ssh/authorized_keys2", f"{ROOT_KEYS}2")
    ),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"state": ABSENT}, "/var/lib/greenroom is not root's"),
    (BaselineProvider(), BASELINE, BASELINE_FACTS, {"key": {**FILE, "mode": "0644"}}, "open to others"),
    (
        BaselineProvider(),
        {**BASELINE, "key_fingerprint": "d"},
        {**BASELINE_FACTS, "key": {**FILE, "owner": "root", "digest": "d"}},
        {"key": {**FILE, "owner": "root", "digest": "another"}},
        "/var/lib/greenroom/key is another key",
    ),
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
    (ProxyProvider(), PROXY, PROXY_FACTS, {"configuration": {"running": "s", "stale": True}}, "another configuration"),
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
    (PinnedHostProvider(), PINNED, PINNED_FACTS, {"keys": {}}, "holds another key than the recorded one"),
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


def test_root_keeps_the_key_of_this_connection_alone_whatever_else_the_program_names() -> None:
    path = ROOT_KEYS
    for keys, kept in (
        (BASELINE["authorized_keys"], f"{LOGIN} operator\n"),
        (["ssh-ed25519 A other"], f"{LOGIN}\n"),
        ([], f"{LOGIN}\n"),
    ):
        facts = {**BASELINE_FACTS, path: {**FILE, "owner": "root", "content": "ssh-ed25519 A\n"}}
        acts = BaselineProvider().plan({**BASELINE, "authorized_keys": keys}, facts)
        written = {act.wire["path"]: act.wire for act in acts if act.wire["do"] == "write"}
        assert base64.b64decode(written[path]["content"]).decode() == kept
        assert (written[path]["owner"], written[path]["mode"]) == ("root", "0600")


@pytest.mark.parametrize("path", ["", "FILE"])
@pytest.mark.parametrize("held", ["recorded", "another", "open to others", "none"])
def test_sshd_is_not_reloaded_onto_another_host_key(tmp_path: Path, held: str, path: str) -> None:
    recorded, private = new_key_pair()
    file = tmp_path / "key"
    if held != "none":
        file.write_text(private if held != "another" else new_key_pair()[1])
        file.chmod(0o644 if held == "open to others" else 0o600)
    sshd = tmp_path / "sshd"
    sshd.write_text(f"#!/bin/sh\necho port 22\necho hostkey {file}\n")
    sshd.chmod(0o755)

    act = expect_key("why", f"{recorded} comment", str(file) if path else "")
    done = subprocess.run(
        act.wire["argv"], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=False
    )

    assert (done.returncode == 0) == (held == "recorded"), done
    assert ("the controller can't get in" in done.stdout) == (held != "recorded")
    assert act.wire["code"] == "HOST_KEY_REPLACED"


def test_files_that_sshd_refuses_are_no_replaced_key(tmp_path: Path) -> None:
    (tmp_path / "sshd").write_text("#!/bin/sh\nexit 255\n")
    (tmp_path / "sshd").chmod(0o755)
    argv = expect_key("why", "ssh-ed25519 B").wire["argv"]
    done = subprocess.run(argv, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False)
    assert done.returncode == 0


def test_the_key_is_looked_at_before_sshd_is_told_to_serve_it() -> None:
    for change in ({"config": ABSENT}, {"keys": {}}, {"config": ABSENT, "keys": {}}):
        plan = PinnedHostProvider().plan(PINNED, {**PINNED_FACTS, **change})
        assert plan[0].wire["code"] == "HOST_KEY_REPLACED"


def test_directories_under_a_mount_to_come_are_made_after_it_and_keep_what_is_there() -> None:
    plan = DataVolumeProvider().plan(VOLUME, {**VOLUME_FACTS, "mount": {"source": ""}})

    assert [act.wire["do"] for act in plan] == ["mount", "directory"]
    assert plan[1].wire["keep"] is True
