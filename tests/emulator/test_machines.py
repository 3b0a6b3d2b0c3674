"""Droplets that boot: what a machine is, on the wire and inside."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING

import docker
import pytest
from machinelab import BLOCK, MachineLab, reachable

from localcloud.machines import DropletPolicy, MachineError, PublicAddress, Rule, VolumeMount, images, privilege
from localcloud.machines.engine import ensure_docker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.droplet, pytest.mark.timeout(600)]

VOLUME = VolumeMount("vol-1", "data-one")
SSH_ONLY = (Rule("tcp", 22, 22),)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineLab]:
    try:
        ensure_docker(print)
        absent = images.missing()
    except MachineError as error:
        pytest.skip(f"needs a Docker engine: {error}")
    if absent:
        pytest.skip(f"needs the local cloud's images: {', '.join(image.reference for image in absent)}")
    lab = MachineLab(tmp_path_factory.mktemp("machines"))
    yield lab
    lab.machines.sweep()
    engine = docker.from_env()
    owned = {"label": f"greenroom.cloud={lab.label}"}
    assert engine.containers.list(all=True, filters=owned) == []
    assert engine.volumes.list(filters=owned) == []
    assert engine.networks.list(filters=owned) == []
    assert engine.images.list(filters=owned) == []
    engine.close()
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    assert lab.label not in rules


@pytest.fixture(scope="module")
def web(lab: MachineLab) -> str:
    """A booted droplet with a volume; returns its address."""
    lab.machines.create_volume(VOLUME.volume_id, 1)
    lab.machines.create(lab.spec(1, VOLUME))
    lab.plan(1)
    assert lab.await_boot(lab.address(1)) == "running"
    return lab.address(1)


def test_cloud_init_ran_and_the_host_key_is_the_one_that_was_sent(lab: MachineLab, web: str) -> None:
    # The key is pinned by every ssh call of the laboratory.
    facts = lab.ssh(
        web, "cat /etc/made-by-cloud-init; echo; ls /root/runcmd-ran; hostname; systemctl is-enabled caddy; true"
    )
    assert facts.split() == ["made", "/root/runcmd-ran", "web-1", "disabled"]


def test_no_unit_failed_and_the_journal_is_kept(lab: MachineLab, web: str) -> None:
    assert lab.ssh(web, "systemctl --failed --no-legend --plain") == ""
    assert lab.ssh(web, "ls /var/log/journal | wc -l") == "1"


def test_the_inner_engine_pulls_official_names_and_enforces_limits(lab: MachineLab, web: str) -> None:
    limit = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    out = lab.ssh(web, f"docker run --rm --quiet --memory 64m redis:7-alpine sh -c '{limit}'")
    assert out.splitlines()[-1] == str(64 * 1024 * 1024)
    lab.ssh(web, "docker run -d --name sleeper redis:7-alpine sleep 600 && docker exec sleeper redis-server --version")
    inner = lab.ssh(web, "cat /proc/$(docker inspect -f '{{.State.Pid}}' sleeper)/cgroup; docker rm -f sleeper")
    assert "/system.slice/docker-" in inner


def test_what_the_droplet_uses_counts_as_its_own(lab: MachineLab, web: str) -> None:
    """The memory limit of the droplet holds for it and for all containers in it."""
    path = "/sys/fs/cgroup/memory.max"
    limit = lab.ssh(web, f"cat {path} 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes")
    assert limit == str(1024 * 1024 * 1024)
    lab.machines.resize(1, vcpus=1, memory_mib=1536)
    limit = lab.ssh(web, f"cat {path} 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes")
    assert limit == str(1536 * 1024 * 1024)


def test_packages_install_from_the_distribution(lab: MachineLab, web: str) -> None:
    lab.ssh(
        web, "apt-get -qq update && apt-get -qq install -y --no-install-recommends tree >/dev/null && tree --version"
    )


def test_firewall_changes_are_live_and_enforced_outside_the_droplet(lab: MachineLab, web: str) -> None:
    lab.ssh(web, "systemd-run --quiet --unit page python3 -m http.server 8080; sleep 1")
    assert reachable(web, 8080)
    lab.plan(1, firewalls=(DropletPolicy(1, SSH_ONLY),))
    assert reachable(web, 22)
    assert not reachable(web, 8080)
    assert not reachable(lab.private(1), 8080)
    lab.ssh(web, "iptables -F; nft flush ruleset; true")
    assert not reachable(web, 8080)
    lab.plan(1, firewalls=(DropletPolicy(1, (*SSH_ONLY, Rule("tcp", 8000, 9000, ("203.0.113.9/32",)))),))
    assert not reachable(web, 8080)
    lab.plan(1, firewalls=(DropletPolicy(1, (*SSH_ONLY, Rule("tcp", 8000, 9000))),))
    assert reachable(web, 8080)
    lab.ssh(web, "systemctl stop page; systemctl restart docker")
    lab.plan(1)


def test_the_droplet_reaches_nothing_of_this_machine_but_the_services_of_the_cloud(lab: MachineLab, web: str) -> None:
    registry = "curl -s -m 5 -o /dev/null -w '%{http_code}' http://registry.greenroom.test:5000/v2/"
    assert lab.ssh(web, registry) == "200"
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - that this is not reached is what is shown
        listener.listen()
        port = listener.getsockname()[1]
        gateway = lab.private(0)
        assert lab.ssh(web, f"curl -s -m 2 -o /dev/null http://{gateway}:{port}/; echo $?") == "28"


def test_disk_address_and_volume_survive_a_reboot(lab: MachineLab, web: str) -> None:
    before = lab.ssh(
        web,
        "echo kept >/root/kept; echo kept >/mnt/data_one/kept; cat /proc/sys/kernel/random/boot_id; "
        "cat /etc/ssh/ssh_host_ed25519_key.pub; systemctl show -P ActiveEnterTimestamp ssh",
    )
    lab.machines.reboot(1)
    assert lab.await_boot(web) == "running"
    after = lab.ssh(
        web,
        "cat /root/kept /mnt/data_one/kept; mountpoint -q /mnt/data_one && echo mounted; "
        "systemctl show -P ActiveEnterTimestamp ssh",
    )
    assert after.split()[:3] == ["kept", "kept", "mounted"]
    assert before.splitlines()[-1] != after.splitlines()[-1]


def test_a_droplet_that_reboots_itself_comes_up_again_and_one_that_powers_off_stays_off(
    lab: MachineLab, web: str
) -> None:
    lab.machines.watch()
    time.sleep(0.5)
    lab.ssh(web, "echo own >/mnt/data_one/own")
    started = lab.ssh(web, "systemctl show -P ActiveEnterTimestamp ssh; systemd-run --on-active=1 systemctl reboot")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = lab.ssh(web, "systemctl show -P ActiveEnterTimestamp ssh", check=False) if reachable(web, 22) else ""
        if now and now not in started:
            break
        time.sleep(0.5)
    else:
        pytest.fail("the droplet did not come up again")
    lab.await_boot(web)
    assert lab.ssh(web, "cat /mnt/data_one/own") == "own"
    lab.ssh(web, "systemd-run --on-active=1 systemctl poweroff")
    deadline = time.monotonic() + 60
    while lab.machines.state(1) == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)
    assert lab.machines.state(1) == "off"
    lab.machines.start(1)
    lab.await_boot(web)


def test_volumes_come_and_go_while_the_droplet_runs(lab: MachineLab, web: str) -> None:
    extra = VolumeMount("vol-2", "extra")
    lab.machines.create_volume(extra.volume_id, 1)
    lab.machines.attach(1, extra)
    assert lab.ssh(web, "mountpoint -q /mnt/extra && echo here >/mnt/extra/file && cat /mnt/extra/file") == "here"
    lab.machines.detach(1, extra)
    assert lab.ssh(web, "ls /mnt/extra | wc -l") == "0"
    lab.machines.detach(1, extra)
    lab.machines.delete_volume(extra.volume_id)
    lab.machines.delete_volume(extra.volume_id)


def test_a_member_of_the_docker_group_needs_no_root(lab: MachineLab, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same acts on the kernel, through a helper container."""
    monkeypatch.setattr(privilege.os, "geteuid", lambda: 1000)
    extra = VolumeMount("vol-4", "lent")
    lab.machines.create_volume(extra.volume_id, 1)
    lab.machines.attach(1, extra)
    assert lab.ssh(web, "mountpoint -q /mnt/lent && echo mounted") == "mounted"
    lab.machines.detach(1, extra)
    lab.machines.delete_volume(extra.volume_id)
    lab.plan(1, firewalls=(DropletPolicy(1, ()),))
    assert not reachable(web, 22)
    lab.plan(1)
    assert reachable(web, 22)


def test_a_reserved_address_moves_and_a_volume_outlives_its_droplet(lab: MachineLab) -> None:
    reserved, volume = f"127.{BLOCK}.20.1", VolumeMount("vol-3", "ledger")
    lab.machines.create_volume(volume.volume_id, 1)
    lab.machines.create(lab.spec(2, volume))
    lab.plan(1, 2, reserved=(PublicAddress(reserved, 2, lab.private(2)),))
    lab.await_boot(reserved)
    assert lab.ssh(reserved, "hostname; echo precious >/mnt/ledger/precious; sync") == "web-2"
    lab.machines.destroy(2)
    lab.machines.destroy(2)
    assert lab.machines.state(2) == "missing"
    lab.machines.create(lab.spec(3))
    lab.plan(1, 3, reserved=(PublicAddress(reserved, 3, lab.private(3)),))
    lab.await_boot(reserved)
    lab.machines.attach(3, volume)
    assert lab.ssh(reserved, "hostname; cat /mnt/ledger/precious; touch /root/before").split() == ["web-3", "precious"]
    assert not reachable(lab.address(2), 22)
    lab.plan(1, 3)
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - an address without a droplet must not meet it
        assert reachable("127.0.0.1", listener.getsockname()[1])
        assert not reachable(reserved, listener.getsockname()[1])

    lab.machines.rebuild(lab.spec(3, volume))
    lab.await_boot(lab.address(3))
    rebuilt = lab.ssh(lab.address(3), "ls /root/before 2>/dev/null; hostname; cat /mnt/ledger/precious")
    assert rebuilt.split() == ["web-3", "precious"]
    lab.machines.destroy(3)
    lab.machines.delete_volume(volume.volume_id)


def test_a_snapshot_boots_with_what_the_disk_and_the_engine_held(lab: MachineLab, web: str) -> None:
    lab.ssh(web, "echo remembered >/root/remembered; docker pull -q redis:7-alpine; sync")
    reference = lab.machines.snapshot(1, 77)
    assert lab.ssh(web, "systemctl is-active docker") == "active"
    lab.machines.create(lab.spec(4, image=reference))
    lab.plan(1, 4)
    lab.await_boot(lab.address(4))
    found = lab.ssh(lab.address(4), "cat /root/remembered; hostname; docker images -q redis | wc -l")
    assert found.split() == ["remembered", "web-4", "1"]
    lab.machines.destroy(4)
    lab.machines.delete_image(reference)
    lab.machines.delete_image(reference)


@pytest.mark.usefixtures("web")
def test_a_network_that_is_taken_is_named(lab: MachineLab) -> None:
    with pytest.raises(MachineError, match=r"already in use on this machine"):
        lab.machines._network.ensure("vpc-2", lab.spec(1).vpc_cidr)
    lab.machines.delete_network("vpc-2")
    with pytest.raises(MachineError, match=r"still has droplets"):
        lab.machines.delete_network("vpc-1")
