"""Every host resource on a droplet that boots: converge, stay, drift, mend, fail with evidence, and go."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hostlab import DIRECTORY, PROVIDERS, WORKLOAD, Lab, Wish, booted_lab

from infra.commands.confinement import FLOOR_PIDS, NEEDLESS
from infra.errors import AuthenticationError, StepError
from infra.host.resource import endpoint_of
from infra.transport.link import Link
from infra.transport.pool import close_all

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("hostlab"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]

ENGINE = Path(__file__).parents[2] / "infra" / "transport" / "remote" / "engine.py"
APP = "$(docker ps -q --filter label=com.docker.compose.service=app)"
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


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Wish, float]]:
    with booted_lab(tmp_path_factory.mktemp("hostlab")) as lab:
        wish = Wish(lab.commit())
        started = time.monotonic()
        assert set(lab.run(wish).values()) == {"create"}
        yield lab, wish, time.monotonic() - started


@pytest.fixture
def lab(booted: tuple[Lab, Wish, float]) -> Lab:
    return booted[0]


@pytest.fixture
def wish(booted: tuple[Lab, Wish, float]) -> Iterator[Wish]:
    lab, wish, _ = booted
    yield Wish(wish.commit)
    lab.refresh()
    lab.run(wish)


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


def test_a_new_commit_changes_the_application_and_leaves_the_rest_running(lab: Lab, wish: Wish) -> None:
    cache, app = lab.container("cache"), lab.container("app")

    operations = lab.run(Wish(lab.commit(README_md="A new release.\n")))

    changed = {name for name, operation in operations.items() if operation == "update"}
    assert changed == {"checkout", "images", "migrations", "stack", "health"}
    assert lab.container("cache") == cache
    assert lab.container("app") != app
    del wish


def test_a_release_without_a_service_is_migrated_before_the_service_goes(lab: Lab, wish: Wish) -> None:
    compose = (WORKLOAD / "docker-compose.yml").read_text()
    before, application = compose.split("  cache:\n")[0], "  app:\n" + compose.partition("  app:\n")[2]
    alone = before + application.replace("    depends_on: {cache: {condition: service_healthy}}\n", "")
    lab.shell("rm /var/lib/greenroom/hello.yml")  # as on a droplet where no container has been made yet

    for text in (compose, alone):
        lab.run(Wish(lab.commit(**{"docker-compose_yml": text})))
        assert ("cache:" in text) is bool(lab.container("cache"))
    del wish


def test_a_changed_secret_restarts_only_what_reads_it(lab: Lab, wish: Wish) -> None:
    cache, app = lab.container("cache"), lab.container("app")
    wish.secrets["TOKEN"] = "another secret"

    operations = lab.run(wish)

    changed = {name for name, operation in operations.items() if operation == "update"}
    assert changed == {"env file", "migrations", "stack", "health"}
    assert (lab.container("cache"), lab.container("app") == app) == (cache, False)
    assert lab.environment()["TOKEN"] == "another secret"


def test_hostile_values_reach_the_container_byte_for_byte(lab: Lab, wish: Wish) -> None:
    chance = random.Random(7)  # noqa: S311 (the same values in every run)
    alphabet = [chr(code) for code in range(1, 0x250) if not 0x7F <= code < 0xA0] + list("كلمة€😀\n\r\t\"'\\$`#{}%=")
    secrets = {f"S{number}": "".join(chance.choices(alphabet, k=chance.randint(1, 60))) for number in range(150)}
    hostile = ["", " ", "$HOME", "${X:-y}", "$$", "a#b", " #c", '"', "'", "\\", "\\n", "a\nb", "{{ 7 }}", "a=b", "%40"]
    secrets |= {f"H{number}": value for number, value in enumerate(hostile)}
    wish.values = {"LIST": ["x", {"deep": 1.0}], "FLAG": True}
    wish.secrets |= secrets

    lab.run(wish)
    arrived = lab.environment()

    assert {name: arrived.get(name) for name in secrets} == secrets
    assert arrived["LIST"] == '["x",{"deep":1}]'
    assert arrived["FLAG"] == "true"
    assert arrived["INTERPOLATED"] == wish.secrets["TOKEN"]


def test_a_crash_is_refused_at_once_with_its_log_and_without_its_secret(lab: Lab, wish: Wish) -> None:
    wish.values = {"CRASH": True}
    wish.secrets["TOKEN"] = "canary-token-1234"
    started = time.monotonic()
    with pytest.raises(StepError) as raised:
        lab.run(wish)

    error = raised.value
    assert (error.phase, error.code, error.exit_status) == ("compose-up", "SERVICE_CRASHED", 1)
    assert "cannot start with [secret]" in error.evidence
    assert "canary-token-1234" not in str(error)
    assert "docker logs" in error.hint
    assert time.monotonic() - started < 60


def test_the_status_of_a_crash_is_known_when_the_container_runs_again(lab: Lab, wish: Wish) -> None:
    del wish
    script = (
        "id=$(docker run -d --restart always redis:7-alpine sh -c 'test -e /ran || { touch /ran; exit 7; }; sleep 9')\n"
        'for n in $(seq 200); do [ "$(docker inspect -f "{{.RestartCount}} {{.State.Status}}" $id)" = "1 running" ] && '
        "break; sleep 0.05; done; docker inspect -f '{{.State.ExitCode}}' $id; python3 -I - $id; docker rm -f $id >&2"
    )
    question = "import sys\nprint(*(Engine().last_exit(name, 0.0) for name in (sys.argv[1], 'none')))"
    assert lab.shell(script, stdin=f"{ENGINE.read_text()}\n{question}").split() == ["0", "7", "None"]


def test_a_build_that_fails_is_refused_with_its_words_and_the_old_release_serves_on(lab: Lab, wish: Wish) -> None:
    app = lab.container("app")
    broken = lab.commit(Dockerfile="FROM python:3.11-slim\nRUN echo no such luck && false\n")
    with pytest.raises(StepError) as raised:
        lab.run(Wish(broken))

    assert raised.value.code == "IMAGE_BUILD_FAILED"
    assert "no such luck" in raised.value.evidence
    assert lab.container("app") == app
    del wish


def test_a_compose_file_that_opens_the_machine_is_refused_before_anything_is_built(lab: Lab, wish: Wish) -> None:
    running = {name: lab.container(name) for name in ("app", "cache")}
    compose = (WORKLOAD / "docker-compose.yml").read_text()
    opened = compose.replace("    restart: always\n", "    restart: always\n    privileged: true\n", 1).replace(
        '"127.0.0.1:8002:8000"', '"8002:8000"'
    )
    with pytest.raises(StepError) as raised:
        lab.run(Wish(lab.commit(**{"docker-compose_yml": opened})))

    error, published = raised.value, "published on 0.0.0.0:8002; expected 127.0.0.1, where the proxy reaches it"
    assert (error.code, error.phase, error.exit_code) == ("COMPOSE_UNCONFINED", "build", 4)
    assert error.evidence.splitlines() == [
        f"docker-compose.yml: service app: {published} [docker-5.14]",
        "docker-compose.yml: service cache: privileged: true; expected no privileged container [docker-5.5]",
    ]
    assert {name: lab.container(name) for name in running} == running
    assert lab.shell("docker images -q --filter reference='hello-app:*' | sort -u | wc -l").strip() == "1"
    del wish


HIDDEN = """
    configs: [program]
    secrets: [passwords]
    security_opt: [systempaths=unconfined]
    cgroup: host
    device_cgroup_rules: ["b *:* rwm"]
    volumes_from: ["container:other:ro"]
    volumes: ["cache_data:/data", "whole:/whole", "disk:/disk"]
"""
DECLARED = """
  whole: {driver_opts: {type: none, o: rbind, device: /}}
  disk: {driver_opts: {type: ext4, device: /dev/vda1}}
configs: {program: {file: ./app.py}}
secrets: {passwords: {file: /etc/shadow}}
"""


def test_the_machine_is_found_by_every_way_that_compose_has_to_it(lab: Lab, wish: Wish) -> None:
    compose = (WORKLOAD / "docker-compose.yml").read_text()
    opened = compose.replace('\n    volumes: ["cache_data:/data"]\n', HIDDEN, 1) + DECLARED.lstrip("\n")
    with pytest.raises(StepError) as raised:
        lab.run(Wish(lab.commit(**{"docker-compose_yml": opened})))

    assert raised.value.code == "COMPOSE_UNCONFINED", raised.value.evidence
    own = "expected directories of the workload alone [docker-5.6]"
    assert [
        line.removeprefix("docker-compose.yml: service cache: ") for line in raised.value.evidence.splitlines()
    ] == [
        "cgroup: host; expected control groups of its own [docker-5.25]",
        "systempaths:unconfined; expected the kernel's files masked [greenroom-11]",
        "device_cgroup_rules: b *:* rwm; expected no device of the machine [docker-5.18]",
        f"the machine's /etc/shadow; {own}",
        f"the machine's /; {own}",
        f"a volume of the file system ext4 of /dev/vda1; {own}",
        "the volumes of container other; expected volumes of the project [docker-5.6]",
    ]
    del wish


def test_every_container_has_the_floor_under_it(lab: Lab, wish: Wish) -> None:
    del wish
    inspected = {
        name: json.loads(lab.shell(f"docker inspect {lab.container(name)}"))[0]["HostConfig"]
        for name in ("app", "cache")
    }
    for host in inspected.values():
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert set(NEEDLESS) <= set(host["CapDrop"])
        assert host["PidsLimit"] == FLOOR_PIDS
    assert {name: host["Memory"] for name, host in inspected.items()} == {"app": 128 * 2**20, "cache": 2**30}
    held = lab.shell(f"docker exec {lab.container('cache')} grep -E 'NoNewPrivs|CapBnd' /proc/1/status")
    assert held.split() == ["CapBnd:", "00000000000404fb", "NoNewPrivs:", "1"]


def test_a_commit_that_is_gone_is_refused_and_named(lab: Lab, wish: Wish) -> None:
    with pytest.raises(StepError) as raised:
        lab.run(Wish("f" * 40))
    assert raised.value.code == "COMMIT_MISSING"
    assert "git ls-remote" in raised.value.hint
    del wish


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
