"""What the security statements share: the survey's facts, their check's number, and how waivers and facts excuse them.

A statement restates one check: `check("docker-2.2", remedy=...)`. A waiver that still stands makes its failure an
expected one; `needs` names the fact without which it does not apply. Everything is counted and shown with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from infra.ops.proof import SUBJECT
from infra.ops.survey import survey
from infra.transport.pool import link

if TYPE_CHECKING:
    from infra.ops.verify import Exemption

CONTAINERS = frozenset(
    ("docker", "lxc", "lxc-libvirt", "podman", "systemd-nspawn", "openvz", "rkt", "proot", "pouch", "container-other")
)
Facts = Mapping[str, Any]
FACTS = pytest.StashKey[Facts]()
KNOWN = pytest.StashKey[set[str]]()
"""The numbers of all checks that are restated here."""
PATIENCE_S = 15.0


@dataclass(frozen=True)
class Need:
    """A fact without which a statement does not apply."""

    is_met: Callable[[Facts], bool]
    otherwise: Callable[[Facts], str]


NEEDS: Mapping[str, Need] = {
    "own kernel": Need(
        lambda facts: facts["virtualisation"] not in CONTAINERS,
        lambda facts: f"the kernel is another machine's: systemd-detect-virt says {facts['virtualisation']}",
    ),
    "own disks": Need(
        lambda facts: facts["virtualisation"] not in CONTAINERS,
        lambda facts: f"the disks are another machine's: systemd-detect-virt says {facts['virtualisation']}",
    ),
    "AppArmor": Need(
        lambda facts: bool(facts["apparmor"]),
        lambda facts: f"kernel {facts['kernel']} has no AppArmor: /sys/module/apparmor says so",
    ),
    "SELinux": Need(
        lambda facts: "name=selinux" in facts["engine"]["security"],
        lambda _facts: "the engine runs without SELinux: docker info says so",
    ),
    "control group namespaces": Need(
        lambda facts: facts["engine"]["cgroup_version"] == "2",
        lambda facts: f"control groups are of version {facts['engine']['cgroup_version']}: docker info says so",
    ),
    "cron": Need(lambda facts: "cron" in facts["packages"], lambda _facts: "cron is not installed: dpkg says so"),
    "at": Need(lambda facts: "at" in facts["packages"], lambda _facts: "at is not installed: dpkg says so"),
    "sudo": Need(lambda facts: "sudo" in facts["packages"], lambda _facts: "sudo is not installed: dpkg says so"),
    "TCP socket": Need(
        lambda facts: any(word.startswith("tcp://") for word in _hosts(facts)),
        lambda _facts: "the engine listens on its local socket alone: its arguments and daemon.json say so",
    ),
    "registry certificates": Need(
        lambda facts: any(path.startswith("/etc/docker/certs.d/") for path in facts["files"]),
        lambda _facts: "no certificate of a registry stands below /etc/docker/certs.d",
    ),
}


def _hosts(facts: Facts) -> list[str]:
    return [*facts["daemon"]["arguments"], *(facts["daemon"]["file"].get("hosts") or [])]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the facts that were handed in with the stack; run by pytest alone, ask the host."""
    target = config.stash[SUBJECT].target
    config.stash[FACTS] = target.facts or survey(link(target.endpoint, patience_s=PATIENCE_S))


@pytest.fixture(scope="session")
def facts(request: pytest.FixtureRequest) -> Facts:
    return request.config.stash[FACTS]


@pytest.fixture
def own_kernel(facts: Facts) -> None:
    """Skip what is asked of a kernel that is not the host's own."""
    if not NEEDS["own kernel"].is_met(facts):
        pytest.skip(NEEDS["own kernel"].otherwise(facts))


@pytest.fixture(scope="session")
def known(request: pytest.FixtureRequest) -> set[str]:
    return request.config.stash[KNOWN]


@pytest.fixture(scope="session")
def today() -> date:
    return datetime.now(UTC).date()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one statement of each container that the host has, and of each waiver."""
    if "container" in metafunc.fixturenames:
        found = sorted(metafunc.config.stash[FACTS]["containers"].items())
        metafunc.parametrize("container", [each for _, each in found], ids=[name for name, _ in found])
    if "waiver" in metafunc.fixturenames:
        waivers = metafunc.config.stash[SUBJECT].target.waivers
        metafunc.parametrize("waiver", waivers, ids=[_label(each) for each in waivers])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put check and remedy into the results, and expect the failures that a standing waiver covers."""
    known: set[str] = set()
    day = datetime.now(UTC).date()
    for item in items:
        mark = item.get_closest_marker("check")
        if mark is None:
            continue
        number, remedy = mark.args[0], mark.kwargs["remedy"]
        known.add(number)
        item.user_properties += [("check", number), ("remedy", remedy)]
        for waiver in _covering(config.stash[SUBJECT].target.waivers, number, _service(item)):
            item.user_properties.append(("until", waiver.until.isoformat()))
            if waiver.until >= day:
                reason = f"waived until {waiver.until}: {waiver.reason}"
                item.add_marker(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=False))
    config.stash[KNOWN] = known


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what a fact says does not apply, with that fact."""
    facts = item.config.stash[FACTS]
    for mark in item.iter_markers("needs"):
        need = NEEDS[mark.args[0]]
        if not need.is_met(facts):
            pytest.skip(need.otherwise(facts))


def _service(item: pytest.Item) -> str:
    """Name the service that a statement is about; none where it is about the host."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    if "container" in given:
        return str(given["container"]["service"])
    return str(given["service"].service) if "service" in given else ""


def _covering(waivers: tuple[Exemption, ...], number: str, service: str) -> list[Exemption]:
    return [each for each in waivers if each.check == number and each.service in ("", service)]


def _label(waiver: Exemption) -> str:
    return f"{waiver.check} of {waiver.service}" if waiver.service else waiver.check
