"""A hundred canary secrets through a success, a failed step, a rollback and a removal: none is where it must not be.

Then the sweep is put to the proof on the same droplet: a leak is planted in every kind of place, and each is found.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canarysweep import Hit, Sweep, canaries
from hostlab import DIRECTORY, booted_lab
from secretlab import COMPOSE, TEMPLATE, SecretsLab, wish_of

from infra.errors import StepError
from infra.host.resource import endpoint_of
from infra.transport.pool import link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostlab import Wish

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("secretsweep"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace on this machine"),
]

MARK = "/run/before-any-secret"
DECLARED = (
    # The engine and its runtimes keep each container's own environment: that is where it is declared. containerd's
    # database does not wipe the pages that it frees, so what was declared once can be read there later, by root.
    r"^/var/lib/docker/containers/[0-9a-f]*/config\.v2\.json$",
    r"^/run/containerd/io\.containerd\.runtime\.v2\.task/moby/[0-9a-f]*/config\.json$",
    r"^/run/docker/runtime-runc/moby/[0-9a-f]*/state\.json$",
    r"^/var/lib/containerd/io\.containerd\.metadata\.v1\.bolt/meta\.db$",
    rf"^{DIRECTORY}/\.env\.staging$",
)
READS_ALL = COMPOSE.replace(
    "    environment: {DATABASE_URL:", "    env_file: [.env.staging]\n    environment: {DATABASE_URL:"
)


class Watched:
    """A droplet whose every execve is traced from outside, and the places of it that a secret could reach."""

    def __init__(self, lab: SecretsLab, trace: Path, sweep: Sweep) -> None:
        self.lab, self.trace, self.sweep = lab, trace, sweep
        self.name = lab.machines.names.droplet(lab.spec.droplet_id)
        self.inside("touch", MARK)

    def inside(self, *argv: str, given: bytes = b"") -> bytes:
        """Run a command on the droplet; what it prints, whatever its exit status."""
        argv = ("docker", "exec", "-i", self.name, *argv)
        return subprocess.run(argv, input=given, capture_output=True, check=False, timeout=300).stdout

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """Follow every process of the droplet and all their children; strace lets them go on its own way out."""
        flags = [flag for pid, _ in self._processes() for flag in ("-p", str(pid))]
        argv = ["strace", "-qq", "-f", "-s", "1000000", "-e", "trace=execve", "-o", str(self.trace), *flags]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            assert process.poll() is None, "strace could not attach"
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def hits(self) -> list[Hit]:
        """Sweep every place but those where a container's environment is declared."""
        return [
            *self._command_lines(),
            *self._environments(),
            *self._disk(),
            *self._text("journald", "journalctl", "--output=export", "--all"),
            *self._containers(),
            *self._text("images", "bash", "-c", "docker images -q | xargs -r docker inspect"),
            *self._text("image history", "bash", "-c", "docker images -q | xargs -rn1 docker history --no-trunc"),
            *self._text("image layers", "bash", "-c", "docker images -q hello-app | xargs -r docker save"),
            *self._text("volumes and networks", "bash", "-c", "docker network inspect $(docker network ls -q)"),
        ]

    def _text(self, place: str, *argv: str) -> list[Hit]:
        return self.sweep.look(place, self.inside(*argv))

    def _command_lines(self) -> list[Hit]:
        """Sweep what execve was called with meanwhile, and the command lines of now."""
        now = b"\n".join(_read(f"/proc/{pid}/cmdline") for pid, _ in self._processes())
        return self.sweep.look("argv now", now) + self.sweep.look("execve trace", _read(str(self.trace)))

    def _environments(self) -> list[Hit]:
        """Sweep the environment of every process that is not inside one of the droplet's own containers."""
        own = [pid for pid, nested in self._processes() if not nested]
        return self.sweep.look("environ", b"\n".join(_read(f"/proc/{pid}/environ") for pid in own))

    def _disk(self) -> list[Hit]:
        """Sweep every file that was written or changed since before the first secret, container file systems too."""
        skip = "-path /proc -o -path /sys -o -path /dev -o -name merged"
        find = rf"find / \( {skip} \) -prune -o -type f \( -newer {MARK} -o -cnewer {MARK} \) -print0"
        # The forms wait in a file that only memory holds and that no search looks at.
        script = f'''umask 077; forms=$(mktemp -p /dev/shm); cat >"$forms"
            {find} | grep -zvE {shlex.quote("|".join(DECLARED))} | xargs -0r grep -HaoFf "$forms"; rm -f "$forms"'''
        return self.sweep.read_grep("disk", self.inside("bash", "-c", script, given=self.sweep.patterns))

    def _containers(self) -> list[Hit]:
        """Sweep what the engine tells of containers, apart from the environment that each declares."""
        inspected = json.loads(self.inside("bash", "-c", "docker inspect $(docker ps -aq) 2>/dev/null") or b"[]")
        readers = [each for each in inspected if self._declares(each)]
        for each in readers:
            each["Config"]["Env"] = []
        logs = self.inside("bash", "-c", "for c in $(docker ps -aq); do docker logs $c 2>&1; done")
        return self.sweep.look("docker inspect", json.dumps(inspected).encode()) + self.sweep.look("docker logs", logs)

    @staticmethod
    def _declares(container: dict[str, dict[str, dict[str, str]]]) -> bool:
        return (container["Config"].get("Labels") or {}).get("com.docker.compose.project") == "hello"

    def _processes(self) -> Iterator[tuple[int, bool]]:
        """Yield the droplet's processes as this machine numbers them, and whether each is in a container of its own."""
        container = subprocess.run(
            ["docker", "inspect", "-f", "{{.Id}}", self.name], check=True, capture_output=True, text=True
        ).stdout.strip()
        for entry in Path("/proc").iterdir():
            groups = _read(f"/proc/{entry.name}/cgroup").decode() if entry.name.isdigit() else ""
            if container in groups:
                below = groups.split(container, 1)[1].split("\n", 1)[0]
                yield int(entry.name), "docker" in below and "docker.service" not in below


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return Sweep(canaries(100, seed=2026))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, sweep: Sweep) -> Iterator[Watched]:
    with booted_lab(tmp_path_factory.mktemp("secretsweep"), SecretsLab) as lab:
        assert isinstance(lab, SecretsLab)
        yield Watched(lab, tmp_path_factory.mktemp("trace") / "execve", sweep)


def wish_with(sweep: Sweep, commit: str) -> Wish:
    wish = wish_of(commit, "not-a-canary-1", "not-a-canary-2")
    wish.secrets |= sweep.secrets
    return wish


def test_canaries_stay_in_their_place_planted_ones_are_found_and_after_the_removal_nothing_is_left(
    watched: Watched, sweep: Sweep, capfd: pytest.CaptureFixture[str]
) -> None:
    """One test of three parts, for they build on one another and tests run in any order."""
    no_canary_is_anywhere_but_in_its_place(watched, sweep, capfd)
    a_leak_planted_in_each_kind_of_place_is_found(watched)
    after_everything_is_removed_nothing_is_left(watched, sweep)


def no_canary_is_anywhere_but_in_its_place(watched: Watched, sweep: Sweep, capfd: pytest.CaptureFixture[str]) -> None:
    lab, told = watched.lab, []
    files = {"docker-compose_yml": READS_ALL, "_env_template": TEMPLATE}
    older = lab.commit(**files)
    lab.run(wish_with(sweep, older))
    with watched.traced():
        newer = lab.commit(**files, README_md="newer\n")
        lab.run(wish_with(sweep, newer))
        arrived = lab.environment()
        assert {name: arrived[name] for name in sweep.secrets} == sweep.secrets, "the canaries are where they belong"

        broken = lab.commit(
            **{
                "docker-compose_yml": READS_ALL,
                "_env_template": TEMPLATE,
                "Dockerfile": "FROM python:3.11-slim\nRUN false\n",
            }
        )
        with pytest.raises(StepError) as failed:
            lab.run(wish_with(sweep, broken))
        told.append(str(failed.value) + failed.value.evidence)
        crashing = wish_with(sweep, newer)
        crashing.values = {**crashing.values, "CRASH": True, "TOKEN": "{{ CANARY_000 }}"}
        with pytest.raises(StepError) as failed:
            lab.run(crashing)
        assert failed.value.code == "SERVICE_CRASHED"
        told.append(str(failed.value) + failed.value.evidence)
        lab.run(wish_with(sweep, older))
        lab.refresh()
    assert len(watched.trace.read_text(errors="replace").splitlines()) > 100, "the trace saw the run"

    hits = watched.hits()
    assert sorted({hit.place for hit in hits}) == [], hits
    assert sweep.look("errors", "\n".join(told).encode()) == []
    assert sweep.look("output", "".join(capfd.readouterr()).encode()) == []
    assert sweep.look("state", json.dumps(lab.state).encode()) == []


PLANTED = {
    "argv now": "exec -a {plain} sleep 300",
    "execve trace": "by the connection: true {plain}",
    "environ": "LEAK={plain} sleep 300",
    "disk: /tmp": "printf %s {base64} >/tmp/leak",
    "disk: /run": "printf %s {hex} >/run/leak",
    "disk: /var/tmp": "printf %s {reversed} >/var/tmp/leak",
    "disk: /root": "printf 'curl -H {plain}' >>~root/.bash_history",
    f"disk: {DIRECTORY}/.git/config": "printf '# {json}' >>.git/config",
    "disk: /var/lib/cloud": "printf %s {slice} >/var/lib/cloud/leak",
    "disk: /var/log": "printf %s {plain} >/var/log/leak.log",
    "journald": "logger -t leak -- {plain}",
    "docker inspect": "docker run -d --name leak1 -e LEAK={plain} redis:7-alpine",
    "docker logs": "docker run -d --name leak2 redis:7-alpine echo {plain}",
    "images": "docker build -q -t leak3 --build-arg A={plain} - <<<$'FROM redis:7-alpine\\nARG A\\nENV B=$A'",
    "image history": "docker build -q -t leak4 --build-arg A={plain} - <<<$'FROM redis:7-alpine\\nARG A\\nRUN echo $A'",
    "image layers": "docker run --name leak5 redis:7-alpine sh -c 'echo {hex} >/l'; docker commit leak5 hello-app:leak",
    "volumes and networks": "docker network create --label leak={plain} leak6",
}


def a_leak_planted_in_each_kind_of_place_is_found(watched: Watched) -> None:
    """Each leak has a canary of its own, with an alphabet that the planting scripts need not quote."""
    plain = canaries(len(PLANTED), seed=7, alphabet="abcdefghijkmnpqrstuvwxyz23456789")
    watched.sweep = Sweep(plain)
    expected: dict[str, str] = {}
    with watched.traced():
        for (place, script), (name, value) in zip(PLANTED.items(), plain.items(), strict=True):
            forms = {
                "plain": value,
                "base64": base64.b64encode(value.encode()).decode(),
                "hex": value.encode().hex(),
                "reversed": value[::-1],
                "json": json.dumps(value)[1:-1],
                "slice": value[5:18],
            }
            text = script.format(**forms) if "{" in script else script
            wait = "" if "sleep" not in text else " >/dev/null 2>&1 & sleep 0.2"
            if place == "execve trace":  # what ends at once is seen by the trace alone, and comes as all steps come
                link(endpoint_of(watched.lab.state["baseline"]["connection"]), patience_s=0).run(["true", value])
            else:
                watched.lab.shell(f"{text}{wait}")
            expected[name] = place
        watched.inside("bash", "-c", "cat >/run/packed.gz", given=gzip.compress(plain["CANARY_000"].encode() * 2))
        packed = watched.sweep.look("gzip", watched.inside("cat", "/run/packed.gz"))
        time.sleep(1)
    hits = watched.hits()

    missed = {
        name: place
        for name, place in expected.items()
        if not any(h.canary == name and h.place.startswith(place) for h in hits)
    }
    assert missed == {}
    assert packed


def after_everything_is_removed_nothing_is_left(watched: Watched, sweep: Sweep) -> None:
    watched.lab.shell("docker rm -f leak1 leak2 leak5; docker network rm leak6; docker rmi leak3 leak4 hello-app:leak")
    watched.sweep = sweep
    watched.lab.destroy()
    assert watched.inside("bash", "-c", f"cat {DIRECTORY}/.env.staging") == b""
    assert sorted({hit.place for hit in watched._disk()}) == []
    assert watched._environments() == []
