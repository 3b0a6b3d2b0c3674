"""The compose project: every service with a container of the wanted configuration, running and healthy.

What differs is made anew; the rest is not touched. `bring_up` is also what migrations use, for just the services that
they need.
"""

from __future__ import annotations

__all__ = ["ComposeStack", "bring_up"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts, compose
from infra.host.findings import Finding
from infra.host.resource import HostProvider
from infra.host.workload import expect_readable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input, Output, ResourceOptions


def bring_up(
    spec: dict[str, Any], stack: dict[str, Any], services: Mapping[str, Any], *, timeout_s: float
) -> list[acts.Act]:
    """Return the acts that make, start and await the given services; none when all is as it should be."""
    workload = spec["workload"]
    found = compose.gaps(stack, services, spec.get("made"))
    if not found:
        return []
    why = "; ".join(gap.why for gap in found)
    steps: list[acts.Act] = []
    recreate = [gap.service for gap in found if gap.recreate]
    if recreate:
        path = compose.override_path(workload["project"])
        steps += [
            acts.write(why, path, compose.override(stack["services"]), owner="root", mode="0644"),
            acts.run(
                why,
                compose.recreate_arguments(workload, recreate),
                say=f"make containers: {', '.join(recreate)}",
                code="COMPOSE_UP_FAILED",
                timeout_s=180.0,
                env=dict(workload["variables"]),
            ),
        ]
    return [*steps, acts.start(why, project=workload["project"], services=services, timeout_s=timeout_s)]


class ComposeStackProvider(HostProvider):
    """Plans from the resolved model; looks, for `read`, at the engine's containers alone."""

    subject = "stack"
    phase = "compose-up"
    timeout_s = 900.0
    withheld = ("full", "made")

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Converging needs the full model, and how the containers of this machine were made."""
        same = bool(olds) and olds["connection"]["machine"] == spec["connection"]["machine"]
        return {**spec, "full": True, "made": olds["recorded"]["services"] if same else {}}

    def verified(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Take the containers that have just been made for what they are."""
        return {**spec, "made": {}}

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask compose and the engine to converge; the engine alone to look."""
        if spec.get("full"):
            return {"stack": compose.model_probe("stack", spec["workload"])}
        return {"seen": {"kind": "containers", "project": spec["workload"]["project"]}}

    def probes_after(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for the containers alone; the model is still the one that they were made from."""
        return {"seen": {"kind": "containers", "project": spec["workload"]["project"]}}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Mend what differs; without the model, name what differs from the record."""
        if "stack" not in facts:
            return [acts.Act(each.what, {}) for each in _drift(spec["services"], facts["seen"]["containers"])]
        stack = {**facts["stack"], **facts.get("seen", {})}
        expect_readable(spec, stack, self.phase)
        strangers = sorted(stack["containers"].keys() - stack["services"])
        return [
            *(_discard(name, stack["containers"][name]) for name in strangers),
            *bring_up(spec, stack, stack["services"], timeout_s=float(spec["timeout_s"])),
        ]

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell how each service's container differs from the one on record."""
        return _drift(spec["services"], facts["seen"]["containers"])

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return each service's container as it is."""
        del spec
        fact = facts.get("seen") or facts["stack"]
        return {"services": compose.services_shown(fact["containers"])}

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Take the project down, volumes included, and its override file with it."""
        project = spec["workload"]["project"]
        why = "the project is no longer wanted"
        return [acts.down(why, project=project), acts.remove(why, compose.override_path(project))]


class ComposeStack(Resource, module="greenroom", name="ComposeStack"):
    """A compose project, up and healthy. `commit` and `environment` are what a new release or secret changes."""

    services: Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        workload: Mapping[str, Input[Any]],
        commit: Input[str],
        environment: Input[str],
        timeout_s: float = 300.0,
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "workload": workload,
            "commit": commit,
            "environment": environment,
            "timeout_s": timeout_s,
            "services": None,
        }
        super().__init__(ComposeStackProvider(), name, props, opts)


def _discard(name: str, container: dict[str, Any]) -> acts.Act:
    why = f"service {name} is not one of the project's"
    argv = ["docker", "rm", "--force", "--volumes", container["id"]]
    return acts.run(why, argv, say=f"remove container {container['container']}", code="CONTAINER_NOT_REMOVED")


def _drift(recorded: dict[str, Any], seen: dict[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    for service, was in sorted(recorded.items()):
        now = seen.get(service)
        if now is None:
            found.append(Finding(f"service {service} has no container", was["container"], "missing"))
        else:
            found += _container_drift(service, was, now)
    strangers = ((name, seen[name]) for name in sorted(seen.keys() - recorded))
    return found + [
        Finding(f"service {name} is not one of the project's", "no container", each["container"], each.get("since"))
        for name, each in strangers
    ]


def _figure(value: Any) -> str:
    """Show a limit; a whole number comes back from the state as a double."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _container_drift(service: str, was: dict[str, Any], now: dict[str, Any]) -> list[Finding]:
    since = now.get("since")
    if now["config"] != was["config"] or now["image"] != was["image"]:
        there = f"{now['image']}, configuration {now['config'] or 'of another hand'}"
        wanted = f"{was['image']}, configuration {was['config']}"
        return [Finding(f"service {service} runs with another configuration", wanted, there, since)]
    differing = compose.other_limits(was, now)
    found = [
        Finding(f"service {service} has another limit of {name.replace('_', ' ')}", _figure(before), _figure(after))
        for name, (before, after) in differing.items()
    ]
    wanted = "healthy" if was["health"] != "none" else "none"
    if (now["state"], now["health"]) != ("running", wanted):
        what = f"service {service} is {now['state']}, health {now['health']}"
        found.append(Finding(what, f"running, health {wanted}", f"{now['state']}, health {now['health']}", since))
    return found
