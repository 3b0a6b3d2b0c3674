"""Every host resource on a droplet that boots: converge, stay, drift, mend, and go."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime

import pytest
from hostlab import DIRECTORY, PROVIDERS, Lab, Wish

from infra.errors import AuthenticationError
from infra.host.resource import endpoint_of
from infra.transport.link import Link
from infra.transport.pool import close_all, link
from infra.transport.worker import worker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("hostlab"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]

APP = "$(docker ps -q --filter label=com.docker.compose.service=app)"
UNITS = [
    *("docker.service", "docker.socket", "caddy.service", "ssh.service", "nftables.service", "a@b.service"),
    *("apt-daily.timer", "multi-user.target", "-.mount", "systemd-fsck@dev-x.service"),
    *("hello-masked.service", "hello-failed.service", "never-was.service"),
]
GIT = "runuser -u deploy -- git"
CACHE = "$(docker ps -q --filter label=com.docker.compose.service=cache)"
DRIFTS = {
    "contents": [
        ("env file", "echo 'HACK=1' >> .env.staging", "has another content"),
        ("checkout", "echo '# edited' >> app.py", "edited on the host:  M app.py"),
        ("stack", f"docker stop -t 1 {APP}", "service app is exited"),
        (
            "images",
            "docker tag redis:7-alpine hello-app:@TAG@",
            "is missing",
        ),
        ("proxy", "echo '# edited' >> /etc/caddy/Caddyfile", "configuration differs"),
        ("baseline", "echo 'ssh-ed25519 A evil' >> ~deploy/.ssh/authorized_keys", "keys that open deploy's account"),
        ("volume", "rmdir /mnt/hello_data/cache", "/mnt/hello_data/cache is missing"),
    ],
    "modes and states": [
        ("env file", "chmod 0644 .env.staging", "has mode 0644"),
        ("checkout", "rm Dockerfile", "edited on the host:  D Dockerfile"),
        ("stack", f"docker pause {CACHE}", "service cache is paused"),
        ("baseline", "chmod 0777 /home/deploy", "mode 0777"),
        ("proxy", "systemctl stop caddy", "not running"),
        ("pinned host", "touch /etc/ssh/ssh_host_ed25519_key", "one-time host key is still there"),
    ],
    "records": [("checkout", "chown root .git/index; chmod 0600 .git/index", "edited on the host: ?? .git")],
    "owners and additions": [
        ("env file", "chown root .env.staging", "belongs to root"),
        ("checkout", "echo x > stray.txt", "edited on the host: ?? stray.txt"),
        ("stack", f"docker rm -f {CACHE}", "service cache has no container"),
        ("baseline", "gpasswd -d deploy docker", "not in group docker"),
        ("migrations", "echo 0000 > state/revision", "revision 0000"),
    ],
    "absences": [
        ("env file", "rm .env.staging", "is missing"),
        ("checkout", "chmod 0700 state", "with mode 0700"),
        ("baseline", "systemctl stop docker docker.socket", "docker.service is inactive"),
        ("proxy", "rm /etc/caddy/Caddyfile", "configuration differs"),
    ],
}


def test_the_second_run_changes_nothing_and_opens_no_connection(lab: Lab, wish: Wish) -> None:
    close_all()
    started = time.monotonic()

    assert set(lab.run(wish).values()) == {"same"}
    assert time.monotonic() - started < 0.5


def test_a_quiet_host_has_no_drift_however_often_it_is_asked(lab: Lab, wish: Wish) -> None:
    del wish
    assert [lab.refresh() for _ in range(3)] == [{}] * 3


@pytest.mark.parametrize("drifts", DRIFTS.values(), ids=DRIFTS)
def test_changes_made_by_hand_are_named_and_mended(lab: Lab, wish: Wish, drifts: list[tuple[str, str, str]]) -> None:
    for _, script, _ in drifts:
        lab.shell(script.replace("@TAG@", f"staging-{wish.commit[:7]}"))

    found = lab.refresh()
    for resource, _, why in drifts:
        assert any(why in each for each in found[resource]), found
    assert lab.refresh() == found, "a second look must find the same"
    operations = lab.run(wish)
    assert {resource for resource, _, _ in drifts} <= {name for name in operations if operations[name] == "update"}
    assert lab.refresh() == {}


def test_units_are_told_of_as_systemctl_tells_of_them_and_without_it(lab: Lab, wish: Wish) -> None:
    del wish
    lab.shell(
        "systemctl mask hello-masked.service; cp /lib/systemd/system/nftables.service /etc/systemd/system/a@b.service"
    )
    lab.shell("systemctl daemon-reload; systemd-run --unit=hello-failed false || true")
    properties = {
        "load": "LoadState",
        "active": "ActiveState",
        "enabled": "UnitFileState",
        "since": "StateChangeTimestamp",
    }
    shown: dict[str, dict[str, str | None]] = {}
    for name in UNITS:
        lines = lab.shell(
            f"systemctl show --timestamp=unix -p {','.join(properties.values())} -- '{name}'"
        ).splitlines()
        values = dict(line.split("=", 1) for line in lines)
        shown[name] = {key: values.get(each, "") for key, each in properties.items()}
        since = (shown[name]["since"] or "").lstrip("@")
        shown[name]["since"] = f"{datetime.fromtimestamp(int(since), UTC):%Y-%m-%dT%H:%M:%SZ}" if since else None

    asked = worker(link(endpoint_of(lab.state["baseline"]["connection"])))
    probes = {"units": {"kind": "units", "names": UNITS}}
    program = lab.shell("readlink -f $(which systemctl)").strip()
    lab.shell(f"mv {program} /root/aside")
    try:
        told = asked.call(subject="test", phase="look", probes=probes)["units"]
    finally:
        lab.shell(f"mv /root/aside {program}")

    assert told == shown
    states = {(each["load"], each["active"]) for each in told.values()}
    assert {("loaded", "active"), ("loaded", "failed"), ("masked", "inactive"), ("not-found", "inactive")} <= states
    assert asked.call(subject="test", phase="look", probes={"units": {"kind": "units", "names": ["docker"]}}) == {
        "units": {"docker": told["docker.service"]}
    }, "only systemctl takes a name without its suffix"
    lab.shell(
        "systemctl unmask hello-masked.service; systemctl reset-failed hello-failed; rm /etc/systemd/system/a@b.service"
    )


def test_local_edits_are_saved_aside_before_the_commit_comes_back(lab: Lab, wish: Wish) -> None:
    lab.shell("rm -rf /home/deploy/*.saved-*; echo '# precious' >> app.py; mkdir notes; echo mine > notes/todo")
    lab.refresh()
    lab.run(wish)

    assert "# precious" in lab.shell("cat /home/deploy/hello.saved-*/app.py")
    assert lab.shell("cat /home/deploy/hello.saved-*/notes/todo") == "mine\n"
    assert "# precious" not in lab.shell("cat app.py")


@pytest.mark.parametrize(
    "breaking",
    [
        pytest.param("rm -rf .git/refs .git/HEAD .git/objects/pack Dockerfile", id="half a clone"),
        pytest.param("find .git/objects -type f -delete", id="no object left"),
        pytest.param(f"h=$({GIT} rev-parse HEAD:app.py); rm .git/objects/${{h:0:2}}/${{h:2}}", id="one object lost"),
    ],
)
def test_broken_records_are_fetched_anew_and_nothing_is_lost(lab: Lab, wish: Wish, breaking: str) -> None:
    lab.shell("rm -rf /home/deploy/*.saved-*; echo kept >state/kept; stat -c %i . >/root/inode")
    lab.shell(f"echo '# precious' >>app.py; mkdir notes; echo mine >notes/todo; {breaking}")
    running = lab.container("app")
    lab.refresh()
    lab.run(wish)

    assert lab.shell(f"{GIT} rev-parse HEAD").strip() == wish.commit
    assert lab.shell(f"{GIT} fsck --no-progress --no-dangling HEAD 2>&1 && {GIT} status --porcelain app.py notes") == ""
    assert "# precious" in lab.shell("cat /home/deploy/hello.saved-*/app.py")
    assert lab.shell("cat /home/deploy/hello.saved-*/notes/todo state/kept; rm state/kept") == "mine\nkept\n"
    assert lab.shell("stat -c %i .") == lab.shell("cat /root/inode"), "containers have directories of it mounted"
    assert lab.container("app") == running
    assert lab.refresh() == {}


def test_the_one_time_host_key_opens_nothing_any_more(lab: Lab, wish: Wish) -> None:
    del wish
    with pytest.raises(AuthenticationError):
        Link(endpoint_of(lab.first))


@pytest.mark.parametrize("lost", [["pinned host"], ["pinned host", "baseline"]])
def test_a_run_cut_off_around_the_change_of_host_keys_finds_its_way(lab: Lab, wish: Wish, lost: list[str]) -> None:
    for name in lost:
        del lab.state[name]
    close_all()

    operations = lab.run(wish)
    assert all(operations[name] == "create" for name in lost)


def test_a_run_that_lost_everything_after_the_host_keys_converges_without_a_change(lab: Lab, wish: Wish) -> None:
    app = lab.container("app")
    kept = {name: lab.state[name] for name in ("host key", "pinned host", "env file")}
    lab.state = dict(kept)
    lab.run(wish)

    assert lab.container("app") == app


def test_the_env_file_and_the_checkout_belong_to_the_user(lab: Lab, wish: Wish) -> None:
    del wish
    assert lab.shell("stat -c '%U %a' .env.staging .").split("\n")[:2] == ["deploy 600", "deploy 755"]
    assert lab.shell("find . -not -user deploy -not -path './state*' | head -3") == ""


def test_after_a_reboot_all_is_as_it_was(lab: Lab, wish: Wish) -> None:
    lab.machines.reboot(lab.spec.droplet_id)
    close_all()
    deadline = time.monotonic() + 90
    found: dict[str, list[str]] = {"boot": []}
    while found and time.monotonic() < deadline:
        time.sleep(1)
        close_all()
        found = lab.refresh()

    assert found == {}
    del wish


def test_a_host_that_does_not_answer_is_a_finding_and_nothing_is_removed_from_it(lab: Lab, wish: Wish) -> None:
    lab.machines.stop(lab.spec.droplet_id, graceful=False)
    close_all()
    before = {name: dict(each) for name, each in lab.state.items()}
    started = time.monotonic()
    try:
        found = lab.refresh()
        for name, provider in PROVIDERS.items():
            provider.delete(name, before[name])
    finally:
        lab.machines.start(lab.spec.droplet_id)

    assert set(found) == set(PROVIDERS) - {"host key"}
    assert time.monotonic() - started < 60
    assert "update" in set(lab.run(wish).values())


def test_destroying_it_all_leaves_nothing_and_it_can_be_made_again(lab: Lab, wish: Wish) -> None:
    keys = {name: lab.state[name] for name in ("host key", "pinned host")}
    lab.shell("docker network create bystander; docker run -d --name bystander redis:7-alpine")
    lab.destroy()
    lab.state = keys

    left = {
        "containers": lab.shell("docker ps -a --format '{{.Names}}'").split(),
        "volumes": lab.shell("docker volume ls -q --filter label=com.docker.compose.project=hello").split(),
        "images": lab.shell(f"docker images -q hello-app:staging-{wish.commit[:7]}").split(),
        "networks": lab.shell("docker network ls -q --filter label=com.docker.compose.project=hello").split(),
        "checkout": lab.shell(f"ls -d {DIRECTORY} 2>/dev/null || true").split(),
    }
    lab.shell("docker rm -fv bystander; docker network rm bystander")
    assert left == {"containers": ["bystander"], "volumes": [], "images": [], "networks": [], "checkout": []}
    lab.run(wish)
    assert lab.refresh() == {}
