"""Each verb of healing on a droplet that boots: a real fault, the act, the look afterwards, and what it refuses."""

from __future__ import annotations

import json
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from forging import forged, place_of
from hostlab import DOMAIN, Lab, Wish, booted_lab
from patchlab import PACKAGE, seeded, served_repository

from infra.healing.hands import Hands, Seen
from infra.healing.looking import Place, look_at
from infra.healing.model import Act, Declared, Outcome, Verb
from infra.healing.watch import Logbook, Watch
from infra.host.resource import endpoint_of
from infra.transport.pool import link
from infra.transport.worker import worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.healing.detector import Look
    from infra.healing.model import Failure
    from infra.transport.worker import Worker

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("remedies"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]

APP, CACHE = ("$(docker ps -q --filter label=com.docker.compose.service=" + name + ")" for name in ("app", "cache"))
SHORT_LIVED = """
mkdir -p /tmp/short
caddy adapt --config /etc/caddy/Caddyfile 2>/dev/null > /tmp/short/config.json
sed -i 's/{"module":"internal"}/{"module":"internal","lifetime":2000000000}/' /tmp/short/config.json
mv /var/lib/caddy/.local/share/caddy/certificates/local /tmp/short/
caddy reload --config /tmp/short/config.json --force 2>/dev/null
sleep 3
"""
"""Leaves the proxy with a certificate that has expired: it looks after its certificates every ten minutes only."""


class Ward:
    """A droplet with a deployed workload, and hands on it."""

    def __init__(self, lab: Lab, wish: Wish) -> None:
        self.lab, self.wish = lab, wish
        self.shell = lab.shell
        declared = Declared(
            stack="lab",
            project="hello",
            directory="/home/deploy/hello",
            user="deploy",
            compose_file="docker-compose.yml",
            env_file=".env.staging",
            domain=DOMAIN,
            machine="970001",
            tag="greenroom-lab",
            address=lab.first["host"],
            commit=wish.commit,
            repository="http://git.greenroom.test/hello.git",
            branch="develop",
            secret_sources={"TOKEN": "generated"},
        )
        unused = Seen(succeeded=False, refused="not here")
        self.hands = Hands(declared, self.worker, self.converge, lambda: unused, lambda _act: unused)

    def worker(self) -> Worker:
        return worker(link(endpoint_of(self.lab.state["baseline"]["connection"]), patience_s=10))

    def converge(self) -> Seen:
        drift = self.lab.refresh()
        self.lab.run(self.wish)
        return Seen(succeeded=not self.lab.refresh(), before=str(drift), after="converged")

    def perform(self, verb: Verb, subject: str) -> Outcome:
        return self.hands.perform(Act(verb, subject, "a test", "see below"))

    def is_healthy(self, container: str) -> bool:
        return self.shell(f"docker inspect -f '{{{{.State.Health.Status}}}}' {container}").strip() == "healthy"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with booted_lab(tmp_path_factory.mktemp("remedies")) as lab:
        wish = Wish(lab.commit())
        lab.run(wish)
        yield Ward(lab, wish)


def test_a_service_is_restarted_whatever_keeps_it_from_serving(ward: Ward) -> None:
    for service, container, fault in (
        ("app", APP, f"kill -STOP $(docker inspect -f '{{{{.State.Pid}}}}' {APP})"),
        ("cache", CACHE, f"docker pause {CACHE}"),
        ("app", APP, f"docker kill {APP}"),
    ):
        name = ward.lab.container(service)
        ward.shell(fault)

        healed = ward.perform(Verb.RESTART_SERVICE, service)

        assert healed.succeeded, (fault, healed)
        assert healed.before != healed.after
        assert ward.lab.container(service) == name, "it is the same container"
        assert ward.is_healthy(container)


def test_a_container_that_only_kill_ends_is_restarted_and_then_removed_without_its_volume(ward: Ward) -> None:
    image = f"hello-app:staging-{ward.wish.commit[:7]}"
    labels = " ".join(
        f"--label com.docker.compose.{name}"
        for name in ("project=hello", "service=deaf", "oneoff=False", "container-number=1")
    )
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    start = f'docker run -d --name deaf --stop-timeout 1 -v deaf:/kept {labels} {image} python -c "{code}"'
    ward.shell(start)
    first = ward.shell("docker inspect -f '{{.State.Pid}}' deaf")

    restarted = ward.perform(Verb.RESTART_SERVICE, "deaf")
    assert restarted.succeeded, restarted
    assert ward.shell("docker inspect -f '{{.State.Pid}}' deaf") != first

    removed = ward.perform(Verb.REMOVE_CONTAINER, "deaf")
    assert removed.succeeded, removed
    assert removed.after == "gone; 1 of 1 volumes are there"
    assert ward.shell("docker volume ls -q --filter name=deaf").strip() == "deaf"
    ward.shell("docker volume rm deaf")


def test_a_removed_container_comes_back_with_its_data_when_the_program_runs(ward: Ward) -> None:
    ward.shell(f"docker exec {CACHE} redis-cli set kept yes; docker exec {CACHE} redis-cli save")
    name = ward.shell(f"docker inspect -f '{{{{.Name}}}}' {CACHE}").strip().lstrip("/")

    assert ward.perform(Verb.REMOVE_CONTAINER, name).succeeded
    undone = ward.perform(Verb.CONVERGE, "stack")

    assert undone.succeeded
    assert "service cache has no container" in undone.before
    assert ward.shell(f"docker exec {CACHE} redis-cli get kept").strip() == "yes"


def test_what_is_not_the_stack_s_own_is_left_alone(ward: Ward) -> None:
    image = f"hello-app:staging-{ward.wish.commit[:7]}"
    ward.shell(f"docker run -d --name stranger --label com.docker.compose.project= {image} sleep 600")
    ward.shell(f"docker run -d --name debugging {image} sleep 600")
    ward.shell(f"docker run -d --name neighbour --label com.docker.compose.project=other {image} sleep 600")
    before = ward.shell("docker ps -q --no-trunc")
    for verb, subject, why in (
        (Verb.REMOVE_CONTAINER, "stranger", "belongs to no compose project, not to hello"),
        (Verb.REMOVE_CONTAINER, "neighbour", "belongs to the project other, not to hello"),
        (Verb.REMOVE_CONTAINER, "debugging", "only has its image's label: compose did not make it"),
        (Verb.REMOVE_CONTAINER, "nobody", "there is no container nobody"),
        (Verb.RESTART_SERVICE, "stranger", "has 0 containers of a service stranger"),
        (Verb.START_UNIT, "ssh.service", "none of docker.service, containerd.service, caddy.service"),
        (Verb.RENEW_CERTIFICATE, DOMAIN, "is not called for: valid until"),
    ):
        refused = ward.perform(verb, subject)

        assert why in refused.refused, (verb, subject, refused)
        assert not refused.succeeded
    assert ward.shell("docker ps -q --no-trunc") == before
    # The host refuses by itself too, whatever a controller would send.
    for act, why in (
        ({"do": "start_unit", "unit": "ssh.service"}, "is none of"),
        ({"do": "remove_container", "project": "hello", "container": "../volumes/hello_cache_data"}, "no container's"),
    ):
        sent = {**act, "keep": "seen"}
        answer = ward.worker().call(subject="t", phase="t", probes={}, acts=[sent])
        assert why in json.loads(answer["seen"])["refused"]
    ward.shell("docker rm -f -v stranger neighbour debugging")


def test_a_unit_that_is_down_or_answers_nobody_serves_again(ward: Ward) -> None:
    for unit, fault in (
        ("docker.service", "systemctl stop docker.socket docker.service"),
        ("caddy.service", "systemctl kill --signal=SIGKILL caddy; sleep 0.3"),
        ("caddy.service", "kill -STOP $(systemctl show -p MainPID --value caddy)"),
    ):
        ward.shell(fault)

        healed = ward.perform(Verb.START_UNIT, unit)

        assert healed.succeeded, (fault, healed)
        assert "active (running)" in healed.after
        assert ward.perform(Verb.START_UNIT, unit).before == healed.after, "a second time changes nothing"
    ward.shell("systemctl stop caddy; systemctl mask --quiet caddy")
    assert "is masked: somebody decided that" in ward.perform(Verb.START_UNIT, "caddy.service").refused
    ward.shell("systemctl unmask --quiet caddy; systemctl start caddy")


def test_the_proxy_reads_its_file_again_unless_the_file_is_broken(ward: Ward) -> None:
    ward.shell("caddy adapt --config /etc/caddy/Caddyfile 2>/dev/null | sed s/8002/8009/ > /tmp/other.json")
    ward.shell("caddy reload --config /tmp/other.json --force 2>/dev/null")

    healed = ward.perform(Verb.RELOAD_PROXY, "proxy")

    assert healed.succeeded, healed
    assert (healed.before, healed.after) == (
        "the running configuration is not the file's",
        "the running configuration is the file's",
    )
    ward.shell("cp -p /etc/caddy/Caddyfile /tmp/good; echo 'nonsense {' >> /etc/caddy/Caddyfile")
    broken = ward.perform(Verb.RELOAD_PROXY, "proxy")
    assert "the proxy's file is not valid" in broken.refused
    assert "Syntax error" in broken.refused
    ward.shell("cp -p /tmp/good /etc/caddy/Caddyfile; systemctl is-active caddy")


def test_an_expired_certificate_is_renewed_once_more(ward: Ward) -> None:
    ward.shell(SHORT_LIVED)
    authority = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
    ask = f"curl -sS --cacert {authority} --resolve {DOMAIN}:443:127.0.0.1 https://{DOMAIN}/health 2>&1 || true"
    assert "certificate has expired" in ward.shell(ask)

    healed = ward.perform(Verb.RENEW_CERTIFICATE, DOMAIN)

    assert healed.succeeded, healed
    assert healed.before == "certificate has expired"
    assert healed.after.startswith("valid until")
    assert ward.shell(ask).strip() == "{}"


@pytest.mark.parametrize(
    ("name", "since", "before"),
    [
        ("old.test", "20250101000000Z", f"Hostname mismatch, certificate is not valid for '{DOMAIN}'."),
        (DOMAIN, "20400101000000Z", "certificate is not yet valid"),
    ],
)
def test_a_certificate_of_another_name_or_time_is_laid_by(ward: Ward, name: str, since: str, before: str) -> None:
    ward.shell(forged(DOMAIN, subject=f"/CN={DOMAIN}", alternative=f"DNS:{name}", since=since))

    healed = ward.perform(Verb.RENEW_CERTIFICATE, DOMAIN)

    assert healed.succeeded, healed
    assert healed.before == before
    assert healed.after.startswith("valid until")
    assert ward.shell(f"ls -d {place_of(DOMAIN)}.former-*").strip()
    ward.shell(f"rm -r {place_of(DOMAIN)}.former-*; systemctl reset-failed caddy")


def test_only_what_has_no_name_is_pruned(ward: Ward) -> None:
    build = "docker build -q --label com.docker.compose.project"
    ward.shell("docker volume create precious")
    for project in ("hello", "other"):
        for content in ("RUN true", f"RUN echo {project} > /tmp/x"):
            file = f"FROM redis:7-alpine\\n{content}\\n"
            ward.shell(f"printf '{file}' | {build}={project} -t {project}-twice -")
    foreign = "docker images -q --filter dangling=true --filter label=com.docker.compose.project=other"
    left = ward.shell(foreign)
    assert left
    named = ward.shell("docker images --format '{{.Repository}}:{{.Tag}}' | grep -v none | sort")

    healed = ward.perform(Verb.PRUNE_IMAGES, "")

    assert healed.succeeded, healed
    assert "0 own dangling images, 0 unused cache entries" in healed.after
    assert ward.shell(foreign) == left, "another project's stay"
    assert ward.shell("docker images --format '{{.Repository}}:{{.Tag}}' | grep -v none | sort") == named
    assert "precious" in ward.shell("docker volume ls -q")
    assert "there is no dangling image" in ward.perform(Verb.PRUNE_IMAGES, "").refused
    ward.shell(f"docker volume rm precious; docker rmi hello-twice other-twice {left}")


def test_the_lock_file_is_made_by_the_image_s_own_npm_and_the_checkout_is_not_touched(
    ward: Ward, tmp_path: Path
) -> None:
    images = ward.shell("docker images -q | sort -u")
    with served_repository(tmp_path) as repository:
        repository.host = ward.worker()
        base = seeded(repository)

        seen = repository.offer(base, may_push=True)

        assert seen.succeeded, seen
        assert "by npm 10." in seen.after
        (branch,) = set(repository.branches()) - {"develop"}
        text = repository.git("show", f"{branch}:dashboard/package-lock.json", at=repository.bare)
    lock = json.loads(text)
    assert lock["packages"][""]["devDependencies"] == PACKAGE["devDependencies"]
    assert lock["packages"]["node_modules/esbuild"]["integrity"].startswith("sha512-")
    assert "resolved" not in text
    assert ward.lab.refresh() == {}, "the droplet is as it was declared"
    assert ward.shell("docker images -q | sort -u") == images
    assert "greenroom-lock" not in ward.shell("docker ps -a --format '{{.Names}}'")
    assert ward.shell("ls -d /var/lib/greenroom/lock-* 2>/dev/null | wc -l").strip() == "0"


class WardSight:
    """Looks at the droplet as a watch does, until it is told to end."""

    def __init__(self, ward: Ward) -> None:
        self.ward, self.ended = ward, threading.Event()
        reach, authority = ward.lab.first["host"], ward.lab.state["proxy"]["ca_certificate"]
        self.place = Place("hello", DOMAIN, reach, ("/health", "/ready"), authority)
        self.looks: list[float] = []

    def services(self) -> tuple[str, ...]:
        return ("app", "cache")

    def look(self, span_s: float) -> Look:
        began = self.clock()
        seen = look_at(self.place, self.ward.worker, at=began, wall="2026-01-01T00:00:00Z", span_s=span_s)
        self.looks.append(self.clock() - began)
        return seen

    def wait(self, seconds: float, /) -> bool:
        return self.ended.wait(seconds)

    def clock(self) -> float:
        return time.monotonic()


def test_a_watch_sees_a_killed_container_within_seconds_hands_it_over_and_goes_on(ward: Ward) -> None:
    sight = WardSight(ward)
    lines: list[str] = []
    handed: list[tuple[float, Failure]] = []

    def heal(failure: Failure) -> str:
        handed.append((time.monotonic(), failure))
        service = failure.resource.removeprefix("service ")
        return "healed" if ward.perform(Verb.RESTART_SERVICE, service).succeeded else "not healed"

    watching = threading.Thread(target=Watch(sight, Logbook(lines.append, time.monotonic), heal).run, daemon=True)
    watching.start()
    wait_until(lambda: len(sight.looks) >= 1)
    assert handed == [], "a healthy stack is no alarm"
    faults = [("service app", f"docker kill {APP}"), ("service cache", FREEZE)]
    delays: list[float] = []
    for number, (resource, fault) in enumerate(faults, 1):
        ward.shell(fault)
        began = time.monotonic()
        wait_until(lambda wanted=number: lines.count("healed") == wanted)
        delays.append(handed[-1][0] - began)
        assert handed[-1][1].resource == resource
    sight.ended.set()
    watching.join(1.0)

    assert not watching.is_alive()
    assert max(delays) < 12.0, delays  # half an interval, a look, and what a busy machine adds
    assert [failure.code for _, failure in handed] == ["NOT_HEALTHY", "NOT_HEALTHY"]
    assert sorted(sight.looks)[len(sight.looks) // 2] < 2.0, "a look is cheap"
    assert ward.converge().succeeded
    assert " ".join(line for line in lines if line.startswith("not healed")) == ""


FREEZE = f"kill -STOP $(docker inspect -f '{{{{.State.Pid}}}}' {CACHE})"


def wait_until(holds: Any, timeout_s: float = 40.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
