"""The gate at the end: what a visitor asks for is answered, over HTTPS, with a certificate that verifies."""

from __future__ import annotations

__all__ = ["HealthGate"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.host.findings import Finding
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output, ResourceOptions

_OK = 200


class HealthGateProvider(HostProvider):
    """Asks on the host itself, for the public name; a release that does not answer is a failed step."""

    subject = "health"
    phase = "health"
    timeout_s = 600.0

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask each path once."""
        where = {"domain": spec["domain"], "paths": spec["paths"], "authority": spec["ca_certificate"]}
        return {"http": {"kind": "http", **where}}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Wait for the paths that do not answer yet."""
        late = {path: found for path, found in facts["http"].items() if found["status"] != _OK}
        if not late:
            return []
        why = "; ".join(f"{path} answers {each['status'] or each['reason']}" for path, each in sorted(late.items()))
        gate = acts.await_http(
            why,
            domain=spec["domain"],
            paths=sorted(late),
            authority=spec["ca_certificate"],
            timeout_s=float(spec["timeout_s"]),
        )
        return [gate]

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell each path's answer."""
        del spec
        answers = {path: str(each["status"] or each["reason"]) for path, each in sorted(facts["http"].items())}
        return [
            Finding(f"{path} answers {answer}", str(_OK), answer)
            for path, answer in answers.items()
            if facts["http"][path]["status"] != _OK
        ]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return each path's status."""
        del spec
        checks = {path: int(found["status"]) for path, found in facts["http"].items()}
        return {"checks": checks, "healthy": all(status == _OK for status in checks.values())}


class HealthGate(Resource, module="greenroom", name="HealthGate"):
    """Every path answers 200 through the proxy. `triggers` are what a release changes."""

    healthy: Output[bool]
    checks: Output[dict[str, int]]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        domain: Input[str],
        paths: Sequence[str],
        ca_certificate: Input[str],
        triggers: Sequence[Input[str]] = (),
        timeout_s: float = 180.0,
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "domain": domain,
            "paths": list(paths),
            "ca_certificate": ca_certificate,
            "triggers": list(triggers),
            "timeout_s": timeout_s,
            "healthy": None,
            "checks": None,
        }
        super().__init__(HealthGateProvider(), name, props, opts)
