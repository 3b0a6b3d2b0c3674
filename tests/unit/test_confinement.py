"""Containers confined: what a service asks for is told from the model, and refused unless a waiver stands."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.commands import compose
from infra.commands.confinement import FLOOR_MEMORY, FLOOR_PIDS, NEEDLESS, findings, floor, refusals
from infra.deployment import container_waivers
from infra.errors import StepError
from infra.host.images import ImagesProvider
from infra.host.migrations import MigrationsProvider
from infra.host.stack import ComposeStackProvider
from infra.settings import load_file
from infra.transport.remote.posture import posture

ROOT = Path(__file__).parents[2]
QUIET = {"image": "app:1", "healthcheck": {"test": ["CMD", "true"]}}
REACH = {"machine": "1", "host": "192.0.2.1", "port": 22.0, "user": "root", "private_key": "P", "host_key": "K"}
WORKLOAD = {
    "directory": "/home/deploy/app",
    "compose_file": "compose.yml",
    "env_file": ".env",
    "project": "erp",
    "variables": {},
    "secrets": [],
    "waivers": [],
}


def service(body: dict[str, Any], model: dict[str, Any] | None = None) -> dict[str, Any]:
    """A service as the host tells of it."""
    health = body.get("healthcheck") or {}
    return {
        "image": body.get("image", "app:1"),
        "build": False,
        "config": "c1",
        "depends": {},
        "health": bool(health.get("test")) and not health.get("disable"),
        "posture": posture(body, model or {}),
    }


def found(body: dict[str, Any], model: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    return [(each.check, each.found) for each in findings({"app": service({**QUIET, **body}, model)})]


def test_a_service_that_asks_for_nothing_is_let_through() -> None:
    assert found({}) == []


REFUSED = [
    ({"privileged": True}, "docker-5.5", "privileged: true"),
    ({"network_mode": "host"}, "docker-5.10", "network_mode: host"),
    ({"pid": "host"}, "docker-5.16", "pid: host"),
    ({"ipc": "host"}, "docker-5.17", "ipc: host"),
    ({"uts": "host"}, "docker-5.21", "uts: host"),
    ({"userns_mode": "host"}, "docker-5.31", "userns_mode: host"),
    ({"cgroup": "host"}, "docker-5.25", "cgroup: host"),
    ({"network_mode": "container:other"}, "docker-5.10", "the network namespace of container other"),
    ({"pid": "container:other"}, "docker-5.16", "the pid namespace of container other"),
    ({"ipc": "container:other"}, "docker-5.17", "the ipc namespace of container other"),
    ({"cgroup_parent": "system.slice"}, "docker-5.25", "cgroup_parent: system.slice"),
    ({"cap_add": ["SYS_ADMIN"]}, "docker-5.4", "cap_add: SYS_ADMIN"),
    ({"cap_add": ["cap_net_admin"]}, "docker-5.4", "cap_add: NET_ADMIN"),
    ({"cap_add": ["ALL"]}, "docker-5.4", "cap_add: ALL"),
    ({"security_opt": ["seccomp:unconfined"]}, "docker-5.22", "seccomp:unconfined"),
    ({"security_opt": ["seccomp=unconfined"]}, "docker-5.22", "seccomp:unconfined"),
    ({"security_opt": ["seccomp:./open.json"]}, "docker-5.22", "seccomp:./open.json"),
    ({"security_opt": ["apparmor:unconfined"]}, "docker-5.2", "apparmor:unconfined"),
    ({"security_opt": ["apparmor=own"]}, "docker-5.2", "apparmor:own"),
    ({"security_opt": ["systempaths=unconfined"]}, "greenroom-11", "systempaths:unconfined"),
    ({"security_opt": ["no-new-privileges:false"]}, "docker-5.26", "no-new-privileges:false"),
    ({"devices": [{"source": "/dev/kvm", "target": "/dev/kvm"}]}, "docker-5.18", "the device /dev/kvm"),
    ({"devices": ["/dev/mem:/dev/mem"]}, "docker-5.18", "the device /dev/mem"),
    (
        {"cap_add": ["MKNOD"], "device_cgroup_rules": ["b *:* rwm"]},
        "docker-5.18",
        "device_cgroup_rules: b *:* rwm",
    ),
    ({"volumes_from": ["container:other:ro"]}, "docker-5.6", "the volumes of container other"),
    ({"use_api_socket": True}, "docker-5.32", f"the engine's socket {os.path.realpath('/var/run')}/docker.sock"),
    ({"build": {"context": "/"}}, "docker-5.6", "the machine's /"),
    (
        {"build": {"context": "/home/deploy/app", "additional_contexts": {"m": "/etc"}}},
        "docker-5.6",
        "the machine's /etc",
    ),
    ({"healthcheck": {"disable": True}}, "docker-5.27", "no healthcheck"),
    ({"healthcheck": None}, "docker-5.27", "no healthcheck"),
    ({"image": "redis:latest"}, "greenroom-1", "the image redis:latest"),
    ({"image": "redis"}, "greenroom-1", "the image redis"),
    ({"image": "registry.example.test:5000/redis"}, "greenroom-1", "the image registry.example.test:5000/redis"),
]


@pytest.mark.parametrize(("body", "check", "words"), REFUSED, ids=[f"{check} {words}" for _, check, words in REFUSED])
def test_what_opens_the_machine_is_found_by_its_check(body: dict[str, Any], check: str, words: str) -> None:
    assert found(body) == [(check, words)]


@pytest.mark.parametrize("image", ["redis:7", "redis@sha256:0", "registry.example.test:5000/redis:7-alpine"])
def test_an_image_with_a_tag_that_stays_is_let_through(image: str) -> None:
    assert found({"image": image}) == []


@pytest.mark.parametrize(
    ("port", "places"),
    [
        ({"published": "8080", "target": 80}, ["0.0.0.0:8080"]),
        ({"published": "8080", "target": 80, "host_ip": "0.0.0.0"}, ["0.0.0.0:8080"]),  # noqa: S104 (refused)
        ({"published": "8080", "target": 80, "host_ip": "::"}, [":::8080"]),
        ({"published": "8080", "target": 80, "host_ip": "10.0.0.2"}, ["10.0.0.2:8080"]),
        ({"published": "8080", "target": 80, "host_ip": "127.0.0.1"}, []),
        ({"published": "8080", "target": 80, "host_ip": "::1"}, []),
        ({"target": 80}, []),
    ],
)
def test_only_loopback_is_a_place_to_publish_on(port: dict[str, Any], places: list[str]) -> None:
    assert found({"ports": [port]}) == [("docker-5.14", f"published on {place}") for place in places]


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("/var/run/docker.sock", "docker-5.32"),
        ("/run/../run/docker.sock", "docker-5.32"),
        ("/run/containerd/containerd.sock", "docker-5.32"),
        ("/var/run", "docker-5.6"),
        ("/", "docker-5.6"),
        ("//", "docker-5.6"),
        ("/etc/passwd", "docker-5.6"),
        ("/var/lib/docker/volumes", "docker-5.6"),
        ("/var/lib/greenroom/key", "docker-5.6"),
        ("/var/spool/cron/crontabs", "docker-5.6"),
        ("/home/deploy/.ssh/authorized_keys", "docker-5.6"),
        *(
            (each, "docker-5.6")
            for each in ("/bin", "/sbin", "/var", "/var/lib", "/var/spool", "/home", "/home/deploy")
        ),
    ],
)
def test_no_directory_of_the_machine_is_mounted_also_not_behind_a_volume(source: str, check: str) -> None:
    bind = {"volumes": [{"type": "bind", "source": source, "target": "/x"}]}
    assert [each for each, _ in found(bind)] == [check]

    named = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}
    for words in ("ro,bind", "rbind"):
        model = {"volumes": {"data": {"driver_opts": {"type": "none", "o": words, "device": source}}}}
        assert [each for each, _ in found(named, model)] == [check]

    for kind in ("configs", "secrets"):
        model = {kind: {"given": {"name": "app_given", "file": source}}}
        assert [each for each, _ in found({kind: [{"source": "given", "target": "/x"}]}, model)] == [check]
    build = {"build": {"context": "/home/deploy/app", "secrets": [{"source": "given"}]}}
    assert [each for each, _ in found(build, {"secrets": {"given": {"file": source}}})] == [check]


WORKLOAD_DIRECTORIES = ["/home/deploy/app", "/home/deploy/app/state", "/mnt/data/postgres", "/etcetera", "/var/log/app"]


@pytest.mark.parametrize("source", WORKLOAD_DIRECTORIES)
def test_a_directory_of_the_workload_is_mounted(source: str) -> None:
    assert found({"volumes": [{"type": "bind", "source": source, "target": "/x"}]}) == []
    assert found({"secrets": [{"source": "given"}]}, {"secrets": {"given": {"file": source}}}) == []
    assert found({"build": {"context": source}}) == []


def test_a_link_in_the_checkout_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("/etc")
    bind = {"volumes": [{"type": "bind", "source": str(tmp_path / "state"), "target": "/x"}]}
    assert found(bind) == [("docker-5.6", "the machine's /etc")]


@pytest.mark.parametrize(
    ("options", "file_system"),
    [
        ({"type": "ext4", "device": "/dev/vda1"}, "ext4 of /dev/vda1"),
        (
            {"type": "overlay", "device": "overlay", "o": "lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w"},
            "overlay of overlay",
        ),
        ({"type": "proc", "device": "proc"}, "proc of proc"),
        ({"type": "nfs", "device": ":/export", "o": "addr=192.0.2.9"}, ""),
        ({"type": "cifs", "device": "//192.0.2.9/share", "o": "username=x"}, ""),
        ({"type": "tmpfs", "device": "tmpfs", "o": "size=64m"}, ""),
        ({}, ""),
    ],
)
def test_a_volume_is_a_directory_of_the_engine_s_or_lies_elsewhere(options: dict[str, str], file_system: str) -> None:
    named = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}
    expected = [("docker-5.6", f"a volume of the file system {file_system}")] if file_system else []
    assert found(named, {"volumes": {"data": {"driver": "local", "driver_opts": options}}}) == expected


def test_a_word_for_binding_makes_any_kind_of_volume_a_path() -> None:
    named = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}
    model = {"volumes": {"data": {"driver_opts": {"type": "nfs", "device": "etc", "o": "rbind"}}}}
    assert found(named, model) == [("docker-5.6", "the machine's /etc")]


def test_the_volumes_of_another_service_are_judged_where_they_are_taken() -> None:
    model = {
        "services": {
            "one": {"volumes": [{"type": "bind", "source": "/etc", "target": "/x"}], "volumes_from": ["two"]},
            "two": {"volumes_from": ["one:ro"]},
        }
    }
    assert found({"volumes_from": ["two"]}, model) == [("docker-5.6", "the machine's /etc")]


def test_the_engine_s_own_filter_may_be_named() -> None:
    assert found({"security_opt": ["seccomp=builtin"]}) == []
    assert found({"security_opt": ["apparmor=docker-default"]}) == []


def test_the_namespaces_of_another_service_are_the_project_s_own() -> None:
    assert found({"network_mode": "service:db", "pid": "service:db", "ipc": "service:db"}) == []


def test_the_machine_s_network_is_found_under_any_name() -> None:
    model = {"networks": {"outside": {"name": "host", "external": True}}}
    assert found({"networks": {"outside": None}}, model) == [("docker-5.10", "network_mode: host")]


def test_a_compose_project_is_refused_before_anything_is_built_migrated_or_started() -> None:
    services = {"web": service({"privileged": True, "image": "web"}), "db": service(QUIET)}
    fact = {"services": services, "error": "", "command": "", "images": {}, "containers": {}}
    common = {"connection": REACH, "workload": WORKLOAD, "commit": "c", "service": "web", "timeout_s": 9.0}
    spec = {**common, "mode": "build", "release": {}, "earlier": []}

    for provider in (ImagesProvider(), MigrationsProvider(), ComposeStackProvider()):
        with pytest.raises(StepError) as raised:
            provider.plan(spec, {"stack": fact})
        error = raised.value
        assert (error.code, error.phase, error.exit_code) == ("COMPOSE_UNCONFINED", provider.phase, 4)
        assert error.evidence.splitlines() == [
            "compose.yml: service web: privileged: true; expected no privileged container [docker-5.5]",
            "compose.yml: service web: no healthcheck; expected one, which the release waits for [docker-5.27]",
            "compose.yml: service web: the image web; expected a tag that stays, or a digest [greenroom-1]",
        ]
        assert "greenroom:waivers" in error.hint


def waiver(**changes: Any) -> dict[str, Any]:
    return {"check": "docker-5.5", "service": "", "until": "2027-03-31", "expired": False, **changes}


def test_a_waiver_covers_its_check_and_its_service_only() -> None:
    services = {name: service({**QUIET, "privileged": True}) for name in ("one", "two")}

    assert refusals(services, [waiver()]) == []
    assert len(refusals(services, [waiver(check="docker-5.6")])) == 2
    (left,) = refusals(services, [waiver(service="one")])
    assert left.startswith("service two: privileged: true")


def test_an_expired_waiver_counts_as_none_and_is_named() -> None:
    services = {"one": service({**QUIET, "privileged": True})}
    (line,) = refusals(services, [waiver(expired=True)])
    assert line.endswith("[docker-5.5]; its waiver expired on 2027-03-31")
    assert refusals(services, [waiver(expired=True), waiver()]) == []


def test_a_waiver_stands_through_its_last_day(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.local.yaml").read_text().split("  greenroom:waivers:")[0]
    one = '{check: docker-5.5, service: app_staging, reason: it drives a scanner, until: "2027-03-31"}'
    other = '{check: docker-2.9, reason: this one is the daemon\'s, until: "2027-03-31"}'
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text(f"{text}  greenroom:waivers:\n    - {one}\n    - {other}\n")
    settings = load_file(path, root=ROOT)

    for day, expired in ((date(2027, 3, 31), False), (date(2027, 4, 1), True)):
        assert container_waivers(settings, day) == [
            {"check": "docker-5.5", "service": "app_staging", "until": "2027-03-31", "expired": expired}
        ]


def test_what_is_left_unsaid_is_added() -> None:
    assert floor(posture(QUIET, {})) == {
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": list(NEEDLESS),
        "deploy": {"resources": {"limits": {"pids": FLOOR_PIDS, "memory": FLOOR_MEMORY}}},
    }


@pytest.mark.parametrize(
    ("body", "added"),
    [
        ({"security_opt": ["no-new-privileges"]}, ["cap_drop", "deploy"]),
        ({"cap_drop": ["ALL"]}, ["deploy", "security_opt"]),
        ({"pids_limit": 9, "mem_limit": "1024"}, ["cap_drop", "security_opt"]),
        ({"deploy": {"resources": {"limits": {"pids": 9, "memory": "1024"}}}}, ["cap_drop", "security_opt"]),
        ({"pids_limit": -1, "mem_limit": "1024"}, ["cap_drop", "deploy", "security_opt"]),
    ],
)
def test_what_the_compose_file_says_itself_stays(body: dict[str, Any], added: list[str]) -> None:
    assert sorted(floor(posture(body, {}))) == added


def test_a_capability_that_is_asked_for_is_not_dropped() -> None:
    assert "NET_RAW" not in floor(posture({"cap_add": ["CAP_NET_RAW"]}, {}))["cap_drop"]


def test_the_override_file_carries_digest_and_floor() -> None:
    written = json.loads(compose.override({"app": service({**QUIET, "cap_drop": ["ALL"], "pids_limit": 5})}))
    assert written["services"]["app"] == {
        "labels": {"greenroom.config": "c1"},
        "security_opt": ["no-new-privileges:true"],
        "deploy": {"resources": {"limits": {"memory": FLOOR_MEMORY}}},
    }


def test_the_reference_workload_asks_for_nothing_of_the_machine() -> None:
    model = yaml.safe_load(
        (ROOT / "examples/tsh-erp/docker-compose.staging.yml")
        .read_text()
        .replace("${DATA_DIRECTORY:?is not set}", "/mnt/tsh_erp_data")
        .replace("${IMAGE_TAG:?is not set}", "c0ffee")
    )
    resolved = compose_resolves(model, "/home/deploy/tsh-erp")
    assert len(resolved) == 5
    assert findings({name: service(body, model) for name, body in resolved.items()}) == []
    assert posture(resolved["tsh_postgres_staging"], model)["mounts"] == ["/mnt/tsh_erp_data/postgres"]
    assert "/home/deploy/tsh-erp/uploads/staging" in posture(resolved["app_staging"], model)["mounts"]


def compose_resolves(model: dict[str, Any], directory: str) -> dict[str, dict[str, Any]]:
    """The reference workload's services in the long form that compose gives ports, volumes and contexts."""

    def volume(entry: Any) -> dict[str, Any]:
        if isinstance(entry, str):
            return {"type": "volume", "source": entry.split(":")[0]}
        return {**entry, "source": os.path.normpath(f"{directory}/{entry['source']}")}

    def port(entry: str) -> dict[str, Any]:
        address, published, target = entry.split(":")
        return {"host_ip": address, "published": published, "target": int(target)}

    return {
        name: {
            **body,
            "volumes": [volume(each) for each in body.get("volumes", [])],
            "ports": [port(each) for each in body["ports"]],
            **(
                {"build": {"context": os.path.normpath(f"{directory}/{body['build']['context']}")}}
                if "build" in body
                else {}
            ),
            "deploy": {"resources": {"limits": {"pids": body["deploy"]["resources"]["limits"]["pids"], "memory": 1}}},
        }
        for name, body in model["services"].items()
    }


def test_the_reference_workload_confines_itself() -> None:
    text = (ROOT / "examples/tsh-erp/docker-compose.staging.yml").read_text()
    model = yaml.safe_load(text)
    assert len(model["services"]) == 5
    for name, body in model["services"].items():
        limits = body["deploy"]["resources"]["limits"]
        assert body["cap_drop"] == ["ALL"], name
        assert body["security_opt"] == ["no-new-privileges:true"], name
        assert body["read_only"] is True, name
        assert int(body["user"].split(":")[0]) > 0, name
        assert "cap_add" not in body, name
        assert limits["pids"] > 0, name
        assert limits["memory"], name
