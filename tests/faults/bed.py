"""The lab's bed: one whole stack of the reference workload, made by the real command line at a desk of its own.

Injectors and the judge reach the droplet by `docker exec` from this machine, a way that Greenroom does not know, and
the workload's repository, the settings and the cloud as a person would: by editing files and calling the API.
"""

from __future__ import annotations

__all__ = ["CIDR", "STACK", "Lab"]

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from command import Run
from desk import ROOT, Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

STACK = "local"
DOMAIN = "staging.tsh-erp.test"
CIDR = "10.29.0.0/24"
PROJECT = "tsh_erp_staging"
DIRECTORY = "/home/khaleel/tsh-erp"
APP, NEUROLINK, DASHBOARD = "tsh_erp_app_staging", "tsh_neurolink_staging", "tds_admin_dashboard_staging"
POSTGRES, REDIS = "tsh_postgres_staging", "tsh_redis_staging"
CONTAINERS = (POSTGRES, REDIS, APP, NEUROLINK, DASHBOARD)
NEIGHBOUR = "neighbour"
"""A container of another compose project, and a process of nobody's, that live on the same droplet."""
SETTLE_S = 240.0
COMPOSE = (
    "env IMAGE_TAG={tag} DATA_DIRECTORY=/mnt/greenroom_local_data docker compose --project-name tsh_erp_staging"
    " --env-file .env.staging --file docker-compose.staging.yml"
)


class Lab:
    """What injectors, judge and baselines work with."""

    def __init__(
        self,
        directory: Path,
        *,
        cidr: str = CIDR,
        say: Callable[[str], None] | None = None,
        given: Mapping[str, str] | None = None,
    ) -> None:
        self.say = say or (lambda text: print(text, file=sys.stderr))  # noqa: T201 (a program's talk)
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.given = dict(given or {})
        """The environment that every command at the desk has: what people give."""
        if cidr:
            Desk(directory)  # what is committed or about to be, also at a desk that is used again
            if not (directory / ".venv").exists():
                (directory / ".venv").symlink_to(ROOT / ".venv")
            self._set("10.20.0.0/24", cidr)
        self.home = directory / ".greenroom"
        self.workload = directory / "examples/tsh-erp"
        self.settings = directory / f"Pulumi.{STACK}.yaml"
        self._pristine = directory.with_name(f"{directory.name}.pristine")
        self.environment: dict[str, str] = {}
        """What a case adds to the environment of the commands at the desk."""
        self.notes: dict[str, Any] = {}
        """What an injector has to remember for its restoring; emptied between cases."""
        self.started: list[int] = []
        """The processes of the commands that were typed at the desk."""
        self._background: list[subprocess.Popen[bytes]] = []

    # ---- the bed's life

    def make(self) -> None:
        """Deploy once, put the markers and the neighbours there, and remember how everything looked."""
        self._remember_files()
        self.greenroom("up", "--yes", *(["--refresh"] if self.home.exists() else []), check=0)
        self.mark()

    @classmethod
    def of(cls, desk: Desk, given: Mapping[str, str]) -> Lab:
        """Take over a stack that somebody else has deployed at a desk of theirs."""
        lab = cls(desk.directory, cidr="", given=given)
        lab._remember_files()
        lab.mark()
        return lab

    def mark(self) -> None:
        """Put there what must never change: rows, a key, a file, and what belongs to others."""
        self.commit = self.outputs()["release"]["commit"]
        self.address = self.outputs()["address"]
        self.authority = self.outputs()["ca_certificate"]
        (self.directory.parent / f"{self.directory.name}.ca.pem").write_text(self.authority, encoding="utf-8")
        self.sql(
            "CREATE SCHEMA IF NOT EXISTS lab; CREATE TABLE IF NOT EXISTS lab.marker (id int PRIMARY KEY, word text)"
        )
        self.sql("INSERT INTO lab.marker SELECT n, md5(n::text) FROM generate_series(1, 500) n ON CONFLICT DO NOTHING")
        self.shell(f"docker exec {REDIS} redis-cli set lab:marker kept")
        self.shell(
            f"echo kept > {DIRECTORY}/uploads/staging/lab-marker.txt; chown 1000 {DIRECTORY}/uploads/staging/lab*"
        )
        self.shell(
            f"docker inspect {NEIGHBOUR} >/dev/null 2>&1 || docker run -d --name {NEIGHBOUR} --restart unless-stopped"
            " --label com.docker.compose.project=neighbour --label com.docker.compose.service=cache redis:7-alpine"
        )
        self.shell(f"systemctl is-active -q {NEIGHBOUR} || systemd-run -q --unit={NEIGHBOUR} sleep infinity")
        self.secrets_before = self.shell(f"cat {DIRECTORY}/.env.staging")

    def remove(self) -> None:
        """Leave nothing behind."""
        self.stop_background()
        self.restore_files()
        self.greenroom("destroy", "--yes")
        self.run([str(self.directory / ".venv/bin/greenroom"), "cloud", "reset", "--yes"])
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self._pristine, ignore_errors=True)

    def settle(self, broken: Callable[[], str] = lambda: "") -> None:
        """Bring the stack back to what its settings say, and see for ourselves that it is; else deploy it anew.

        `broken` tells what a quick look does not see: a change in the cloud, say, that nobody has mended.
        """
        self.stop_background()
        self.restore_files()
        self.forget_case()
        for refresh in ([], ["--refresh"], ["--refresh"]):
            if not refresh and (self.wrong() or broken()):
                continue
            done = self.greenroom("up", "--yes", "--skip-verify", *refresh)
            if done.status == 0 and not self.wrong(patience_s=45.0):
                return
        self.say(f"the stack does not come back ({self.wrong()}); deploying it anew")
        self.renew()

    def renew(self) -> None:
        """Deploy the whole stack anew, with markers and neighbours: for what a case has destroyed for good."""
        self.stop_background()
        self.restore_files()
        self.forget_case()
        self.greenroom("destroy", "--yes")
        self.run([str(self.directory / ".venv/bin/greenroom"), "cloud", "reset", "--yes"])
        shutil.rmtree(self.home, ignore_errors=True)
        self.forget_machine()
        self.make()

    def forget_case(self) -> None:
        """Forget what a case has put into the environment of the commands, and put its incidents beside the desk.

        The watch asks a person about a fault that it has healed twice within an hour; a lab meets the same one oftener.
        """
        self.environment.clear()
        self.notes.clear()
        beside = self.directory.with_name(f"{self.directory.name}.seen") / "incidents"
        beside.mkdir(parents=True, exist_ok=True)
        for each in (self.home / STACK / "incidents").glob("*/"):
            shutil.move(each, beside / each.name)

    def wrong(self, *, patience_s: float = 0.0) -> str:
        """Say what is not as it should be, by a quick look of our own; empty where all is well."""
        deadline = time.monotonic() + patience_s
        while found := self._look():
            if time.monotonic() > deadline:
                return found
            time.sleep(1)
        return ""

    def _look(self) -> str:
        states = self.containers()
        for name in CONTAINERS:
            if states.get(name) != "running healthy":
                return f"{name} is {states.get(name, 'missing')}"
        for path in ("/health", "/ready", "/tds-admin/"):
            if (status := self.https(path)) != 200:
                return f"{path} answers {status}"
        head = self.shell(f"cd {DIRECTORY} && git -c safe.directory='*' rev-parse HEAD", check=False).strip()
        return "" if head == self.commit else f"the checkout is at {head[:7]}"

    # ---- what a person at the desk does

    def greenroom(self, verb: str, *argv: str, check: int | None = None, timeout_s: float = 900) -> Run:
        """Run a verb on the stack as a child process and wait for it."""
        run = self.start(verb, *argv).wait(timeout_s)
        if check is not None and run.status != check:
            raise RuntimeError(f"greenroom {verb} ended with {run.status}\n{run.text('err')[-4000:]}")
        return run

    def start(self, verb: str, *argv: str) -> Run:
        """Start a verb on the stack as a child process."""
        return self.start_argv([str(self.directory / ".venv/bin/greenroom"), verb, "--stack", STACK, *argv])

    def run(self, argv: list[str], timeout_s: float = 900) -> Run:
        return self.start_argv(argv).wait(timeout_s)

    def start_argv(self, argv: list[str]) -> Run:
        """Start a command that sees the desk's own code and nobody's settings but the desk's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "GREENROOM_"))}
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            cwd=self.directory,
            env={**kept, "PYTHONPATH": str(self.directory), **self.given, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.started.append(process.pid)
        run = Run(process, began)
        run.watch_streams()
        return run

    def outputs(self) -> dict[str, Any]:
        return self.greenroom("outputs", "--json", check=0).document

    def write(self, name: str, text: str) -> None:
        """Change a file of the workload's source; the next `up` publishes it."""
        path = self.workload / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.workload / name).read_text(encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file of the workload exactly once."""
        text = self.read(name)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def set(self, old: str, new: str) -> None:
        """Replace a text that stands in the settings exactly once."""
        self._set(old, new)

    def _set(self, old: str, new: str) -> None:
        path = self.directory / f"Pulumi.{STACK}.yaml"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the settings"
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def repository(self) -> Path:
        """The bare repository that droplets clone."""
        return self.home / "cloud/git/tsh-erp.git"

    def git(self, *argv: str, check: bool = True) -> str:
        """Ask or change the bare repository."""
        run = ["git", "-c", "safe.directory=*", "--git-dir", str(self.repository), *argv]
        return subprocess.run(run, check=check, capture_output=True, text=True).stdout.strip()

    def _remember_files(self) -> None:
        shutil.rmtree(self._pristine, ignore_errors=True)
        shutil.copytree(self.workload, self._pristine / "workload", symlinks=True)
        shutil.copy2(self.settings, self._pristine / "settings")

    def restore_files(self) -> None:
        """Give the workload's source, the settings and the repository back as they were."""
        shutil.copy2(self._pristine / "settings", self.settings)
        shutil.rmtree(self.workload)
        shutil.copytree(self._pristine / "workload", self.workload, symlinks=True)
        if self.repository.exists() and hasattr(self, "commit"):
            self.git("update-ref", "refs/heads/develop", self.commit)
            for branch in self.git("for-each-ref", "--format=%(refname)", "refs/heads/").splitlines():
                if branch != "refs/heads/develop":
                    self.git("update-ref", "-d", branch)
            (self.home / "cloud/published-tsh-erp").unlink(missing_ok=True)

    # ---- the droplet, from outside of everything that Greenroom knows

    @property
    def droplet(self) -> dict[str, Any]:
        """The droplet as the cloud's API shows it."""
        return next(each for each in self.api("GET", "/droplets")["droplets"] if each["name"] == f"greenroom-{STACK}")

    @property
    def machine(self) -> str:
        """The container that is the droplet."""
        if not hasattr(self, "_machine"):
            wanted = [
                "--filter",
                "label=greenroom.kind=droplet",
                "--filter",
                f"label=greenroom.private-ipv4={self._private}",
            ]
            found = subprocess.run(
                ["docker", "ps", "-aq", "--format", "{{.Names}}", *wanted], check=True, capture_output=True, text=True
            ).stdout.split()
            assert len(found) == 1, found
            self._machine = found[0]
        return self._machine

    def forget_machine(self) -> None:
        """Look for the droplet's container anew."""
        self.__dict__.pop("_machine", None)

    @property
    def _private(self) -> str:
        networks = self.droplet["networks"]["v4"]
        return next(each["ip_address"] for each in networks if each["type"] == "private")

    def shell(self, script: str, *, check: bool = True, timeout_s: float = 120, stdin: str = "") -> str:
        """Run a script on the droplet as root."""
        argv = ["docker", "exec", "-i", self.machine, "bash", "-c", script]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, input=stdin, timeout=timeout_s)
        if check and done.returncode:
            raise RuntimeError(
                f"on the droplet: {script}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.stdout

    def background(self, script: str, stdin: str = "", *, ends: bool = False) -> None:
        """Start a script on the droplet that goes on until the case is over; its input `ends`, or stays open."""
        argv = ["docker", "exec", "-i", self.machine, "bash", "-c", script]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert process.stdin is not None
        process.stdin.write(stdin.encode())
        process.stdin.flush()
        if ends:
            process.stdin.close()
        self._background.append(process)

    def stop_background(self) -> None:
        """End what an injector has left running."""
        for process in self._background:
            process.terminate()
            with contextlib.suppress(OSError):
                process.stdin.close() if process.stdin else None
            process.wait(10)
        self._background.clear()

    def containers(self) -> dict[str, str]:
        """Give `STATE HEALTH` of every container on the droplet by name; nothing where its engine is down."""
        form = "{{.Name}} {{.State.Status}} {{with .State.Health}}{{.Status}}{{else}}-{{end}}"
        said = self.shell(f"docker ps -aq | xargs -r timeout 20 docker inspect --format '{form}'", check=False)
        return {line.split()[0].lstrip("/"): " ".join(line.split()[1:]) for line in said.splitlines() if line.strip()}

    def container_broken(self, name: str) -> str:
        """Say what is wrong with one container of the stack; empty where it is running and healthy."""
        state = self.containers().get(name, "missing")
        return "" if state == "running healthy" else f"{name} is {state}"

    def sql(self, query: str, *, check: bool = True) -> str:
        """Ask the database, as its owner over its own socket."""
        argv = f"docker exec -i {POSTGRES} psql -qAtX -v ON_ERROR_STOP=1 -U tsh_app_user -d tsh_erp_staging"
        return self.shell(argv, check=check, stdin=query).strip()

    @property
    def compose_words(self) -> str:
        """`docker compose` as somebody types it who knows how the stack is called; in the checkout."""
        return COMPOSE.format(tag=f"staging-{self.commit[:7]}")

    def https(self, path: str, *, verify: bool = True, timeout_s: float = 6) -> int:
        """Ask the public name over TLS with the stack's own authority; 0 where there is no answer."""
        trust = ["--cacert", str(self.directory.parent / f"{self.directory.name}.ca.pem")] if verify else ["--insecure"]
        argv = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", str(timeout_s), *trust]
        argv += ["--resolve", f"{DOMAIN}:443:{self.address}", f"https://{DOMAIN}{path}"]
        return int(subprocess.run(argv, check=False, capture_output=True, text=True).stdout or 0)

    # ---- the cloud

    @property
    def api_url(self) -> str:
        return json.loads((self.home / "cloud/cloud.json").read_text(encoding="utf-8"))["http"]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the cloud's API as a person would."""
        request = urllib.request.Request(  # noqa: S310 (an address on loopback)
            f"{self.api_url}/v2{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": "Bearer by-hand", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (as above)
            return json.loads(answer.read() or b"null")

    def act(self, **action: Any) -> None:
        """Order an action of the droplet and wait for it."""
        place = f"/droplets/{self.droplet['id']}/actions"
        number = self.api("POST", place, action)["action"]["id"]
        for _ in range(120):
            if self.api("GET", f"{place}/{number}")["action"]["status"] == "completed":
                return
            time.sleep(0.5)
        raise RuntimeError(f"the cloud did not finish {action}")

    @contextlib.contextmanager
    def quietly(self) -> Iterator[None]:
        """Swallow what can't be done on a stack that is broken."""
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired, urllib.error.URLError):
            yield
