"""The compose project: every service with a container of the wanted configuration, running and healthy.

What differs is made anew; the rest is not touched. `bring_up` is also what migrations use, for just the services that
they need.
"""

from __future__ import annotations

__all__ = ["ComposeStack", "bring_up", "write_override"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts, compose
from infra.host.findings import Finding, docker_silent
from infra.host.resource import HostProvider
from infra.host.workload import expect_acceptable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input, Output, ResourceOptions


def write_override(why: str, workload: Mapping[str, Any], stack: Mapping[str, Any]) -> acts.Act:
    """Return the act that makes the override file that of this model: compose makes containers under both files.

    One of an earlier model lacks the confinement of services that are new, and names services that are gone.
    """
    path = compose.override_path(workload["project"])
    return acts.write(why, path, compose.override(stack["services"]), owner="root", mode="0644")


def bring_up(
    spec: dict[str, Any],
    stack: dict[str, Any],
    services: Mapping[str, Any],
    *,
    passwords: Mapping[str, str] | None = None,
    timeout_s: float,
    overridden: bool = False,
) -> list[acts.Act]:
    """Return the acts that make, start and await the given services; none when all is as it should be.

    `passwords` tells which databases have the env file's: one that has not gets it before anything else starts.
    `overridden` tells that the override file has been written just before.
    """
    workload = spec["workload"]
    found = compose.gaps(stack, services, spec.get("made"))
    stale = compose.stale_roles(workload, passwords or {}, services)
    if not found and not stale:
        return []
    why = "; ".join([*(gap.why for gap in found), *map(_stale, stale)])
    steps: list[acts.Act] = []
    recreate = [gap.service for gap in found if gap.recreate]
    if recreate:
        steps += [] if overridden else [write_override(why, workload, stack)]
        steps.append(
            acts.run(
                why,
                compose.recreate_arguments(workload, recreate),
                say=f"make containers: {', '.join(recreate)}",
                code="COMPOSE_UP_FAILED",
                timeout_s=180.0,
                env=dict(workload["variables"]),
            )
        )
    steps += _in_step(why, workload, stack, stale, timeout_s=timeout_s)
    return [*steps, acts.start(why, project=workload["project"], services=services, timeout_s=timeout_s)]


def _in_step(
    why: str, workload: Mapping[str, Any], stack: Mapping[str, Any], stale: list[Any], *, timeout_s: float
) -> list[acts.Act]:
    """Return the acts that start the databases alone and give their roles the env file's passwords."""
    if not stale:
        return []
    project, env_file = workload["project"], compose.env_path(workload)
    databases = compose.closure(stack["services"], [role["service"] for role in stale])
    return [
        acts.start(why, project=project, services=databases, timeout_s=timeout_s),
        *(acts.database_password(_stale(role), project=project, env_file=env_file, role=role) for role in stale),
    ]


def _stale(role: Mapping[str, Any]) -> str:
    return f"{role['role']} in {role['service']} has another password than {role['secret']}"


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
            question = {"stack": compose.model_probe("stack", spec["workload"])}
            return {**question, **compose.password_probes(spec["workload"])}
        return self.probes_after(spec)

    def probes_after(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for containers and passwords alone; the model is still the one that they were made from."""
        question = {"seen": {"kind": "containers", "project": spec["workload"]["project"]}}
        return {**question, **compose.password_probes(spec["workload"])}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Mend what differs; without the model, name what differs from the record."""
        if "stack" not in facts:
            return [acts.Act(each.what, {}) for each in self.findings(spec, facts)]
        stack = {**facts["stack"], **facts.get("seen", {})}
        expect_acceptable(spec, stack, self.phase)
        strangers = sorted(stack["containers"].keys() - stack["services"])
        passwords, timeout_s = facts.get("passwords"), float(spec["timeout_s"])
        return [
            *(_discard(name, stack["containers"][name]) for name in strangers),
            *bring_up(spec, stack, stack["services"], passwords=passwords, timeout_s=timeout_s),
        ]

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell how each service's container differs from the one on record, and whose password is another one."""
        if facts["seen"]["silent"]:
            return [docker_silent("containers", len(spec["services"]))]
        different = [
            Finding(_stale(role), "the env file's password", "another one")
            for role in spec["workload"].get("databases") or []
            if facts["passwords"].get(role["secret"]) == "differs"
        ]
        return [*_drift(spec["services"], facts["seen"]["containers"]), *different]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return each service's container as it is, and from the model which services read each secret."""
        del spec
        fact = facts.get("seen") or facts["stack"]
        shown = {"services": compose.services_shown(fact["containers"])}
        return {**shown, "readers": compose.readers(facts["stack"]["services"])} if "stack" in facts else shown

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Take the project down, volumes included, and its override file with it."""
        project = spec["workload"]["project"]
        why = "the project is no longer wanted"
        return [acts.down(why, project=project), acts.remove(why, compose.override_path(project))]


class ComposeStack(Resource, module="greenroom", name="ComposeStack"):
    """A compose project, up and healthy.

    `commit` and `environment` are what a new release or secret changes, `key_fingerprint` is what a new key of the
    host's digests does (see `Baseline`): no container made under the one before can be told to be right.
    """

    services: Output[dict[str, Any]]
    readers: Output[dict[str, list[str]]]
    """The services that read each secret, by its name."""

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        workload: Mapping[str, Input[Any]],
        commit: Input[str],
        environment: Input[str],
        key_fingerprint: Input[str],
        timeout_s: float = 300.0,
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "workload": workload,
            "commit": commit,
            "environment": environment,
            "key_fingerprint": key_fingerprint,
            "timeout_s": timeout_s,
            "services": None,
            "readers": None,
        }
        super().__init__(ComposeStackProvider(), name, props, opts)


def _discard(name: str, container: dict[str, Any]) -> acts.Act:
    why = f"service {name} is not one of the project's"
    argv = ["docker", "rm", "--force", container["id"]]
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
