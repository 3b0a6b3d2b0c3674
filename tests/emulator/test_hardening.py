"""A hardened droplet, from outside: who gets in, who does not, what is mended, and that no lock-out lasts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hardeninglab import MISTAKES, HardenedLab, answers, hardened_lab, listens, open_ports, provider

from infra.errors import AuthenticationError, StepError
from infra.host.gathering import gathering
from infra.host.host_key import PinnedHostProvider
from infra.host.keys import new_key_pair
from infra.host.resource import endpoint_of
from infra.transport.link import Link
from infra.transport.pool import close_all

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("hardeninglab"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]
QUICK = ["sshd: nobody may log in", "sshd: syntax error", "firewall: port 22 forgotten"]
FIRST_PORTS = "1-1024,2375,2376,3000,5432,6379,8000-8100,9000"
DRIFTS = [
    ("rm /etc/ssh/sshd_config.d/01-greenroom.conf", "01-greenroom.conf is missing"),
    ("echo PasswordAuthentication yes >/etc/ssh/sshd_config.d/00-a.conf", "sshd has PasswordAuthentication yes"),
    ("printf 'Match User root\\n MaxAuthTries 9\\n' >/etc/ssh/sshd_config.d/00-a.conf", "sshd has MaxAuthTries 9"),
    (
        "printf 'Match User deploy\\nBanner none\\n' >/etc/ssh/sshd_config.d/99-a.conf",
        "99-a.conf sets Banner under Match",
    ),
    ("echo KexAlgorithms ecdh-sha2-nistp256 >/etc/ssh/sshd_config.d/00-a.conf", "00-a.conf sets KexAlgorithms first"),
    ("echo PerSourcePenalties authfail:1 >/etc/ssh/sshd_config.d/00-a.conf", "sets PerSourcePenalties first"),
    ("echo AllowGroups users >/etc/ssh/sshd_config.d/99-a.conf", "99-a.conf sets AllowGroups once more"),
    ("echo TrustedUserCAKeys /etc/ssh/ca.pub >/etc/ssh/sshd_config.d/00-a.conf", "sshd has TrustedUserCAKeys"),
    ("nft flush ruleset", "the firewall is not loaded"),
    ("nft flush ruleset", "Docker's packet filter chains are gone"),
    ("nft add rule inet greenroom input tcp dport 8099 accept", "the firewall differs: + tcp dport 8099 accept"),
    ("echo '# edited' >>/etc/nftables.conf", "/etc/nftables.conf has another content"),
    ("systemctl disable nftables", "the firewall does not start at boot"),
    ("sysctl -qw net.ipv4.conf.all.accept_redirects=1", "the kernel has another net.ipv4.conf.all.accept_redirects"),
    ("chmod 0644 /etc/crontab", "/etc/crontab is root's with mode 0644"),
    ("sed -i '/^UMASK/d' /etc/login.defs", "/etc/login.defs has another UMASK"),
    ("chage --maxdays 30 deploy", "deploy has no password"),
    ("mount -o remount,hidepid=off /proc", "accounts see the processes of others"),
    ("systemctl mask --now apt-daily-upgrade.timer", "apt-daily-upgrade.timer is masked"),
    ("echo '{}' >/etc/docker/daemon.json; systemctl reload docker", "/etc/docker/daemon.json differs"),
    ("sed -i 's/pam_unix.so/& nullok/' /usr/share/pam-configs/unix", "an empty password would open an account"),
    ("rm /etc/apt/apt.conf.d/52greenroom", "52greenroom is missing"),
]


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HardenedLab]:
    with hardened_lab(tmp_path_factory.mktemp("hardeninglab")) as lab:
        yield lab


@pytest.fixture
def lab(booted: HardenedLab) -> Iterator[HardenedLab]:
    yield booted
    booted.shell("rm -f /etc/ssh/sshd_config.d/??-a*; docker ps -aq | xargs -r docker rm -f")
    if booted.drift():
        booted.mend()


def test_it_converges_in_a_few_seconds_and_a_second_look_finds_nothing(lab: HardenedLab) -> None:
    assert lab.seconds < 15
    assert [lab.drift() for _ in range(3)] == [[]] * 3
    assert lab.shell("systemctl is-system-running") == "running\n"


def test_ssh_audit_finds_no_fault_and_no_warning(lab: HardenedLab) -> None:
    audit = [sys.executable, "-m", "ssh_audit", "--skip-rate-test"]
    done = subprocess.run([*audit, "-j", lab.private], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    said = [note for kind in ("kex", "key", "enc", "mac") for each in found[kind] for note in each["notes"].items()]
    assert done.returncode == 0, done.stdout
    assert {severity for severity, _ in said} == {"info"}
    # The pinned policy: a weaker algorithm, and a lost one, fail here.
    assert [each["algorithm"] for each in found["key"]] == ["ssh-ed25519"]
    exchanges = [
        each["algorithm"] for each in found["kex"] if not each["algorithm"].startswith(("ext-info", "kex-strict"))
    ]
    assert exchanges == ["mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"]


def test_only_the_three_ports_answer_from_outside_whatever_a_container_publishes(lab: HardenedLab) -> None:
    if shutil.which("nmap") is None:
        pytest.skip("nmap is not installed")
    listens(lab, {8099: "published", 80: "web"})
    with lab.public_address() as public:
        for address in (lab.private, public):
            assert open_ports(address, tcp=FIRST_PORTS, udp="53,67,68,123,161,500") == {"tcp/22", "tcp/80"}
    assert answers(lab.private, 80)


def test_containers_reach_out_and_each_other_but_not_the_metadata(lab: HardenedLab) -> None:
    lab.shell(
        "ip netns add cloud; ip link add meta type veth peer name eth0 netns cloud; ip link set meta up;"
        "ip addr add 169.254.0.1/16 dev meta; ip -n cloud addr add 169.254.169.254/16 dev eth0;"
        "ip -n cloud link set lo up; ip -n cloud link set eth0 up; ip -n cloud route add default via 169.254.0.1;"
        "systemd-run -q --unit=meta ip netns exec cloud python3 -m http.server 80; sleep 1;"
        "docker network create -d bridge inner; docker run -d --network inner --name other python:3.11-slim"
        " python -m http.server 80"
    )
    ask = "import sys, socket; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"

    def reaches(host: str, port: int, where: str = "docker run --rm --network inner python:3.11-slim python") -> bool:
        return lab.shell(f"{where} -c '{ask}' {host} {port} 2>/dev/null && echo yes || echo no") == "yes\n"

    try:
        assert reaches("other", 80)
        assert reaches(
            "registry.greenroom.test",
            5000,
            "docker run --rm --add-host registry.greenroom.test:"
            f"{lab.private.rpartition('.')[0]}.1 python:3.11-slim python",
        )
        assert reaches("169.254.169.254", 80, "python3"), "root on the droplet may ask"
        assert not reaches("169.254.169.254", 80)
        assert not reaches("169.254.169.254", 80, "runuser -u nobody -- python3")
        assert not reaches("172.17.0.1", 8099)
    finally:
        lab.shell(
            "systemctl stop meta; ip link del meta; ip netns del cloud; docker rm -f other; docker network rm inner"
        )


def test_changes_made_by_hand_are_named_and_mended(lab: HardenedLab) -> None:
    for script, why in DRIFTS:
        lab.shell(script)
        found = lab.drift()
        assert any(why in each for each in found), (script, found)
        lab.mend()
        assert lab.drift() == [], script
    assert lab.shell("cat /etc/ssh/sshd_config.d/00-a.conf.aside") == "TrustedUserCAKeys /etc/ssh/ca.pub\n"


@pytest.mark.parametrize("name", QUICK)
def test_the_host_takes_back_a_change_that_locks_out(lab: HardenedLab, name: str) -> None:
    path, text, code = MISTAKES[name]
    before = lab.files()
    with pytest.raises(StepError) as raised:
        lab.change(path, text)

    assert raised.value.code == code
    assert "undone" in raised.value.evidence
    assert lab.files() == before
    lab.connect()
    assert lab.drift() == []


def test_a_change_whose_controller_died_is_taken_back_at_the_next_boot(lab: HardenedLab) -> None:
    before = lab.files()
    lab.change("/etc/ssh/sshd_config.d/00-a-mistake.conf", "AllowUsers nobody\n", confirmed=False)
    assert "AllowUsers nobody" in lab.shell("cat /etc/ssh/sshd_config.d/00-a-mistake.conf")

    lab.reboot()

    assert lab.files() == before
    assert lab.drift() == []
    assert "boot" in lab.shell("cat /var/lib/greenroom/access/undone-*/log")


def test_a_replaced_host_key_is_named_and_never_read_by_sshd(lab: HardenedLab) -> None:
    key = "/etc/ssh/greenroom_host_ed25519_key"
    lab.shell(f"cp -a {key} /root/kept; ssh-keygen -q -t ed25519 -N '' -f /root/new; cat /root/new >{key}")
    lab.shell("rm /etc/ssh/sshd_config.d/01-greenroom.conf")
    gathering.forget()
    try:
        pinned = PinnedHostProvider().read("pinned host", lab.lab.state["pinned host"]).outs or {}
        assert pinned["drift"] == [f"{key} holds another key than the recorded one"]
        for converge in (lab.mend, lambda: PinnedHostProvider().update("", pinned, pinned)):
            with pytest.raises(StepError) as raised:
                converge()
            assert raised.value.code == "HOST_KEY_REPLACED"
        lab.connect()
    finally:
        lab.shell(f"cat /root/kept >{key}; rm /root/kept /root/new*")


def test_after_a_reboot_the_firewall_stands_before_docker_and_nothing_has_drifted(lab: HardenedLab) -> None:
    listens(lab, {8099: "published"})
    lab.shell("docker update --restart=always published")
    lab.reboot()

    lab.shell("until systemctl is-active -q docker; do sleep 0.2; done")
    order = "systemctl show -P ActiveEnterTimestampMonotonic nftables docker"
    firewall, docker = (int(line) for line in lab.shell(order).split())
    assert firewall < docker
    assert lab.drift() == []
    assert lab.shell(
        "for i in $(seq 20); do curl -sfo /dev/null http://127.0.0.1:8099/ && break; sleep 1; done; docker ps -q"
    )
    assert not answers(lab.private, 8099)


def test_many_logins_in_a_row_and_side_by_side_all_get_in(lab: HardenedLab) -> None:
    lab.connect(times=20)
    with ThreadPoolExecutor(20) as pool:
        for done in [pool.submit(lab.connect) for _ in range(20)]:
            done.result()


def test_wrong_keys_from_the_controller_do_not_lock_it_out(lab: HardenedLab) -> None:
    endpoint = endpoint_of(lab.reach)
    for _ in range(8):
        with pytest.raises(AuthenticationError):
            Link(replace(endpoint, private_key=new_key_pair()[1]))
    lab.connect(times=3)


def test_the_daemon_goes_down_without_its_containers(lab: HardenedLab) -> None:
    listens(lab, {8099: "published"})
    started = lab.shell("docker inspect -f '{{.State.StartedAt}}' published")
    lab.shell("systemctl reset-failed docker; systemctl restart docker")  # earlier tests may have done so too
    assert lab.shell("docker inspect -f '{{.State.StartedAt}}' published") == started


def test_updates_never_touch_docker_and_never_reboot(lab: HardenedLab) -> None:
    settings = lab.shell("apt-config dump Unattended-Upgrade")
    for package in ("docker", "containerd", "runc"):
        assert f'Unattended-Upgrade::Package-Blacklist:: "^{package}' in settings
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in settings
    assert settings.count("Origins-Pattern::") == 2
    lab.shell("unattended-upgrade --dry-run --debug >/tmp/u.log 2>&1; grep -q 'blacklist' /tmp/u.log")


def test_a_kernel_that_is_the_machines_is_left_alone(lab: HardenedLab) -> None:
    names = ("kernel/kptr_restrict", "fs/protected_fifos", "dev/tty/ldisc_autoload")
    own = [Path("/proc/sys", name).read_text() for name in names]
    lab.reboot()
    assert [Path("/proc/sys", name).read_text() for name in names] == own
    assert "-kernel.kptr_restrict = 2" in lab.shell("cat /etc/sysctl.d/60-greenroom.conf")
    assert lab.shell("sysctl -n net.ipv4.conf.all.rp_filter net.ipv4.tcp_rfc1337") == "1\n1\n"
    assert lab.outs["kernel"] == "the machine's"


def test_what_is_removed_leaves_the_host_open_to_its_owner(booted: HardenedLab) -> None:
    provider.delete("hardening", booted.outs)
    close_all()
    booted.connect()
    assert booted.shell("nft list tables | grep -c greenroom || true; ls /etc/ssh/sshd_config.d").startswith("0\n")
    started = time.monotonic()
    booted.outs = provider.create(dict(booted.spec)).outs or {}
    assert time.monotonic() - started < 15
    assert booted.drift() == []
