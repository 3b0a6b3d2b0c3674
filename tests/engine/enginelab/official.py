"""The official CLI as a driver, through `pulumi.automation`; the plugin is found on PATH, as any ambient plugin is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi import automation
from pulumi.automation.events import OpType

from enginelab.background import Background
from enginelab.plugin import KEPT, provider_argv
from enginelab.report import Report, short

if TYPE_CHECKING:
    from enginelab.bench import Bench


class Official:
    """Runs operations by `pulumi`."""

    name = "official"

    def prepare(self, bench: Bench) -> None:
        """Put the scripted provider where the CLI looks for plugins."""
        commands = bench.home / "bin"
        commands.mkdir()
        plugin = commands / "pulumi-resource-testprovider"
        argv = " ".join(f"'{word}'" for word in provider_argv(bench))
        plugin.write_text(f'#!/bin/sh\nexec {argv} "$@"\n')
        plugin.chmod(0o755)

    def run(self, bench: Bench, operation: str) -> Report:
        """Run an operation; a failed command becomes a report."""
        events: list[Any] = []
        said: list[str] = []
        since = len(bench.world.entries())
        stack = self.stack(bench)
        error = ""
        try:
            getattr(stack, operation)(on_event=events.append, on_output=said.append)
        except automation.CommandError as failure:
            error = str(failure)
        return _report(events, error, bench.world.entries(since=since))

    def spawn(self, bench: Bench, operation: str) -> Background:
        """Start an operation in a process of its own."""
        self.stack(bench)
        argv = ["pulumi", operation, "--yes", "--skip-preview", "--non-interactive", "--stack", bench.stack]
        return Background(argv, environment(bench), bench.root, bench)

    def stack(self, bench: Bench) -> automation.Stack:
        """Give the laboratory's stack to the automation API."""
        options = automation.LocalWorkspaceOptions(env_vars=environment(bench))
        return automation.create_or_select_stack(bench.stack, work_dir=str(bench.root), opts=options)


def environment(bench: Bench) -> dict[str, str]:
    """Give what the CLI needs to work on the laboratory's own backend."""
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    return {
        **kept,
        **bench.environment,
        "PATH": os.pathsep.join([str(bench.home / "bin"), str(Path(sys.executable).parent), kept["PATH"]]),
        "PULUMI_HOME": str(bench.home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{bench.backend}",
        "PULUMI_CONFIG_PASSPHRASE": bench.passphrase,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def is_available() -> bool:
    """Tell whether the CLI and its Python host are on PATH."""
    return bool(shutil.which("pulumi") and shutil.which("pulumi-language-python"))


def _report(events: list[Any], error: str, calls: list[dict[str, Any]]) -> Report:
    begun = [event.resource_pre_event.metadata for event in events if event.resource_pre_event]
    ended = [event.res_outputs_event.metadata for event in events if event.res_outputs_event]
    found = {item.urn: item.op.value for item in ended}
    broken = [event.res_op_failed_event.metadata for event in events if event.res_op_failed_event]
    said = [event.diagnostic_event for event in events if event.diagnostic_event]
    shown = [item for item in said if item.severity != "debug"]
    lost = {_key(item) for item in broken}
    silent = OpType.REMOVE_PENDING_REPLACE
    shown_steps = [item for item in begun if "::default" not in item.urn and item.op != silent]
    done = [item for item in shown_steps if _key(item) not in lost]
    failed = {item.urn for item in broken} | {item.urn for item in shown if item.severity == "error"}
    return Report(
        ok=not error,
        steps=[f"{_verb(item, found)} {short(item.urn)}" for item in done],
        failed=sorted(short(urn) for urn in failed if urn and not urn.endswith("::lab-dev")),
        text="\n".join([item.message for item in shown] + ([error] if error else [])),
        exit_code=1 if error else 0,
        calls=calls,
        details={f"{item.op.value} {short(item.urn)}": _kinds(item) for item in done if item.detailed_diff},
    )


def _key(item: Any) -> tuple[OpType, str]:
    return item.op, item.urn


def _verb(item: Any, found: dict[str, str]) -> str:
    """Name a step; what a refresh found is told at its end."""
    return str(found.get(item.urn) if item.op == OpType.REFRESH else item.op.value)


def _kinds(item: Any) -> dict[str, str]:
    return {path: difference.diff_kind.value for path, difference in item.detailed_diff.items()}
