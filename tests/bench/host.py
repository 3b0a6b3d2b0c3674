"""`scripts/bench host`: what a look at hosts costs, beside the means that people use for it otherwise.

- the local stack: `greenroom refresh` and a no-op `greenroom up --refresh`, beside the bare import of the SDKs;
- fleets of 1, 2, 4 and 8 droplets with a small workload: `refresh` and a no-op `up --refresh` of all of them in one
  stack, beside one script over bare `ssh`, Ansible and pyinfra doing the same checks (see `yardsticks`);
- what each further droplet costs: the smallest fleet and the largest once more, now in turn with each other, since a
  machine's speed drifts in the minutes that lie between the comparisons above.

Whole processes are timed by the wall clock, in turn; medians are quoted.
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
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

from fleet import Fleet, booted_fleet
from side_by_side import GREENROOM, IMPORT, ROOT, say
from yardsticks import Tool, ansible, bare_ssh, pyinfra

if TYPE_CHECKING:
    from collections.abc import Sequence

CACHE = ROOT / ".greenroom" / "bench"
BEYOND_IMPORT_S = 0.85
PER_DROPLET_S = 0.1
SETTLE_S = 1.0
"""How long the hosts are left alone before each run, so that nobody pays for the end of another's sessions."""
OF_PYINFRA, OF_ANSIBLE = 0.5, 0.2
Figures = dict[str, list[float]]


def timed(commands: Sequence[Sequence[str]], directory: Path) -> float:
    """Run commands at once, all of which must succeed; return the wall time of the whole in seconds."""
    started = time.perf_counter()
    running = [
        subprocess.Popen(
            each, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for each in commands
    ]
    printed = [each.communicate()[0] for each in running]
    seconds = time.perf_counter() - started
    for process, text in zip(running, printed, strict=True):
        if process.returncode:
            sys.exit(f"{process.args!r} ended with {process.returncode}:\n{text.decode()[-4000:]}")
    return seconds


def in_turn(tools: Sequence[Tool], runs: int) -> Figures:
    """Run each tool once for warmth, then `runs` times, one after the other in turn."""
    for each in tools:
        timed(each.commands, each.directory)
    figures: Figures = {each.name: [] for each in tools}
    for _ in range(runs):
        for each in tools:
            time.sleep(SETTLE_S)
            figures[each.name].append(timed(each.commands, each.directory))
    return figures


def show(title: str, figures: Figures) -> None:
    """Print one comparison."""
    print(title)  # noqa: T201 - the figures are this command's output
    for name, seconds in figures.items():
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"  {name:16} min {low:6.2f}  median {middle:6.2f}  max {high:6.2f} s  (n={len(seconds)})")  # noqa: T201


def judge(what: str, value: float, goal: float) -> None:
    """Print whether a goal was met."""
    print(f"  {what}: {value:.2f}, goal {goal:.2f} {'met' if value <= goal else 'missed'}")  # noqa: T201 - as above


def of_stack(stack: str, runs: int) -> Figures:
    """Time the command line on a stack that is up, beside the import of the SDKs."""
    refresh, up = [GREENROOM, "refresh", "-s", stack], [GREENROOM, "up", "--refresh", "-s", stack, "--yes"]
    tools = [
        Tool("import", (tuple(IMPORT),), ROOT),
        Tool("refresh", (tuple(refresh),), ROOT),
        Tool("up --refresh", (tuple(up),), ROOT),
    ]
    figures = in_turn(tools, runs)
    show(f"the {stack} stack, one droplet and its cloud resources", figures)
    goal = statistics.median(figures["import"]) + BEYOND_IMPORT_S
    for name in ("refresh", "up --refresh"):
        judge(f"{name} against import + {BEYOND_IMPORT_S} s", statistics.median(figures[name]), goal)
    return figures


def of_fleet(fleet: Fleet, count: int, runs: int, scratch: Path) -> Figures:
    """Deploy to the first `count` droplets, and time a look at them by each means."""
    say(f"deploying to {count} droplets")
    timed([fleet.operation("up", count)], scratch)
    checks = fleet.checks(count)
    places = {name: scratch / f"{name}-{count}" for name in ("ssh", "ansible", "pyinfra")}
    for place in places.values():
        place.mkdir()
    tools = [
        Tool("import", (tuple(IMPORT),), scratch),
        Tool("refresh", (tuple(fleet.operation("refresh", count)),), scratch),
        Tool("up --refresh", (tuple(fleet.operation("up-refresh", count)),), scratch),
        bare_ssh(checks, places["ssh"]),
        pyinfra(checks, places["pyinfra"], CACHE),
        ansible(checks, places["ansible"], CACHE),
    ]
    figures = in_turn(tools, runs)
    show(f"{count} droplets", figures)
    middle = {name: statistics.median(seconds) for name, seconds in figures.items()}
    for name in ("refresh", "up --refresh"):
        judge(f"{name} / pyinfra", middle[name] / middle["pyinfra"], OF_PYINFRA)
        judge(f"{name} / ansible", middle[name] / middle["ansible"], OF_ANSIBLE)
    return figures


def of_growth(fleet: Fleet, few: int, many: int, runs: int, scratch: Path) -> Figures:
    """Time a look at few droplets and at many in turn, all of them deployed to; tell what each further one costs."""
    say(f"{few} and {many} droplets in turn")
    tools: list[Tool] = []
    for count in (few, many):
        place = scratch / f"growth-{count}"
        place.mkdir()
        tools += [
            Tool(f"refresh, {count}", (tuple(fleet.operation("refresh", count)),), scratch),
            Tool(f"up --refresh, {count}", (tuple(fleet.operation("up-refresh", count)),), scratch),
            replace(bare_ssh(fleet.checks(count), place), name=f"bare ssh, {count}"),
        ]
    figures = in_turn(tools, runs)
    show(f"{few} and {many} droplets in turn", figures)
    for name in ("bare ssh", "refresh", "up --refresh"):
        less, more = (statistics.median(figures[f"{name}, {count}"]) for count in (few, many))
        judge(f"{name}, seconds for each further droplet", (more - less) / (many - few), PER_DROPLET_S)
    return figures


def main() -> None:
    """Run what was asked for; leaves no droplet behind."""
    parser = argparse.ArgumentParser(prog="scripts/bench host", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each means, twice as many in turn (default 5)")
    parser.add_argument("--droplets", type=int, nargs="*", default=[1, 2, 4, 8], help="sizes of fleets")
    parser.add_argument("--stack", default="local", help="the stack to refresh; it is brought up, and left up")
    parser.add_argument("--no-stack", action="store_true", help="fleets only")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures to FILE")
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    CACHE.mkdir(parents=True, exist_ok=True)
    if not arguments.no_stack:
        timed([[GREENROOM, "up", "-s", arguments.stack, "--yes", "--skip-verify"]], ROOT)
        results["stack"] = of_stack(arguments.stack, arguments.runs)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="greenroom-bench-")))
        if arguments.droplets:
            say(f"booting {max(arguments.droplets)} droplets")
            fleet = stack.enter_context(booted_fleet(scratch / "fleet", max(arguments.droplets)))
            for count in arguments.droplets:
                results[str(count)] = of_fleet(fleet, count, arguments.runs, scratch)
            few, many = min(arguments.droplets), max(arguments.droplets)
            if few < many:
                results[f"{few} and {many}"] = of_growth(fleet, few, many, 2 * arguments.runs, scratch)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(ROOT))
    main()
