"""Releases on a droplet that boots: what a new one changes, and what is refused, with evidence, before it does harm."""

from __future__ import annotations

import json
import random
import shutil
import time

import pytest
from hostlab import WORKLOAD, Lab, Wish

from infra.commands.confinement import FLOOR_PIDS, NEEDLESS
from infra.errors import StepError
from infra.transport.code import code

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("hostlab"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]


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
    question = (
        f"{code().loader}\nimport json\nmodules = json.loads({code().modules.decode()!r})\n"
        "made = {name: marshal.dumps(compile(text, name, 'exec')) if text else b'' for name, text in modules.items()}\n"
        "sys.meta_path.insert(0, _Finder(made))\nfrom infra.transport.remote.engine import Engine\n"
        "print(*(Engine().last_exit(name, 0.0) for name in (sys.argv[1], 'none')))"
    )
    assert lab.shell(script, stdin=question).split() == ["0", "7", "None"]


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
