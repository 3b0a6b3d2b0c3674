"""The Docker engine's files: whose they are and who may write them (CIS Docker Benchmark 1.6, section 3)."""

from __future__ import annotations

from typing import Any

import pytest

GROUP = "docker files"
FILES = [
    ("docker-3.1", "docker-3.2", "/usr/lib/systemd/system/docker.service", "root:root", 0o644),
    ("docker-3.3", "docker-3.4", "/usr/lib/systemd/system/docker.socket", "root:root", 0o644),
    ("docker-3.5", "docker-3.6", "/etc/docker", "root:root", 0o755),
    ("docker-3.15", "docker-3.16", "/run/docker.sock", "root:docker", 0o660),
    ("docker-3.17", "docker-3.18", "/etc/docker/daemon.json", "root:root", 0o644),
    ("docker-3.19", "docker-3.20", "/etc/default/docker", "root:root", 0o644),
    ("docker-3.23", "docker-3.24", "/run/containerd/containerd.sock", "root:root", 0o660),
]


def check(number: str, remedy: str) -> pytest.MarkDecorator:
    return pytest.mark.check(number, remedy=remedy)


def seen(facts: dict[str, Any], path: str) -> dict[str, Any]:
    """A file's status; a file that is not there has nothing to be wrong, and that is said."""
    if path not in facts["files"]:
        pytest.skip(f"there is no {path}")
    return facts["files"][path]


@pytest.mark.parametrize(
    ("path", "owner"),
    [pytest.param(path, who, id=path, marks=check(no, f"chown {who} {path}")) for no, _, path, who, _ in FILES],
)
def test_belongs_to_its_owner(facts: dict[str, Any], path: str, owner: str) -> None:
    found = seen(facts, path)
    assert f"{found['owner']}:{found['group']}" == owner, f"it belongs to {found['owner']}:{found['group']}"


@pytest.mark.parametrize(
    ("path", "mode"),
    [pytest.param(path, mode, id=path, marks=check(no, f"chmod {mode:04o} {path}")) for _, no, path, _, mode in FILES],
)
def test_is_open_to_nobody_else(facts: dict[str, Any], path: str, mode: int) -> None:
    found = seen(facts, path)
    assert found["mode"] & ~mode == 0, f"its mode is {found['mode']:04o}; expected {mode:04o} or less"


@pytest.mark.check("docker-3.7", remedy="chown root:root the files below /etc/docker/certs.d")
@pytest.mark.needs("registry certificates")
def test_the_registries_certificates_belong_to_root(facts: dict[str, Any]) -> None:
    others = [
        path
        for path, each in facts["files"].items()
        if path.startswith("/etc/docker/certs.d/") and (each["uid"], each["gid"]) != (0, 0)
    ]
    assert not others, f"not root's: {', '.join(others)}"


@pytest.mark.check("docker-3.8", remedy="chmod 0444 the files below /etc/docker/certs.d")
@pytest.mark.needs("registry certificates")
def test_nobody_writes_the_registries_certificates(facts: dict[str, Any]) -> None:
    others = [
        path
        for path, each in facts["files"].items()
        if path.startswith("/etc/docker/certs.d/") and each["mode"] & ~0o444
    ]
    assert not others, f"writable: {', '.join(others)}"
