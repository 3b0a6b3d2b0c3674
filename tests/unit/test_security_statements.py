"""Security statements called with facts alone: what nobody could find out does not hold, nor what a volume hides."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.ops.survey import containers

SUITE = Path(__file__).parents[1] / "acceptance/security"
CALM: dict[str, Any] = {
    "image": "calm:1",
    "image_id": "sha256:c",
    "service": "calm",
    "running": True,
    "mounts": [],
    "processes": [],
    "host": {"SecurityOpt": None, "Devices": None, "DeviceCgroupRules": None, "MaskedPaths": ["/proc/kcore"]},
}


def statements(name: str) -> Any:
    """The module of statements, whose functions need no pytest to be called."""
    spec = importlib.util.spec_from_file_location(f"statements_{name}", SUITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ABOUT_CONTAINERS = statements("test_3_containers")
ABOUT_SERVICES = statements("test_5_services")
ABOUT_THE_NETWORK = statements("test_6_network")


def holds(statement: Any, *facts: Any) -> bool:
    try:
        statement(*facts)
    except AssertionError:
        return False
    return True


UP = {"active": "active", "enabled": "enabled"}


@pytest.mark.parametrize(
    ("units", "held"),
    [
        ({}, False),
        ({"ssh.service": {**UP, "enabled": ""}}, False),
        ({"ssh.service": {**UP, "active": "inactive"}}, False),
        ({"ssh.service": UP}, True),
        ({"ssh.service": UP, "cups.service": {"active": "inactive", "enabled": "enabled"}}, False),
        ({"ssh.service": UP, "cups.socket": {"active": "active", "enabled": ""}}, False),
    ],
)
def test_that_something_is_not_served_is_only_known_from_units(units: dict[str, Any], held: bool) -> None:  # noqa: FBT001
    assert holds(ABOUT_SERVICES.test_is_not_served, {"units": units}, ("cups.service", "cups.socket")) is held


def test_that_one_system_keeps_the_logs_is_only_known_from_units() -> None:
    assert not holds(ABOUT_SERVICES.test_one_system_keeps_the_logs, {"units": {}})
    assert holds(ABOUT_SERVICES.test_one_system_keeps_the_logs, {"units": {"ssh.service": UP}})


def test_a_dpkg_or_an_ss_that_told_nothing_shows_nothing() -> None:
    assert not holds(ABOUT_SERVICES.test_is_not_installed, {"packages": []}, ("telnet",))
    assert not holds(ABOUT_THE_NETWORK.test_one_tool_keeps_the_packet_filter, {"packages": []})
    assert not holds(ABOUT_SERVICES.test_no_mail_is_taken_from_elsewhere, {"listening": []})


@pytest.mark.parametrize("name", ["cron", "at"])
def test_the_list_of_those_who_may_not_is_root_s_as_well(name: str) -> None:
    statement = getattr(ABOUT_SERVICES, f"test_only_named_accounts_have_{name}_jobs")
    allow, deny, own = f"/etc/{name}.allow", f"/etc/{name}.deny", {"owner": "root", "mode": 0o640}

    assert holds(statement, {"files": {allow: own}})
    assert holds(statement, {"files": {allow: own, deny: own}})
    assert not holds(statement, {"files": {deny: own}})
    assert not holds(statement, {"files": {allow: own, deny: {**own, "owner": "daemon"}}})
    assert not holds(statement, {"files": {allow: own, deny: {**own, "mode": 0o666}}})


@pytest.mark.parametrize(
    ("there", "held"),
    [
        ({}, False),
        ({"calm": {**CALM, "running": False}}, False),
        ({"calm": {**CALM, "service": "other"}}, False),
        ({"calm": CALM}, True),
    ],
)
def test_a_service_of_the_contract_has_a_running_container(there: dict[str, Any], held: bool) -> None:  # noqa: FBT001
    service = SimpleNamespace(service="calm", container="calm")
    assert holds(ABOUT_CONTAINERS.test_has_its_container, {"containers": there}, service) is held


SEES = ABOUT_CONTAINERS.test_sees_no_directory_of_the_machine
SEES_SOCKET = ABOUT_CONTAINERS.test_does_not_see_the_engine_s_socket


@pytest.mark.parametrize(
    ("options", "directory", "socket"),
    [
        ({"type": "none", "o": "rbind", "device": "/"}, False, True),
        ({"type": "ext4", "device": "/dev/vda1"}, False, True),
        ({"type": "none", "o": "bind", "device": "/run/docker.sock"}, True, False),
        ({"type": "none", "o": "bind", "device": "/mnt/data/postgres"}, True, True),
        ({}, True, True),
    ],
)
def test_what_is_behind_a_volume_is_seen(options: dict[str, str], directory: bool, socket: bool) -> None:  # noqa: FBT001
    mount = {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data"}
    facts = {"volumes": {"data": {"driver": "local", "options": options}}}
    assert holds(SEES, facts, {**CALM, "mounts": [mount]}) is directory
    assert holds(SEES_SOCKET, facts, {**CALM, "mounts": [mount]}) is socket


@pytest.mark.parametrize("source", ["/", "/var", "/var/lib", "/home", "/home/deploy", "/bin", "/etc/passwd"])
def test_what_holds_the_machine_s_directories_is_seen(source: str) -> None:
    assert not holds(SEES, {}, {**CALM, "mounts": [{"Type": "bind", "Source": source}]})


@pytest.mark.parametrize(
    ("statement", "host"),
    [
        ("may_use_no_further_kind_of_device", {"DeviceCgroupRules": ["b *:* rwm"]}),
        ("is_under_the_engine_s_own_filter", {"SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']}),
        ("sees_the_kernel_s_files_masked", {"MaskedPaths": []}),
    ],
)
def test_what_opens_the_machine_is_seen_in_the_engine_s_answer(statement: str, host: dict[str, Any]) -> None:
    stated = getattr(ABOUT_CONTAINERS, f"test_{statement}")
    assert holds(stated, CALM)
    assert not holds(stated, {**CALM, "host": {**CALM["host"], **host}})


def test_a_floating_name_and_another_image_are_two_statements() -> None:
    stack = SimpleNamespace(target=SimpleNamespace(release={"images": {"calm:1": "sha256:c", "calm": "sha256:c"}}))
    stays, released = ABOUT_CONTAINERS.test_its_image_is_the_same_tomorrow, "test_runs_the_very_image_of_the_release"
    for image, found, outcomes in (
        ("calm:1", "sha256:c", (True, True)),
        ("calm", "sha256:c", (False, True)),
        ("calm:1", "sha256:d", (True, False)),
    ):
        container = {**CALM, "image": image, "image_id": found}
        assert (holds(stays, container), holds(getattr(ABOUT_CONTAINERS, released), stack, container)) == outcomes


def test_a_link_of_the_host_is_told_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("/etc")
    mount = {"Source": str(tmp_path / "state"), "Destination": "/x"}
    assert containers._mount({**mount, "Type": "bind"})["Source"] == "/etc"
    assert containers._mount({**mount, "Type": "volume", "Name": "data"})["Source"] == str(tmp_path / "state")
