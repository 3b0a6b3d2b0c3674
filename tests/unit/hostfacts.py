"""Inputs of host resources and the facts of a host that is as they want it, for the tests of their plans."""

from __future__ import annotations

__all__ = [
    "ABSENT",
    "ACTIVE",
    "BASELINE",
    "BASELINE_FACTS",
    "CHECKOUT",
    "CHECKOUT_FACTS",
    "COMMIT",
    "DATABASE",
    "ENV",
    "FILE",
    "GOOD",
    "HEALTH",
    "HOME",
    "IMAGES",
    "LOGIN",
    "LOGIN_KEYS",
    "MIGRATIONS",
    "PINNED",
    "PINNED_FACTS",
    "PROXY",
    "PROXY_FACTS",
    "REACH",
    "RUNNING",
    "SERVED",
    "SERVICE",
    "SETTLED",
    "STACK",
    "STACK_FACT",
    "TREE",
    "VOLUME",
    "VOLUME_FACTS",
    "WORKLOAD",
]

from typing import TYPE_CHECKING, Any

from infra.host.baseline import BaselineProvider
from infra.host.checkout import CheckoutProvider
from infra.host.health import HealthGateProvider
from infra.host.host_key import HostKeyProvider, PinnedHostProvider
from infra.host.images import ImagesProvider
from infra.host.keys import new_key_pair
from infra.host.proxy import ProxyProvider
from infra.host.stack import ComposeStackProvider
from infra.host.volume import DataVolumeProvider
from infra.transport.remote.posture import posture

if TYPE_CHECKING:
    from infra.host.resource import HostProvider

COMMIT = "a" * 40
LOGIN, _PRIVATE = new_key_pair()
"""The public half of the key that the connection is made with."""
REACH = {"machine": "1", "host": "192.0.2.1", "port": 22.0, "user": "root", "private_key": _PRIVATE, "host_key": "K"}
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

ROOT_HOME = "/root"
"""Root's home on a droplet."""
ROOT_KEYS = f"{ROOT_HOME}/.ssh/authorized_keys"
LOGIN_KEYS = {
    ROOT_KEYS: {**FILE, "owner": "root", "content": f"{LOGIN} operator\n"},
    f"{ROOT_KEYS}2": ABSENT,
    "/home/deploy/.ssh/authorized_keys": {**FILE, "content": f"{LOGIN} operator\n"},
    "/home/deploy/.ssh/authorized_keys2": ABSENT,
}
BASELINE = {
    "connection": REACH,
    "user": "deploy",
    "authorized_keys": [f"{LOGIN} operator"],
    "packages": ["caddy", "git"],
}
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
    **LOGIN_KEYS,
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
    "configuration": {"running": "r", "stale": False},
    "authority": {**FILE, "content": "CERTIFICATE"},
}
SERVED = (
    "# Written by Greenroom: the only host key that is offered.\n"
    "HostKey /etc/ssh/greenroom_host_ed25519_key\nHostKeyAlgorithms ssh-ed25519\n"
)
PINNED = {"connection": REACH, "public_key": "ssh-ed25519 B"}
PINNED_FACTS = {
    "keys": {"greenroom_host_ed25519_key.pub": "ssh-ed25519 B", "greenroom_host_ed25519_key": "ssh-ed25519 B"},
    "key": {**FILE, "owner": "root"},
    "config": {**FILE, "content": SERVED},
    "first": ABSENT,
}
HEALTH = {"connection": REACH, "domain": "a.example.test", "paths": ["/health"], "ca_certificate": "", "timeout_s": 9.0}
GOOD = {"status": 200, "reason": "OK", "body": "", "milliseconds": 3}
SERVICE = {
    "image": "app:t",
    "build": True,
    "config": "c1",
    "depends": {"db": "service_healthy"},
    "health": True,
    "posture": posture({}, {}),
}
DATABASE = {"image": "db:1", "build": False, "config": "c2", "depends": {}, "health": True, "posture": posture({}, {})}
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
ENV = {
    "connection": REACH,
    "path": "/home/deploy/app/.env",
    "owner": "deploy",
    "values": {"A": 1.0},
    "secrets": {"TOKEN": "canary-secret"},
    "recipe": "r",
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
