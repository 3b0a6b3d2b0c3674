"""Starting a project's containers: each as soon as what it depends on is ready, watched until all are healthy.

A container that exits or restarts is a failure at once, with the end of its log as evidence; waiting for a deadline
tells nothing that the first crash did not.
"""

from __future__ import annotations

__all__ = ["start_act"]

import time
from concurrent.futures import Future, ThreadPoolExecutor

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

_POLL_S = 0.05
_SETTLED_S = 0.5
_HOPELESS = 3
_FINISHED = "service_completed_successfully"


def start_act(act: dict[str, Any], report: Reporter) -> None:
    """Start and watch `services` ({name: {depends, health}}) until each is healthy, or running where it has no check.

    ActFailure: SERVICE_MISSING, SERVICE_CRASHED, SERVICE_UNHEALTHY, SERVICE_TIMEOUT.
    """
    watch = _Watch(Engine(), act, report)
    deadline = time.monotonic() + float(act["timeout_s"])
    with ThreadPoolExecutor(max_workers=8) as pool:
        while watch.step(pool):
            if time.monotonic() > deadline:
                raise watch.late()
            time.sleep(_POLL_S)


class _Watch:
    def __init__(self, engine: Engine, act: dict[str, Any], report: Reporter) -> None:
        self._engine = engine
        self._services: dict[str, Any] = act["services"]
        self._project: str = act["project"]
        self._report = report
        self._begun, self._since = time.monotonic(), time.time()
        self._ids: dict[str, str] = {}
        self._restarts: dict[str, int] = {}
        self._probed: dict[str, str] = {}
        self._starting: dict[str, Future[bytes]] = {}
        self._running_since: dict[str, float] = {}
        self._ready: set[str] = set()
        for container in engine.containers(self._project):
            service = container["Config"]["Labels"]["com.docker.compose.service"]
            self._ids[service] = container["Id"]
            self._restarts[service] = container["RestartCount"]
            self._probed[service] = _last_probe_at(container)
        for service in self._services:
            if service not in self._ids:
                raise ActFailure("SERVICE_MISSING", f"start {service}", None, "its container was never created")

    def step(self, pool: ThreadPoolExecutor) -> bool:
        """Look at each service once; return whether there is more to wait for."""
        for service in self._services:
            container = self._engine.inspect(self._ids[service])
            if not container:
                raise ActFailure("SERVICE_MISSING", f"start {service}", None, "its container was removed meanwhile")
            self._look(service, container, pool)
        return len(self._ready) < len(self._services)

    def late(self) -> ActFailure:
        """Name the first service that is not ready, with its log."""
        service = next(name for name in self._services if name not in self._ready)
        return self._failure("SERVICE_TIMEOUT", service, None)

    def _look(self, service: str, container: dict[str, Any], pool: ThreadPoolExecutor) -> None:
        state = container["State"]
        status, health = state["Status"], (state.get("Health") or {}).get("Status", "none")
        starting = self._starting.get(service)
        if starting is not None and starting.done() and starting.exception():
            raise self._failure("SERVICE_CRASHED", service, None, str(starting.exception())) from starting.exception()
        if status == "running":
            self._look_running(service, container, health)
        elif starting is None:
            if status != "restarting" and self._may_start(service):
                verb = "unpause" if status == "paused" else "start"
                self._report.say(f"{verb} {service}")
                self._starting[service] = pool.submit(self._call, service, verb)
            elif status == "restarting":
                raise self._failure("SERVICE_CRASHED", service, state["ExitCode"])
        elif starting.done():
            self._look_ended(service, status, state["ExitCode"])

    def _look_running(self, service: str, container: dict[str, Any], health: str) -> None:
        if container["RestartCount"] > self._restarts[service]:
            ended = self._engine.last_exit(self._ids[service], self._since)
            raise self._failure("SERVICE_CRASHED", service, ended)
        # A verdict from before this step (a container that was paused) is not about what it did.
        if health == "unhealthy" and _last_probe_at(container) != self._probed[service]:
            raise self._failure("SERVICE_UNHEALTHY", service, None, _last_probe(container))
        if _cannot_probe(container):
            raise self._failure("SERVICE_UNHEALTHY", service, None, _last_probe(container))
        since = self._running_since.setdefault(service, time.monotonic())
        settled = health == "healthy" if self._services[service]["health"] else time.monotonic() - since > _SETTLED_S
        if settled and service not in self._ready:
            self._ready.add(service)
            self._report.say(f"{service} is {health if health != 'none' else 'running'} ({self._elapsed()})")

    def _look_ended(self, service: str, status: str, exit_code: int) -> None:
        awaited = any(other["depends"].get(service) == _FINISHED for other in self._services.values())
        if status == "exited" and exit_code == 0 and awaited:
            self._ready.add(service)
        elif status != "created":
            raise self._failure("SERVICE_CRASHED", service, exit_code)

    def _may_start(self, service: str) -> bool:
        for other, condition in self._services[service]["depends"].items():
            if other not in self._services or other in self._ready:
                continue
            if condition != "service_started" or other not in self._running_since:
                return False
        return True

    def _call(self, service: str, verb: str) -> bytes:
        return self._engine.call("POST", f"/containers/{self._ids[service]}/{verb}", timeout_s=120)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._begun:.1f} s"

    def _failure(self, code: str, service: str, exit_status: int | None, reason: str = "") -> ActFailure:
        try:
            log = self._engine.logs(self._ids[service])
        except EngineRefusal as refusal:
            log = str(refusal)
        evidence = f"{reason}\n{log}".strip()
        hint = f"docker logs --tail 100 {self._ids[service][:12]}   # service {service}"
        return ActFailure(code, f"docker compose -p {self._project} up {service}", exit_status, evidence, hint)


def _cannot_probe(container: dict[str, Any]) -> bool:
    """Tell whether the check can't even be started: no start period makes that any better."""
    last = (container["State"].get("Health") or {}).get("Log") or []
    broken = [probe for probe in last[-_HOPELESS:] if probe["Output"].startswith("OCI runtime exec failed")]
    return len(broken) == _HOPELESS


def _last_probe_at(container: dict[str, Any]) -> str:
    probes = (container["State"].get("Health") or {}).get("Log") or []
    return str(probes[-1]["Start"]) if probes else ""


def _last_probe(container: dict[str, Any]) -> str:
    probes = container["State"].get("Health", {}).get("Log") or []
    return f"health check: {probes[-1]['Output'].strip()}" if probes else "health check failed"
