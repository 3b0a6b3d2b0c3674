"""Evidence of a droplet that boots: a healthy one gives no cause, and real faults are seen and named."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hostlab import DIRECTORY, DOMAIN, Lab, Wish, booted_lab

from infra.healing.diagnosis import diagnose
from infra.healing.evidence import HOST_SECTIONS, collect, is_answered
from infra.healing.model import Declared, Situation
from infra.host.resource import endpoint_of
from infra.transport.pool import link
from infra.transport.remote.evidence import DEADLINE_S
from infra.transport.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("evidence"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]

APP, TOKEN = "hello-app-1", "Zq7-told-to-nobody"
BREAK = (
    "docker cp {app}:/app/app.py /root/app.py && sed '{edit}' /root/app.py >/root/bad.py && "
    "docker cp /root/bad.py {app}:/app/app.py && docker restart -t 0 {app}"
)
MEND = f"docker cp /root/app.py {APP}:/app/app.py && docker restart -t 0 {APP}"
START = f"for i in 1 2 3; do docker start {APP} && break; sleep 1; done"
PIDS = f"$(docker top {APP} -eo pid | tail -n +2)"
SIGNED = r"""
ca=/var/lib/caddy/.local/share/caddy/pki/authorities/local; mkdir -p /etc/caddy/old; cd /etc/caddy/old
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -subj / -out req.pem 2>/dev/null
echo 'subjectAltName=DNS:@NAME@' >ext
openssl x509 -req -in req.pem -CA $ca/intermediate.crt -CAkey $ca/intermediate.key -extfile ext \
  -not_before @FROM@000000Z -not_after @UNTIL@000000Z -out leaf.pem 2>/dev/null
cat leaf.pem $ca/intermediate.crt >cert.pem; chown -R caddy: .; cp -n /etc/caddy/Caddyfile /root/Caddyfile
sed -i 's#tls internal#tls /etc/caddy/old/cert.pem /etc/caddy/old/key.pem#' /etc/caddy/Caddyfile
systemctl reset-failed caddy; systemctl restart caddy
for i in $(seq 50); do ss -Hltn 'sport = :443' | grep -q . && break; sleep 0.1; done
"""
PLAIN = "cp /root/Caddyfile /etc/caddy/Caddyfile && systemctl reset-failed caddy; systemctl restart caddy"
SERVED = "for i in $(seq 50); do ss -Hltn 'sport = :443' | grep -q . && break; sleep 0.1; done"
SQUAT = (
    "systemd-run -q --unit=squat python3 -m http.server 8002 --bind 127.0.0.1; "
    "for i in $(seq 50); do ss -Hltn 'sport = :8002' | grep -q . && break; sleep 0.1; done"
)
THIEF = (
    "docker run -d --name thief --label com.docker.compose.project={project} --label com.docker.compose.service=old "
    f"-p 127.0.0.1:8002:6379 redis:7-alpine && ! docker start {APP}"
)


@dataclass(frozen=True)
class Fault:
    """A fault, what it is called, what it is about, and a line that its proof has to hold."""

    code: str
    inject: str
    mend: str
    subject: str = "app"
    says: str = ""
    rarely: bool = False
    """Whether it is left to `pytest -m matrix`: its like is looked at with every change."""


def certificate(name: str, since: str, until: str) -> str:
    """Return the script that has the proxy serve a certificate of its own authority."""
    return SIGNED.replace("@NAME@", name).replace("@FROM@", since).replace("@UNTIL@", until)


FAULTS = {
    "a container that was stopped": Fault("SERVICE_STOPPED", f"docker stop -t 1 {APP}", START, says="exited"),
    "a container that was paused": Fault(
        "SERVICE_STOPPED", f"docker pause {APP}", f"docker unpause {APP}", says="paused", rarely=True
    ),
    "a service that was frozen": Fault("SERVICE_HUNG", f"kill -STOP {PIDS}", f"kill -CONT {PIDS}", says="no answer"),
    "a crash with a traceback": Fault(
        "APP_IMPORT_FAILED",
        BREAK.format(app=APP, edit="s/^import json/import socketio/"),
        MEND,
        says="No module named 'socketio'",
        rarely=True,
    ),
    "a crash that prints a secret": Fault(
        "APP_CRASHED",
        BREAK.format(app=APP, edit='s/^import json/import json, os; raise OSError(os.environ["TOKEN"])/'),
        MEND,
        says="[secret]",
    ),
    "want of memory": Fault(
        "SERVICE_OUT_OF_MEMORY",
        BREAK.format(app=APP, edit="s/^import json/import json; x = bytes([1]) * (400 * 1024**2)/"),
        f"{MEND}; sleep 6",  # whatever ends within five seconds of a kill counts as ended by it
        says="128 MiB",
    ),
    "a port that a process has": Fault(
        "PORT_TAKEN",
        f"docker stop -t 1 {APP}; {SQUAT}; ! docker start {APP}",
        f"systemctl stop squat; {START}",
        "8002",
        "python3",
    ),
    "a port that another project has": Fault(
        "PORT_TAKEN",
        f"docker stop -t 1 {APP}; {THIEF.format(project='other')}",
        f"docker rm -f thief; {START}",
        "8002",
        "thief of the project other",
    ),
    "a port that a leftover of the project has": Fault(
        "PORT_TAKEN_BY_OURS",
        f"docker stop -t 1 {APP}; {THIEF.format(project='hello')}",
        f"docker rm -f thief; {START}",
        "port 8002",
        "thief of the project hello",
        rarely=True,
    ),
    "a full file system": Fault(
        "DISK_FULL",
        "mkdir -p /var/full; mount -t tmpfs -o size=40m tmpfs /var/full; ! head -c 60m /dev/zero >/var/full/ballast",
        "umount /var/full",
        "/var/full",
        "100 % used",
    ),
    "no inode": Fault(
        "INODES_FULL",
        "mkdir -p /var/full; mount -t tmpfs -o size=40m,nr_inodes=16 tmpfs /var/full; cd /var/full; ! touch $(seq 40)",
        "umount /var/full",
        "/var/full",
        rarely=True,
    ),
    "a certificate that has expired": Fault(
        "CERTIFICATE_EXPIRED", certificate(DOMAIN, "20250101", "20250201"), PLAIN, DOMAIN, "2025-02-01"
    ),
    "a certificate that is not valid yet": Fault(
        "CERTIFICATE_EARLY", certificate(DOMAIN, "20400101", "20400201"), PLAIN, DOMAIN, "2040-01-01", rarely=True
    ),
    "a certificate for another name": Fault(
        "CERTIFICATE_NAME", certificate("other.test", "20250101", "20400201"), PLAIN, DOMAIN, "other.test", rarely=True
    ),
    "a proxy that runs another configuration": Fault(
        "PROXY_STALE", "echo '# edited' >/dev/null; sed -i 's/DENY/SAMEORIGIN/' /etc/caddy/Caddyfile", PLAIN, "proxy"
    ),
    "a proxy that was stopped": Fault(
        "PROXY_DOWN", "systemctl stop caddy", f"systemctl start caddy; {SERVED}", "caddy.service", rarely=True
    ),
    "a placeholder in the env file": Fault(
        "ENV_FILE_ALTERED",
        "cp -p .env.staging /root/env; sed -i 's/^TOKEN=.*/TOKEN=<CHANGE_ME_TOKEN>/' .env.staging",
        "cp -p /root/env .env.staging",
        ".env.staging",
        "TOKEN is a placeholder",
    ),
    "an edited checkout": Fault(
        "CHECKOUT_ALTERED", "echo '# edited' >>app.py", "runuser -u deploy -- git checkout -q app.py", DIRECTORY
    ),
    "a directory of another owner": Fault(
        "DIRECTORY_OWNER",
        f"docker stop -t 1 {APP}; chown root: state",
        f"chown 1000:1000 state; {START}",
        f"{DIRECTORY}/state",
        "belongs to 0",
    ),
    "Docker stopped": Fault(
        "DOCKER_DOWN", "systemctl stop docker.socket docker", "systemctl start docker.socket docker", "docker.service"
    ),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with booted_lab(tmp_path_factory.mktemp("evidence")) as lab:
        wish = Wish(lab.commit(), secrets={"TOKEN": TOKEN})
        lab.run(wish)
        yield lab


def declared_of(lab: Lab) -> Declared:
    """Return what a stack's settings and state would say of the lab."""
    return Declared(
        stack="lab",
        project="hello",
        directory=DIRECTORY,
        user="deploy",
        compose_file="docker-compose.yml",
        env_file=".env.staging",
        domain=DOMAIN,
        machine="970001",
        tag="",
        address=lab.first["host"],
        commit=lab.state["checkout"]["commit"],
        repository="http://git.greenroom.test/hello.git",
        branch="develop",
        services=lab.state["stack"]["recorded"]["services"],
        directories=(f"{DIRECTORY}/state",),
        ports=(8002,),
        secret_sources={"TOKEN": "config"},
        migration={"service": "app", "current": ["python", "/app/app.py", "current"], "revision": "0001"},
        env_names=("GREETING", "LIST", "N", "TOKEN"),
        variables={"IMAGE_TAG": f"staging-{lab.state['checkout']['commit'][:7]}"},
        routes={"/*": 8002},
        health_paths=("/health", "/ready"),
        authority=lab.state["proxy"]["ca_certificate"],
    )


def look(lab: Lab) -> Situation:
    """Collect the evidence as the healer does."""
    declared = declared_of(lab)
    reach = {**lab.first, "host_key": lab.state["pinned host"]["host_key"]}
    at = worker(link(endpoint_of(reach), patience_s=10.0))
    return Situation(declared, evidence=collect(at, declared))


def timed(lab: Lab) -> tuple[Situation, float]:
    """Look, and tell how many seconds that took."""
    began = time.monotonic()
    return look(lab), time.monotonic() - began


def root(found: Situation) -> str:
    """Return the code of the root cause; empty where there is none."""
    return next((match.cause.code for match in diagnose(found)), "")


def settled(lab: Lab, until: Callable[[Situation], bool]) -> Situation:
    """Look until the evidence shows it, for twenty seconds at most: a crash takes a moment, a busy machine more."""
    deadline = time.monotonic() + 20
    while not until(found := look(lab)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def is_well(found: Situation) -> bool:
    """Tell whether every container is healthy, every path answers, and every question was answered."""
    services = found.evidence["containers"].get("services", {})
    answers = found.evidence["http"].get("public", {})
    return (
        len(services) == 2
        and all((each["state"], each["health"]) == ("running", "healthy") for each in services.values())
        and all(each["status"] == 200 for each in answers.values())
        and all(is_answered(found.evidence[name]) for name in HOST_SECTIONS)
    )


def test_a_healthy_host_answers_everything_quickly_and_has_no_cause(lab: Lab) -> None:
    found = settled(lab, is_well)
    assert [name for name in HOST_SECTIONS if not is_answered(found.evidence[name])] == []
    assert [match.fingerprint for match in diagnose(found)] == []
    assert min(timed(lab)[1] for _ in range(3)) < DEADLINE_S + 1.0
    text = json.dumps(found.evidence)
    assert len(text) < 200_000
    assert TOKEN not in text


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.matrix] if fault.rarely else []) for name, fault in FAULTS.items()]
)
def test_a_real_fault_is_seen_and_named(lab: Lab, name: str) -> None:
    fault = FAULTS[name]
    try:
        lab.shell(fault.inject)
        found = settled(lab, lambda found: root(found) == fault.code)
        matches = diagnose(found)
    finally:
        lab.shell(fault.mend)
    assert [match.cause.code for match in matches[:1]] == [fault.code], [match.fingerprint for match in matches]
    assert matches[0].subject == fault.subject
    assert fault.says in "\n".join(each.line for each in matches[0].proof)
    assert TOKEN not in json.dumps(found.evidence)


def test_a_daemon_that_hangs_costs_no_more_than_the_deadline(lab: Lab) -> None:
    try:
        lab.shell("systemctl kill -s STOP docker")
        found, elapsed = timed(lab)
    finally:
        lab.shell("systemctl kill -s CONT docker")
    assert elapsed < 5.0
    assert diagnose(found)[0].fingerprint == "DOCKER_DOWN:docker.service"
    assert is_answered(found.evidence["disk"])


def test_name_servers_that_swallow_questions_cost_no_more_than_the_deadline(lab: Lab) -> None:
    reject = "iptables -{} INPUT -p udp --sport 53 -j DROP"
    try:
        lab.shell(reject.format("I"))
        found, elapsed = timed(lab)
    finally:
        lab.shell(reject.format("D"))
    assert elapsed < 5.0
    assert found.evidence["dns"] == {"unanswered": "no answer in 3 s"}
    assert is_answered(found.evidence["containers"])


def test_after_all_faults_the_host_is_well_and_has_no_cause(lab: Lab) -> None:
    found = settled(lab, is_well)
    assert [match.fingerprint for match in diagnose(found)] == []
