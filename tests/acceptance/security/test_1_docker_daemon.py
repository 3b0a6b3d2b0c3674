"""The Docker engine: how it runs and what it lets containers do (CIS Docker Benchmark 1.6, sections 1, 2 and 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from infra.ops.proof import Subject

GROUP = "docker daemon"
check = pytest.mark.check
needs = pytest.mark.needs
FILE = "/etc/docker/daemon.json"


def setting(facts: dict[str, Any], name: str, flag: str = "") -> Any:
    """A setting of the daemon: from its file, or from its arguments (`--flag`, `--flag=value`, `--flag value`)."""
    if name in facts["daemon"]["file"]:
        return facts["daemon"]["file"][name]
    words, wanted = facts["daemon"]["arguments"], f"--{flag or name}"
    for place, word in enumerate(words):
        if word == wanted:
            return words[place + 1] if place + 1 < len(words) and not words[place + 1].startswith("-") else True
        if word.startswith(f"{wanted}="):
            value = word.partition("=")[2]
            return {"true": True, "false": False}.get(value, value)
    return None


@check("docker-1.1.2", remedy="gpasswd --delete NAME docker")
def test_only_the_workload_s_user_controls_the_engine(stack: Subject, facts: dict[str, Any]) -> None:
    members = next((members for name, _, members in facts["groups"] if name == "docker"), [])
    others = sorted(set(members) - {stack.target.user})
    assert not others, f"group docker has {', '.join(others)} too"


@check("docker-1.2.2", remedy="apt-get install docker.io from a supported release")
def test_the_engine_is_of_a_supported_version(facts: dict[str, Any]) -> None:
    version = facts["engine"]["version"]
    assert int(version.split(".")[0]) >= 20, f"it is {version}"


@check("docker-2.2", remedy=f'"icc": false in {FILE}, then restart docker')
def test_containers_on_the_default_bridge_do_not_reach_each_other(facts: dict[str, Any]) -> None:
    assert setting(facts, "icc") is False, f"icc is {setting(facts, 'icc')}"


@check("docker-2.3", remedy=f'"log-level": "info" in {FILE}, or leave it out')
def test_the_engine_logs_at_level_info(facts: dict[str, Any]) -> None:
    assert setting(facts, "log-level") in (None, "info"), f"its level is {setting(facts, 'log-level')}"


@check("docker-2.4", remedy=f'take "iptables": false out of {FILE}')
def test_the_engine_keeps_its_own_packet_filter_rules(facts: dict[str, Any]) -> None:
    assert setting(facts, "iptables") is not False, "iptables is off: published ports would be open to everybody"


@check("docker-2.5", remedy=f"take insecure-registries out of {FILE} and --insecure-registry out of the arguments")
def test_no_registry_is_spoken_to_without_tls(facts: dict[str, Any]) -> None:
    assert not facts["engine"]["insecure"], f"insecure: {', '.join(facts['engine']['insecure'])}"


@check("docker-2.6", remedy=f'"storage-driver": "overlay2" in {FILE}')
def test_the_storage_driver_is_one_that_is_kept(facts: dict[str, Any]) -> None:
    assert facts["engine"]["storage"] not in ("aufs", "devicemapper"), f"it is {facts['engine']['storage']}"


@check("docker-2.7", remedy=f'"tlsverify": true with ca, certificate and key in {FILE}, or no tcp:// host at all')
@needs("TCP socket")
def test_the_engine_s_tcp_socket_wants_a_client_certificate(facts: dict[str, Any]) -> None:
    assert setting(facts, "tlsverify") is True, "it listens on TCP without tlsverify"


@check("docker-2.8", remedy=f'"default-ulimits" with nofile in {FILE}')
def test_containers_start_with_a_limit_of_open_files(facts: dict[str, Any]) -> None:
    ulimits = setting(facts, "default-ulimits", "default-ulimit")
    assert ulimits, "no default-ulimits are set"


@check("docker-2.9", remedy=f'"userns-remap": "default" in {FILE}, on a host without data')
def test_containers_have_a_user_namespace_of_their_own(facts: dict[str, Any]) -> None:
    options = facts["engine"]["security"]
    assert "name=userns" in options or "name=rootless" in options, f"the engine runs with {', '.join(options)}"


@check("docker-2.10", remedy=f"take cgroup-parent out of {FILE}")
def test_containers_stay_in_the_engine_s_control_group(facts: dict[str, Any]) -> None:
    assert setting(facts, "cgroup-parent") is None, f"cgroup-parent is {setting(facts, 'cgroup-parent')}"


@check("docker-2.14", remedy=f'"no-new-privileges": true in {FILE}, then restart docker')
def test_the_engine_gives_no_container_new_privileges(facts: dict[str, Any]) -> None:
    assert setting(facts, "no-new-privileges") is True, "containers get no-new-privileges only where they ask for it"


@check("docker-2.15", remedy=f'"live-restore": true in {FILE}, then reload docker')
def test_containers_live_on_while_the_engine_restarts(facts: dict[str, Any]) -> None:
    assert facts["engine"]["live_restore"], "live-restore is off"


@check("docker-2.16", remedy=f'"userland-proxy": false in {FILE}, then restart docker')
def test_published_ports_need_no_process_of_their_own(facts: dict[str, Any]) -> None:
    assert setting(facts, "userland-proxy") is False, "userland-proxy is on"


@check("docker-2.17", remedy=f"take seccomp-profile out of {FILE}")
def test_the_engine_filters_system_calls_with_its_own_profile(facts: dict[str, Any]) -> None:
    profiles = [each for each in facts["engine"]["security"] if each.startswith("name=seccomp")]
    assert profiles, "the engine runs without seccomp"
    assert "unconfined" not in profiles[0], f"it runs with {profiles[0]}"


@check("docker-2.18", remedy=f"take experimental out of {FILE}")
def test_no_experimental_feature_is_on(facts: dict[str, Any]) -> None:
    assert not facts["engine"]["experimental"], "the engine runs with experimental features"


@check("docker-5.1", remedy="docker swarm leave --force")
def test_swarm_mode_is_off(facts: dict[str, Any]) -> None:
    assert facts["engine"]["swarm"] == "inactive", f"it is {facts['engine']['swarm']}"


@check("docker-6.1", remedy="greenroom up removes images of old releases; docker image prune the rest")
def test_images_do_not_pile_up(facts: dict[str, Any]) -> None:
    limit = 8 * max(1, len(facts["images"]))
    assert facts["image_count"] <= limit, f"there are {facts['image_count']} images for {len(facts['images'])} in use"


@check("docker-6.2", remedy="docker container prune")
def test_stopped_containers_do_not_pile_up(facts: dict[str, Any]) -> None:
    stopped = [name for name, each in facts["containers"].items() if not each["running"]]
    assert not stopped, f"stopped: {', '.join(sorted(stopped))}"
