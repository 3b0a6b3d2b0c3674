"""Every container of the host, as the engine made it and as its processes run (CIS Docker 1.6, sections 4 and 5).

What the contract says of a service's confinement is held against the kernel's word on each of its processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.commands.confinement import floats, is_of_the_machine, is_own_filter, is_socket
from infra.transport.remote.posture import origin

if TYPE_CHECKING:
    from infra.ops.contract import Service
    from infra.ops.proof import Subject

GROUP = "containers"
check = pytest.mark.check
needs = pytest.mark.needs
LOOPBACK = ("127.0.0.1", "::1")
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""By their number, from 0: linux/capability.h."""
Container = dict[str, Any]


def capabilities(mask: str) -> list[str]:
    """The names behind a mask such as `00000000a80425fb`."""
    bits = int(mask, 16)
    return [name for number, name in enumerate(CAPABILITIES) if bits >> number & 1]


def sources(facts: dict[str, Any], container: Container) -> list[tuple[str, str]]:
    """What a container sees of the host, behind volumes too: `path` or `file system`, and which one."""
    found: list[tuple[str, str]] = []
    for each in container["mounts"]:
        if each["Type"] == "bind":
            found.append(("path", each["Source"]))
        elif each["Type"] == "volume":
            volume = facts["volumes"][each["Name"]]
            behind = origin(volume["options"]) if volume["driver"] == "local" else None
            found += [behind] if behind else []
    return found


@check("greenroom-12", remedy="greenroom up makes the container that is missing")
def test_has_its_container(facts: dict[str, Any], service: Service) -> None:
    container = facts["containers"].get(service.container)
    assert container, "there is no such container"
    assert container["service"] == service.service, f"it is of service {container['service'] or 'none'}"
    assert container["running"], "it does not run"


@check("docker-4.1", remedy="user: in the compose file, or USER in the image")
def test_no_process_runs_as_root(container: Container) -> None:
    roots = [each["name"] for each in container["processes"] if each["Uid"].split()[1] == "0"]
    assert container["processes"], "it has no process to look at"
    assert not roots, f"as root: {', '.join(sorted(set(roots)))}"


@check("docker-4.10", remedy="secrets come from the env file; take them out of the Dockerfile")
def test_its_image_holds_no_secret_in_a_variable(facts: dict[str, Any], container: Container) -> None:
    words = ("PASSWORD", "SECRET", "TOKEN", "PRIVATE_KEY", "API_KEY")
    names = [
        name for name in facts["images"][container["image_id"]]["variables"] if any(each in name for each in words)
    ]
    assert not names, f"the image sets {', '.join(names)}"


@check("docker-5.2", remedy="leave apparmor:unconfined out of security_opt")
@needs("AppArmor")
def test_has_an_apparmor_profile(container: Container) -> None:
    assert container["apparmor"] not in ("", "unconfined"), f"its profile is {container['apparmor'] or 'none'}"


@check("docker-5.3", remedy="leave label=disable out of security_opt")
@needs("SELinux")
def test_has_an_selinux_label(container: Container) -> None:
    assert "label=disable" not in (container["host"]["SecurityOpt"] or []), "its label is disabled"


@check("docker-5.4", remedy="cap_drop: [ALL], and cap_add only what the image needs")
def test_holds_no_capability(stack: Subject, container: Container) -> None:
    allowed = {
        name
        for service in stack.contract.services
        if service.service == container["service"] and service.confined
        for name in service.confined.capabilities
    }
    held = {name for each in container["processes"] for name in capabilities(each["CapBnd"])}
    assert held <= allowed, f"its processes may get {', '.join(sorted(held - allowed))}"


@check("docker-5.5", remedy="take privileged out of the compose file")
def test_is_not_privileged(container: Container) -> None:
    assert container["host"]["Privileged"] is False, "it is privileged"


@check("docker-5.6", remedy="mount directories of the workload alone")
def test_sees_no_directory_of_the_machine(facts: dict[str, Any], container: Container) -> None:
    seen = sources(facts, container)
    found = [name for kind, name in seen if kind == "file system" or (is_of_the_machine(name) and not is_socket(name))]
    assert not found, f"it sees {', '.join(found)}"


@check("docker-5.7", remedy="take sshd out of the image; docker exec is the way in")
def test_runs_no_sshd(container: Container) -> None:
    assert not [each for each in container["processes"] if each["name"] == "sshd"], "it runs sshd"


@check("docker-5.8", remedy="publish on a port from 1024")
def test_has_no_privileged_port_of_the_host(container: Container) -> None:
    ports = [each["HostPort"] for each in bindings(container) if 0 < int(each["HostPort"] or 0) < 1024]
    assert not ports, f"it has {', '.join(ports)}"


@check("docker-5.10", remedy="take network_mode: host out of the compose file")
def test_has_a_network_of_its_own(container: Container) -> None:
    assert container["host"]["NetworkMode"] != "host", "it is in the host's network"


@check("docker-5.11", remedy="deploy.resources.limits.memory in the compose file")
def test_has_a_limit_of_memory(container: Container) -> None:
    assert container["host"]["Memory"] > 0, "its memory has no limit"


@check("docker-5.12", remedy="deploy.resources.limits.cpus in the compose file")
def test_has_a_limit_of_processor_time(container: Container) -> None:
    assert container["host"]["NanoCpus"] or container["host"]["CpuShares"], "its processor time has no limit"


@check("docker-5.13", remedy="read_only: true, with tmpfs for what has to be written")
def test_cannot_write_its_root_file_system(container: Container) -> None:
    assert container["host"]["ReadonlyRootfs"] is True, "its root file system can be written"


@check("docker-5.14", remedy='ports: ["127.0.0.1:PORT:PORT"]; the proxy is what the world reaches')
def test_is_published_on_loopback_alone(container: Container) -> None:
    places = {each["HostIp"] or "every address" for each in bindings(container)} - set(LOOPBACK)
    assert not places, f"it is published on {', '.join(sorted(places))}"


@check("docker-5.15", remedy="restart: on-failure:5")
def test_is_restarted_at_most_five_times(container: Container) -> None:
    policy = container["host"]["RestartPolicy"]
    assert policy["Name"] in ("", "no") or (policy["Name"] == "on-failure" and policy["MaximumRetryCount"] <= 5), (
        f"its restart policy is {policy['Name']}"
    )


@check("docker-5.16", remedy="take pid: host out of the compose file")
def test_sees_its_own_processes_alone(container: Container) -> None:
    assert container["host"]["PidMode"] != "host", "it sees the host's processes"


@check("docker-5.17", remedy="take ipc: host out of the compose file")
def test_has_shared_memory_of_its_own(container: Container) -> None:
    assert container["host"]["IpcMode"] not in ("host", "shareable"), f"its mode is {container['host']['IpcMode']}"


@check("docker-5.18", remedy="take devices out of the compose file")
def test_has_no_device_of_the_machine(container: Container) -> None:
    found = [each["PathOnHost"] for each in container["host"]["Devices"] or []]
    assert not found, f"it has {', '.join(found)}"


@check("docker-5.18", remedy="take device_cgroup_rules out of the compose file")
def test_may_use_no_further_kind_of_device(container: Container) -> None:
    rules = container["host"]["DeviceCgroupRules"] or []
    assert not rules, f"it may use {', '.join(rules)}"


@check("docker-5.20", remedy="leave propagation out of the mounts")
def test_shares_no_mount_with_the_host(container: Container) -> None:
    found = [each["Destination"] for each in container["mounts"] if "shared" in str(each["Propagation"])]
    assert not found, f"shared: {', '.join(found)}"


@check("docker-5.21", remedy="take uts: host out of the compose file")
def test_has_a_host_name_of_its_own(container: Container) -> None:
    assert container["host"]["UTSMode"] != "host", "it has the host's name"


@check("docker-5.22", remedy="leave seccomp:unconfined out of security_opt")
def test_its_processes_are_under_the_filter_of_system_calls(container: Container) -> None:
    free = [each["name"] for each in container["processes"] if each["Seccomp"] != "2"]
    assert not free, f"without a filter: {', '.join(sorted(set(free)))}"


@check("docker-5.22", remedy="leave seccomp out of security_opt")
def test_is_under_the_engine_s_own_filter(container: Container) -> None:
    assert not any(is_own_filter(each) for each in container["host"]["SecurityOpt"] or []), "it brings another one"


@check("greenroom-11", remedy="leave systempaths=unconfined out of security_opt")
def test_sees_the_kernel_s_files_masked(container: Container) -> None:
    assert container["host"]["MaskedPaths"], "nothing of /proc and /sys is masked"


@check("docker-5.25", remedy="leave cgroup_parent out of the compose file")
def test_stays_in_the_engine_s_control_group(container: Container) -> None:
    assert not container["host"]["CgroupParent"], f"its parent is {container['host']['CgroupParent']}"


@check("docker-5.25", remedy="take cgroup: host out of the compose file")
@needs("control group namespaces")
def test_sees_its_own_control_groups_alone(container: Container) -> None:
    assert container["host"]["CgroupnsMode"] != "host", "it sees the host's control groups"


@check("docker-5.26", remedy="security_opt: [no-new-privileges:true]; greenroom up adds it")
def test_its_processes_get_no_new_privileges(container: Container) -> None:
    free = [each["name"] for each in container["processes"] if each["NoNewPrivs"] != "1"]
    assert not free, f"may get new privileges: {', '.join(sorted(set(free)))}"


@check("docker-5.27", remedy="healthcheck: in the compose file")
def test_is_checked_and_healthy(container: Container) -> None:
    assert container["healthcheck"], "it has no health check"
    assert container["health"] == "healthy", f"it is {container['health']}"


@check("docker-5.29", remedy="deploy.resources.limits.pids in the compose file; greenroom up adds it")
def test_has_a_limit_of_processes(container: Container) -> None:
    limit = container["host"]["PidsLimit"]
    assert limit, "its number of processes has no limit"
    assert limit > 0, "its number of processes has no limit"


@check("docker-5.30", remedy="networks: in the compose file")
def test_is_not_on_the_default_bridge(container: Container) -> None:
    assert container["host"]["NetworkMode"] not in ("default", "bridge"), "it is on docker0"


@check("docker-5.31", remedy="take userns_mode: host out of the compose file")
def test_does_not_leave_the_engine_s_user_namespace(container: Container) -> None:
    assert container["host"]["UsernsMode"] != "host", "it has the host's users"


@check("docker-5.32", remedy="take the socket out of the volumes")
def test_does_not_see_the_engine_s_socket(facts: dict[str, Any], container: Container) -> None:
    found = [name for kind, name in sources(facts, container) if kind == "path" and is_socket(name)]
    assert not found, f"it sees {', '.join(found)}"


@check("greenroom-3", remedy="logging.options max-size and max-file in the compose file, or log-opts of the daemon")
def test_its_log_cannot_fill_the_disk(container: Container) -> None:
    logging = container["host"]["LogConfig"]
    options = logging["Config"] or {}
    assert logging["Type"] in ("journald", "local", "none") or options.get("max-size"), (
        f"its {logging['Type']} log has no max-size"
    )


@check("greenroom-1", remedy="image: with a tag that stays, or a digest, in the compose file")
def test_its_image_is_the_same_tomorrow(container: Container) -> None:
    assert not floats(container["image"]), f"{container['image']} means another image tomorrow"


@check("greenroom-10", remedy="greenroom up makes containers of the release's images")
def test_runs_the_very_image_of_the_release(stack: Subject, container: Container) -> None:
    released = stack.target.release["images"]
    name = container["image"]
    assert name in released, f"it runs {name}, which is none of the release's"
    assert container["image_id"] == released[name], f"it runs {container['image_id'][:19]} as {name}"


@check("greenroom-2", remedy="change the compose file, or `confined` in the acceptance contract")
def test_is_confined_as_the_contract_says(facts: dict[str, Any], service: Service) -> None:
    if service.confined is None:
        pytest.skip("the contract does not say how it is confined")
    container, wanted = facts["containers"].get(service.container), service.confined
    assert container, "there is no such container"
    assert container["processes"], "it has no process to look at"
    users = {f"{each['Uid'].split()[1]}:{each['Gid'].split()[1]}" for each in container["processes"]}
    assert users == {wanted.user}, f"its processes run as {', '.join(sorted(users))}; expected {wanted.user}"
    effective = {name for each in container["processes"] for name in capabilities(each["CapEff"])}
    assert effective <= set(wanted.capabilities), f"its processes hold {', '.join(sorted(effective))}"
    written = not container["host"]["ReadonlyRootfs"]
    assert written is not wanted.read_only, f"its root file system can {'' if written else 'not '}be written"
    assert {each["NoNewPrivs"] for each in container["processes"]} == {"1"}, "its processes may get new privileges"
    limit = container["host"]["PidsLimit"]
    assert limit == wanted.processes, f"its limit of processes is {limit}; expected {wanted.processes}"


def bindings(container: Container) -> list[dict[str, str]]:
    """Where a container's ports are published."""
    return [each for found in (container["host"]["PortBindings"] or {}).values() for each in found or []]
