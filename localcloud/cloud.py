"""The local cloud as a whole, from outside: start, stop, status, reset, publish.

Its server is a process of its own that outlives whoever started it. `<home>/cloud/` holds everything: state,
certificates, log, git repositories, and `cloud.json`, which says where it answers and which process it is.
"""

from __future__ import annotations

__all__ = ["CloudError", "CloudInfo", "CloudStatus", "publish", "reset", "start", "status", "stop"]

import fcntl
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from localcloud.docker_socket import knock
from localcloud.processes import ProcessIdentity, detach, end, reap

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

TOKEN = "local-cloud"  # noqa: S105 - any token opens the local cloud; this one says where it belongs
GIT_NAME = "http://git.greenroom.test/"
"""How stacks name the hosted repositories; droplets resolve it, the controller rewrites it."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 5.0
LOG_TAIL_LINES = 15


class CloudError(RuntimeError):
    """The local cloud can't do what was asked; the message ends with the next command to type."""


@dataclass(frozen=True)
class CloudInfo:
    """A running cloud: which process it is and where it answers."""

    home: Path
    process: ProcessIdentity
    http: str
    https: str
    git: str
    ca: str
    """The file with the certificate of the authority that `https` is signed by."""

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment must hold to meet this cloud instead of the real one."""
        return {
            "DIGITALOCEAN_API_URL": self.http,
            "DIGITALOCEAN_TOKEN": TOKEN,
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": f"url.{self.git}/.insteadOf",
            "GIT_CONFIG_VALUE_0": GIT_NAME,
            # Served read-only: droplets reach the server too. Who may write to the home may push.
            "GIT_CONFIG_KEY_1": f"url.file://{self.home.resolve()}/cloud/git/.pushInsteadOf",
            "GIT_CONFIG_VALUE_1": GIT_NAME,
        }


@dataclass(frozen=True)
class CloudStatus:
    """A running cloud and what is in it."""

    info: CloudInfo
    uptime_s: int
    droplets: list[dict[str, Any]]
    volumes: int
    reserved_ips: int
    network_failure: str | None
    unserved: dict[str, int] = field(default_factory=dict[str, int])
    """What clients asked for that is not served, and how often."""


def start(
    home: Path,
    say: Callable[[str], None],
    *,
    machines: Literal["docker", "none"] = "docker",
    rate_limit: Literal["on", "off"] = "on",
) -> CloudInfo:
    """Return the running cloud of a home, starting it when it is not running; builds missing images first.

    With `machines="none"` droplets are only written down, and Docker is not needed. Safe to call at once from several
    processes. Raises CloudError, with the end of the log, when it does not come up.
    """
    running = find(home)
    if running:
        if machines == "docker":
            wake_engine(say)
        return running
    directory = home / "cloud"
    directory.mkdir(parents=True, exist_ok=True)
    with alone(directory / "start.lock"):
        return find(home) or launch(home, say, machines, rate_limit)


def wake_engine(say: Callable[[str], None]) -> None:
    """Start the Docker engine again under a cloud that has outlived it; its droplets are then found switched off."""
    try:
        knock()
    except OSError:
        from localcloud.machines.engine import ensure_docker  # noqa: PLC0415 - loads the Docker client

        ensure_docker(say)


def launch(home: Path, say: Callable[[str], None], machines: str, rate_limit: str) -> CloudInfo:
    """Build what is missing, start the server and wait until it answers."""
    if machines == "docker":
        from localcloud.machines import images  # noqa: PLC0415 - the Docker client is only loaded to start a cloud

        images.ensure(say)
    log = home / "cloud" / "server.log"
    say("cloud: starting the server")
    command = [
        *(sys.executable, "-m", "localcloud.digitalocean", "--home", str(home.resolve())),
        *("--machines", machines, "--rate-limit", rate_limit),
    ]
    server = detach(command, log)
    if machines == "docker":
        from localcloud.digitalocean.machinery import fill_registry  # noqa: PLC0415 - see above

        fill_registry(home, say)
    info = await_answer(home, server)
    if info is None:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])
        raise CloudError(f"The local cloud's server did not start:\n{tail}\n  next: less {log}")
    say(f"cloud: answering at {info.http}")
    return info


def await_answer(home: Path, server: ProcessIdentity) -> CloudInfo | None:
    """Return the cloud as soon as its server answers, or None when the server ended or took too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        info = find(home)
        if info or not server.is_running:
            return info
        time.sleep(0.02)
    return None


def find(home: Path) -> CloudInfo | None:
    """Return the running cloud of a home, or None."""
    try:
        record = json.loads((home / "cloud" / "cloud.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    process = ProcessIdentity(record.pop("pid"), record.pop("started_ticks"))
    return CloudInfo(home=home, process=process, **record) if process.is_running else None


def status(home: Path) -> CloudStatus | None:
    """Return what the running cloud holds, or None when there is none; CloudError when it runs and does not answer."""
    import http.client  # noqa: PLC0415 - not needed to find a running cloud

    info = find(home)
    if info is None:
        return None
    connection = http.client.HTTPConnection(urlsplit(info.http).netloc, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", "/_greenroom/status")
        return CloudStatus(info=info, **json.load(connection.getresponse()))
    except OSError as error:
        next_step = f"less {home / 'cloud' / 'server.log'}"
        raise CloudError(f"The local cloud runs but does not answer: {error}\n  next: {next_step}") from error
    finally:
        connection.close()


def stop(home: Path) -> bool:
    """Stop the server; droplets keep running and are found again. False when it did not run."""
    info = find(home)
    if info is None:
        return False
    end(info.process, STOP_TIMEOUT_S)
    reap(info.process.pid)
    (home / "cloud" / "cloud.json").unlink(missing_ok=True)
    return True


def reset(home: Path, say: Callable[[str], None] = lambda _: None, *, release_engine: bool = False) -> None:
    """Stop the cloud and remove all it ever made: droplets, volumes, networks, snapshots, repositories, state.

    Built images stay. ``release_engine`` also stops the Docker engine when it was started here and nobody uses it.
    """
    from localcloud.digitalocean.claims import release  # noqa: PLC0415 - not needed to find a running cloud
    from localcloud.digitalocean.machinery import machines_of  # noqa: PLC0415 - loads the Docker client
    from localcloud.machines.engine import ensure_docker, release_docker  # noqa: PLC0415 - the same

    stop(home)
    if (home / "cloud").exists():
        ensure_docker(say)
        machines_of(home).sweep()
        shutil.rmtree(home / "cloud", ignore_errors=True)
    release(home.resolve())
    if release_engine:
        release_docker(say)


def publish(home: Path, directory: Path, name: str, branch: str) -> str:
    """Put a directory's content on a branch of the hosted repository `name` and return the commit's id."""
    from localcloud import publishing  # noqa: PLC0415 - not needed to find a running cloud

    return publishing.publish(home / "cloud" / "git" / f"{name}.git", directory, branch)


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Hold a lock file; others wait."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
