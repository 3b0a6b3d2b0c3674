"""Every container: running, healthy, its limits in force, its published ports on loopback only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.ops.contract import Service
    from infra.ops.proof import Subject

GROUP = "containers"


def test_runs_and_is_healthy(stack: Subject, service: Service) -> None:
    container = stack.containers.get(service.container)
    assert container, "there is no such container"
    state = container["State"]
    assert state["Status"] == "running", f"it is {state['Status']}"
    if service.health:
        health = state.get("Health", {}).get("Status", "without a health check")
        assert health == "healthy", f"it is {health}"


def test_has_its_limits(stack: Subject, service: Service) -> None:
    container = stack.containers.get(service.container)
    assert container, "there is no such container"
    limits = container["HostConfig"]
    cpus, memory_mib = limits["NanoCpus"] / 1e9, limits["Memory"] / 2**20
    assert (cpus, memory_mib) == (service.cpus, service.memory_mib), f"{cpus:g} CPUs, {memory_mib:g} MiB"


def test_belongs_to_the_release(stack: Subject, service: Service) -> None:
    container = stack.containers.get(service.container)
    assert container, "there is no such container"
    name, image = container["Config"]["Image"], container["Image"]
    released = stack.target.release["images"]
    assert name in released, f"it runs {name}; the release has {', '.join(sorted(released))}"
    assert image == released[name], f"it runs {image} as {name}; the release has {released[name]}"


def test_is_published_on_loopback_only(stack: Subject, loopback_port: int) -> None:
    published = {
        binding["HostIp"]
        for container in stack.containers.values()
        for bindings in (container["HostConfig"]["PortBindings"] or {}).values()
        for binding in bindings
        if binding["HostPort"] == str(loopback_port)
    }
    assert published == {"127.0.0.1"}, f"published on {sorted(published) or 'nothing'}"
