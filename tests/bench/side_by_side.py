"""`scripts/bench`: Greenroom beside its yardsticks, in turn, in one run, on the local cloud.

- a no-op `up` beside the bare import of the Pulumi SDK and its DigitalOcean package;
- the warm first deployment beside `deploy.sh`, a plain script over curl, ssh and docker compose doing the same steps.

Whole processes are timed by the wall clock; medians are quoted, and the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.settings import load_file

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
GREENROOM = str(Path(sys.executable).with_name("greenroom"))
STACK = "local"
IMPORT = [sys.executable, "-c", "import pulumi, pulumi_digitalocean"]
NOOP_GOAL, DEPLOY_GOAL = 1.5, 1.25
DELETE_TRIES = 40


def say(text: str) -> None:
    """Tell people on stderr; figures go to stdout."""
    sys.stderr.write(f"bench: {text}\n")


def timed(argv: list[str], environment: Mapping[str, str] | None = None) -> float:
    """Run a command that must succeed, and return its wall time in seconds."""
    started = time.perf_counter()
    ended = subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if ended.returncode:
        sys.exit(f"{argv[0]} ended with {ended.returncode}:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}")
    return seconds


def document(*verb: str) -> Any:
    """Ask Greenroom for one document."""
    argv = [GREENROOM, *verb, "--json"]
    return json.loads(subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def row(what: str, ours: list[float], theirs: list[float], goal: float) -> dict[str, Any]:
    """Print one comparison and return it."""
    ratio = statistics.median(ours) / statistics.median(theirs)
    met = "met" if ratio <= goal else "missed"
    for name, seconds in (("greenroom", ours), ("yardstick", theirs)):
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"{what:18} {name:10} min {low:7.2f}  median {middle:7.2f}  max {high:7.2f} s  (n={len(seconds)})")  # noqa: T201 - the figures are this command's output
    print(f"{what:18} ratio {ratio:.2f}, goal {goal} {met}\n")  # noqa: T201 - as above
    return {"what": what, "greenroom_s": ours, "yardstick_s": theirs, "ratio": round(ratio, 3), "goal": goal}


def compare_noop(runs: int) -> dict[str, Any]:
    """Time a run that changes nothing beside the bare import."""
    up = [GREENROOM, "up", "-s", STACK, "--yes"]
    timed(up)
    timed(IMPORT)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        ours.append(timed(up))
        theirs.append(timed(IMPORT))
    return row("no-op up", ours, theirs, NOOP_GOAL)


class Yardstick:
    """`deploy.sh` and its surroundings: what it is given, and the removal of what it made."""

    def __init__(self, env_file: str, commit: str) -> None:
        self.env_file = env_file
        cloud = document("cloud", "status")["environment"]
        settings = load_file(ROOT / f"Pulumi.{STACK}.yaml", root=ROOT)
        self.api, self.token = cloud["DIGITALOCEAN_API_URL"], cloud["DIGITALOCEAN_TOKEN"]
        zone = settings.domain.split(".", 1)[1]
        self.environment = {
            "API": self.api,
            "TOKEN": self.token,
            "REPOSITORY": settings.workload.repository,
            "BRANCH": settings.workload.branch,
            "COMMIT": commit,
            "DOMAIN": settings.domain,
            "ZONE": zone,
            "APP_USER": settings.host.user,
            "APP_DIRECTORY": settings.host.directory,
            "COMPOSE_FILE": settings.workload.compose_file,
        }

    def deploy(self) -> float:
        """Deploy once, and remove everything again; only the deployment is timed."""
        with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as directory:
            (Path(directory) / "workload.env").write_text(self.env_file, encoding="utf-8")
            try:
                return timed(["sh", str(Path(__file__).with_name("deploy.sh")), directory], self.environment)
            finally:
                self.remove(Path(directory) / "made")

    def remove(self, made: Path) -> None:
        """Delete what the script noted, droplets first, so that nothing else is in use any more."""
        paths = made.read_text(encoding="utf-8").split() if made.exists() else []
        waiting = sorted(paths, key=lambda path: "/droplets/" not in path)
        for _ in range(DELETE_TRIES):
            waiting = [path for path in waiting if not self._deleted(path)]
            if not waiting:
                return
            time.sleep(0.5)
        sys.exit(f"could not delete {waiting}; next: greenroom cloud reset --yes")

    def _deleted(self, path: str) -> bool:
        request = urllib.request.Request(  # noqa: S310 - an address on loopback
            self.api + path, method="DELETE", headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - as above
        except urllib.error.HTTPError as error:
            return error.code == 404
        return True


def compare_deployment(runs: int) -> dict[str, Any]:
    """Time first deployments with warm caches beside the script's, in turn."""
    up = [GREENROOM, "up", "-s", STACK, "--yes", "--skip-verify"]
    down = [GREENROOM, "destroy", "-s", STACK, "--yes"]
    settings = load_file(ROOT / f"Pulumi.{STACK}.yaml", root=ROOT)
    show = [GREENROOM, "ssh", "-s", STACK, "--", "cat", f"{settings.host.directory}/{settings.workload.env_file}"]
    timed(up)
    env_file = subprocess.run(show, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    commit = document("outputs", "-s", STACK)["release"]["commit"]
    yardstick = Yardstick(env_file, commit)
    timed(down)
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(runs):
        say(f"deployment {number + 1} of {runs}: greenroom")
        ours.append(timed(up))
        timed(down)
        say(f"deployment {number + 1} of {runs}: the script")
        theirs.append(yardstick.deploy())
    return row("first deployment", ours, theirs, DEPLOY_GOAL)


def main() -> None:
    """Run both comparisons; leaves no stack behind, but the local cloud with its caches."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="no-op runs (default 10)")
    parser.add_argument("--deployments", type=int, default=3, help="first deployments of each kind (default 3)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures to FILE")
    arguments = parser.parse_args()
    say("bringing the stack up, so that caches are warm")
    timed([GREENROOM, "up", "-s", STACK, "--yes"])
    results = [compare_noop(arguments.runs)] if arguments.runs else []
    timed([GREENROOM, "destroy", "-s", STACK, "--yes"])
    if arguments.deployments:
        results.append(compare_deployment(arguments.deployments))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
