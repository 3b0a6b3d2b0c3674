"""The driver over the official engine: `pulumi.automation` starts the CLI that stands on PATH.

Its events are translated into the embedded engine's. What the automation API would put on a command line (a secret)
or does not offer (decrypted state) is asked of the CLI itself, secrets by standard input.
"""

from __future__ import annotations

__all__ = ["OfficialDriver"]

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pulumi import automation

from infra.cli.driver import Resource
from infra.cli.translation import Translator
from infra.errors import GreenroomError
from localcloud.engine.events import Finished, ProgramStarted, Result
from localcloud.engine.urn import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from localcloud.engine import Event
    from localcloud.engine.events import Operation

PROJECT = "greenroom"
SIGNATURE = "4dabf18193072939515e22adb298388d"
QUERY_TIMEOUT_S = 60


class OfficialDriver:
    """Runs the program on the official engine."""

    def __init__(
        self,
        root: Path,
        stack: str,
        *,
        backend: Path,
        passphrase: str,
        environment: Mapping[str, str],
        on_event: Callable[[Event], None],
    ) -> None:
        self._root, self._name, self._backend, self._on_event = root, stack, backend, on_event
        backend.mkdir(parents=True, exist_ok=True)
        self._environment = {
            **environment,
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self._known: list[dict[str, Any]] | None = None

    def preview(self) -> Result:
        """Tell what `up` would do."""
        return self._run("preview", "preview")

    def up(self, *, refresh: bool = False) -> Result:
        """Make the stack what the program says."""
        return self._run("up", "update", refresh=refresh)

    def refresh(self) -> Result:
        """Compare the state with the world."""
        return self._run("refresh", "refresh")

    def look(self) -> Result:
        """Compare the state with the world; changes neither."""
        return self._run("preview_refresh", "refresh")

    def pending(self) -> list[tuple[str, str]]:
        """Give (operation, urn) of what a run that was cut short has left open."""
        text = self._ask("stack", "export", "--stack", self._name) if self.exists() else "{}"
        listed = json.loads(text).get("deployment", {}).get("pending_operations") or []
        return [(each["type"], each["resource"]["urn"]) for each in listed]

    def destroy(self) -> Result:
        """Delete everything."""
        return self._run("destroy", "destroy")

    def cancel(self, *, told: bool = False) -> None:
        """Interrupt the CLI as Ctrl-C would, unless a terminal has done so."""
        if told:
            return
        for child in _children("pulumi"):
            os.kill(child, signal.SIGINT)

    def exists(self) -> bool:
        """Whether the stack has a state."""
        return (self._backend / ".pulumi" / "stacks" / PROJECT / f"{self._name}.json").is_file()

    def remove(self) -> None:
        """Forget an empty stack. The stack file stays: it is the user's."""
        self._ask("stack", "rm", "--yes", "--preserve-config", "--stack", self._name)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Give the stack's outputs."""
        flags = ["--show-secrets"] if show_secrets else []
        return json.loads(self._ask("stack", "output", "--json", *flags, "--stack", self._name))

    def resources(self) -> list[Resource]:
        """Give the state's resources, secrets decrypted."""
        return [
            Resource(
                each["urn"],
                each["type"],
                name_of(each["urn"]),
                each.get("id", ""),
                _plain(each.get("inputs", {})),
                _plain(each.get("outputs", {})),
                leftover=bool(each.get("delete")),
                modified=each.get("modified", ""),
            )
            for each in self._entries()
        ]

    def secret_values(self) -> set[str]:
        """Give every secret text of the state; see the embedded driver for why outputs that are inputs don't count."""
        values: set[str] = set()
        for each in self._entries():
            inputs, outputs = each.get("inputs", {}), each.get("outputs", {})
            own = {key: value for key, value in outputs.items() if key not in inputs}
            values |= set(_secrets_in(inputs)) | set(_secrets_in(own))
        return values

    def config(self) -> dict[str, str]:
        """Give the project's configuration, secrets decrypted."""
        self._stack()
        text = self._ask("config", "--json", "--show-secrets", "--stack", self._name)
        own = {key.removeprefix(f"{PROJECT}:"): each for key, each in json.loads(text).items()}
        return {name: str(each["value"]) for name, each in own.items() if "value" in each}

    def set_secret(self, name: str, value: str) -> None:
        """Write an encrypted value into the stack file; the CLI reads it from standard input."""
        self._stack()
        self._ask("config", "set", "--secret", name, "--stack", self._name, given=value)
        self._known = None

    def _run(self, verb: str, operation: Operation, **options: bool) -> Result:
        """Run one verb of the automation API and build its result from its events."""
        self._known = None
        began = time.time()
        translator = Translator(began, self._on_event, only_reads=operation == "refresh")
        self._on_event(ProgramStarted(0.0))
        failed = ""
        try:
            method = getattr(self._stack(), verb)
            method(on_event=translator, on_output=_quietly, color="never", **options)
        except automation.CommandError as error:
            failed = str(error)
        succeeded = not failed
        outputs = self.outputs() if succeeded and operation == "update" else {}
        if failed and not translator.diagnostics:
            translator.tell("error", failed)
        result = Result(
            operation=operation,
            succeeded=succeeded,
            changes=translator.changes,
            steps=translator.steps,
            outputs=outputs,
            diagnostics=translator.diagnostics,
            seconds=time.time() - began,
            cancelled=translator.cancelled and not succeeded,
        )
        self._on_event(Finished(result.seconds, result))
        return result

    def _stack(self) -> automation.Stack:
        workspace = automation.LocalWorkspace(work_dir=str(self._root), env_vars=self._environment)
        return automation.Stack.create_or_select(self._name, workspace)

    def _entries(self) -> list[dict[str, Any]]:
        if self._known is None:
            text = self._ask("stack", "export", "--show-secrets", "--stack", self._name) if self.exists() else "{}"
            self._known = cast("list[dict[str, Any]]", json.loads(text).get("deployment", {}).get("resources") or [])
        return self._known

    def _ask(self, *arguments: str, given: str = "") -> str:
        """Ask the CLI one question; raises GreenroomError with its own words when it refuses."""
        answer = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self._root,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT_S,
            check=False,
        )
        if answer.returncode:
            asked = " ".join(arguments[:2])
            raise GreenroomError(
                f"pulumi {asked}: {answer.stderr.strip()}", hint=f"pulumi {asked} --stack {self._name}"
            )
        return answer.stdout


def _quietly(_line: str) -> None:
    """Drop the CLI's own display: the events say the same."""


def _children(name: str) -> Iterator[int]:
    """Find the processes of that name that this one has started."""
    for tasks in Path("/proc/self/task").glob("*/children"):
        for pid in tasks.read_text(encoding="ascii").split():
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name:
                yield int(pid)


def _plain(value: Any) -> Any:
    """Unwrap the decrypted secrets of an exported state."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if SIGNATURE in mapping and "plaintext" in mapping:
            return _plain(json.loads(mapping["plaintext"]))
        return {key: _plain(each) for key, each in mapping.items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value


def _secrets_in(value: Any, *, inside: bool = False) -> Iterator[str]:
    """Yield the texts below secret marks."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if SIGNATURE in mapping and "plaintext" in mapping:
            yield from _secrets_in(json.loads(mapping["plaintext"]), inside=True)
            return
        for each in mapping.values():
            yield from _secrets_in(each, inside=inside)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _secrets_in(each, inside=inside)
    elif inside and isinstance(value, str):
        yield value
