"""Starting the processes of a run, as early as what the last run used allows.

Python needs longer to import gRPC and the SDK than a small deployment takes, so processes are started side by side
before the engine itself has loaded what it needs to talk to them. A process started on speculation is used by the first
provider of its package that asks; one that nobody asks for is stopped with the others.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from localcloud.engine import urn as urns
from localcloud.engine.errors import ProjectError
from localcloud.engine.processes import STOP_PATIENCE_S, Launcher, stop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from localcloud.engine.processes import Child
    from localcloud.engine.project import Project

BUILTIN_PACKAGE = "pulumi"
DYNAMIC_MODULE = "pulumi.dynamic"
"""Serves dynamic resources, straight from the SDK's wheel."""


class NoPluginError(Exception):
    """No executable is known for a package."""


def reserve_port() -> tuple[socket.socket, int]:
    """Reserve a port for the engine's server; the socket is closed once the server has bound the port itself."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    return holder, holder.getsockname()[1]


class Starter:
    """Starts plugins and the program, and keeps the list of all that runs."""

    def __init__(
        self,
        project: Project,
        providers: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        python: str,
        port: int,
    ) -> None:
        self._project = project
        self._providers = providers
        self._environment = program_environment(project, environment)
        self._python = program_python(project, python)
        self.engine_address = f"127.0.0.1:{port}"
        self.patience_s = STOP_PATIENCE_S
        self._launcher: Launcher | None = None
        self._lock = threading.Lock()
        self._children: list[Child] = []
        self._waiting: dict[tuple[str, str], list[Child]] = {}

    def launcher(self) -> Launcher:
        """Return the launcher, started on first use."""
        with self._lock:
            if self._launcher is None:
                self._launcher = Launcher(self._python, self._project.root, self._environment)
            return self._launcher

    def speculate(self, used: Iterable[tuple[str, str, Mapping[str, str]]]) -> None:
        """Start a process for each (package, version, own configuration) the last run used.

        Those that are forked come last, because the launcher imports the SDK for the first of them.
        """
        for package, version, config in sorted(used, key=lambda item: item[0] == urns.DYNAMIC_PACKAGE):
            try:
                child = self._start(package, version, config)
            except (NoPluginError, OSError):
                continue
            with self._lock:
                self._waiting.setdefault((package, version), []).append(child)

    def take(self, package: str, version: str, config: Mapping[str, str]) -> Child:
        """Return a process for a provider. Raises NoPluginError when there is no executable for the package."""
        with self._lock:
            waiting = self._waiting.get((package, version))
            if waiting:
                return waiting.pop()
        return self._start(package, version, config)

    def _start(self, package: str, version: str, config: Mapping[str, str]) -> Child:
        own = {"PULUMI_PROJECT": self._project.name, "PULUMI_CONFIG": json.dumps(dict(config))}
        request = {"directory": str(self._project.main), "environment": own}
        if package == urns.DYNAMIC_PACKAGE:
            return self._keep({**request, "role": "module", "module": DYNAMIC_MODULE, "engine": self.engine_address})
        command = self._command(package, version)
        if is_module(command, self._python):
            return self._keep({**request, "role": "module", "module": command[2], "engine": self.engine_address})
        return self._keep({**request, "role": "command", "argv": [*command, self.engine_address]})

    def _command(self, package: str, version: str) -> Sequence[str]:
        """Find the executable: the project's own, the official one where it is installed, the one the caller gave."""
        name = f"pulumi-resource-{package}"
        declared = self._project.plugins.get(package)
        if declared is not None:
            return [str(declared / name if declared.is_dir() else declared)]
        home = Path(self._environment.get("PULUMI_HOME") or Path(self._environment.get("HOME", "/")) / ".pulumi")
        installed = home / "plugins" / f"resource-{package}-v{version}" / name
        if version and installed.exists():
            return [str(installed)]
        if package in self._providers:
            return self._providers[package]
        raise NoPluginError(f"There is no provider plugin for the package {package!r} (version {version or 'any'})")

    def start_program(self, request: Mapping[str, Any]) -> Child:
        """Run the project's program."""
        entry = {"role": "program", "entry": ".", "directory": str(self._project.main), "root": str(self._project.root)}
        return self._keep({**entry, "engine": self.engine_address, "environment": {}, **request})

    def _keep(self, request: Mapping[str, Any]) -> Child:
        child = self.launcher().start(request)
        with self._lock:
            self._children.append(child)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything that was ever started; what does not go within `patience_s` seconds is killed."""
        with self._lock:
            children, launcher = list(self._children), self._launcher
        stop(children, self.patience_s)
        if launcher is not None:
            launcher.close()
        for child in children:
            child.close()


def is_module(command: Sequence[str], python: str) -> bool:
    """Say whether a command is `PYTHON -m MODULE` of the program's own interpreter, which the launcher can fork."""
    return len(command) == 3 and list(command[:2]) == [python, "-m"]  # noqa: PLR2004 - the words of that command


def program_python(project: Project, python: str) -> str:
    """Return the interpreter of the project's virtual environment, or the given one. Raises ProjectError."""
    option = project.options.get("virtualenv")
    if not option:
        return python
    interpreter = project.root / option / "bin" / "python"
    if not interpreter.exists():
        raise ProjectError(
            f"Pulumi.yaml: runtime.options.virtualenv: there is no interpreter at {interpreter}",
            hint=f"python3 -m venv {project.root / option}, and install the project's requirements in it",
        )
    return str(interpreter)


def program_environment(project: Project, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of program and plugins; gRPC between them must not go through a proxy."""
    result = {**environment, "PYTHONUNBUFFERED": "1"}
    for option, value in project.options.items():
        result[f"PULUMI_RUNTIME_{option.upper()}"] = value
    option = project.options.get("virtualenv")
    if option:
        folder = project.root / option
        result["VIRTUAL_ENV"] = str(folder)
        result["PATH"] = os.pathsep.join([str(folder / "bin"), environment.get("PATH", os.defpath)])
    for name in ("no_proxy", "NO_PROXY"):
        result[name] = ",".join(filter(None, [environment.get(name, ""), "127.0.0.1", "localhost"]))
    return result
