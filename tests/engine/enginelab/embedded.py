"""The embedded engine as a driver: one `Engine` a run, in this process, with the scripted provider as its plugin."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enginelab.background import Background
from enginelab.plugin import KEPT, provider_argv
from enginelab.report import Report, short
from localcloud.engine import Engine, EngineError
from localcloud.engine.events import Diagnostic

if TYPE_CHECKING:
    from enginelab.bench import Bench


class Embedded:
    """Runs operations by `localcloud.engine`."""

    name = "embedded"

    def prepare(self, bench: Bench) -> None:
        """Nothing to do: a stack comes into being with its first run."""

    def engine(self, bench: Bench, on_event: Any = None, **more: Any) -> Engine:
        """Make an engine for a laboratory."""
        settings: dict[str, Any] = {
            "backend": bench.backend,
            "passphrase": bench.passphrase,
            "providers": {"testprovider": provider_argv(bench)},
            "environment": environment(bench),
            "on_event": on_event or (lambda _event: None),
        }
        return Engine(bench.root, bench.stack, **{**settings, **more})

    def run(self, bench: Bench, operation: str) -> Report:
        """Run an operation; an `EngineError` becomes a report with its exit code."""
        events: list[Any] = []
        since = len(bench.world.entries())
        engine = self.engine(bench, events.append)
        try:
            result = getattr(engine, operation)()
        except EngineError as error:
            result = error
        return report(result, events, bench.world.entries(since=since))

    def spawn(self, bench: Bench, operation: str) -> Background:
        """Start an operation in a process of its own."""
        settings = {
            "root": str(bench.root),
            "stack": bench.stack,
            "backend": str(bench.backend),
            "passphrase": bench.passphrase,
            "providers": {"testprovider": provider_argv(bench)},
            "environment": environment(bench),
            "operation": operation,
        }
        argv = [sys.executable, str(Path(__file__).with_name("spawned.py")), json.dumps(settings)]
        return Background(argv, os.environ, bench.root, bench)


def environment(bench: Bench) -> dict[str, str]:
    """Give the complete environment of program and plugins."""
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PULUMI_HOME": str(bench.home / "pulumi"), **bench.environment}


def report(result: Any, events: list[Any], calls: list[dict[str, Any]]) -> Report:
    """Translate a result, or the error that came instead of it."""
    seen = [event.step for event in events if hasattr(event, "step")]
    said = [event for event in events if isinstance(event, Diagnostic) and event.severity != "debug"]
    order = {(step.op, step.urn): number for number, step in reversed(list(enumerate(seen)))}
    done = [] if isinstance(result, EngineError) else [step for step in result.steps if not step.failed]
    done.sort(key=lambda step: order[step.op, step.urn])
    failed = {step.urn for step in seen if step.failed} | {item.urn for item in said if item.severity == "error"}
    error = isinstance(result, EngineError)
    return Report(
        ok=not error and result.succeeded,
        steps=[f"{step.op} {short(step.urn)}" for step in done],
        failed=sorted(short(urn) for urn in failed if urn and not urn.endswith("::lab-dev")),
        text="\n".join([str(item.message) for item in said] + ([str(result)] if error else [])),
        exit_code=result.exit_code if error else int(not result.succeeded),
        calls=calls,
        outputs={} if error else result.outputs,
        details={
            f"{step.op} {short(step.urn)}": {item.path: item.kind for item in step.diff} for step in done if step.diff
        },
    )
