"""Caddy in front of the workload: HTTPS on the public name, routes to loopback ports, its own CA where asked."""

from __future__ import annotations

__all__ = ["Proxy"]

import hashlib
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts
from infra.commands.proxy import caddyfile
from infra.commands.templates import recipe
from infra.host.findings import Finding, of_file
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output, ResourceOptions

_FILE = "/etc/caddy/Caddyfile"
_NEXT = "/etc/caddy/Caddyfile.next"
_HOME = "/var/lib/caddy"
_SOCKET = f"{_HOME}/admin.sock"
_AUTHORITY = f"{_HOME}/.local/share/caddy/pki/authorities/local/root.crt"
_UNIT = "caddy.service"
_DIFFERS = "the proxy's configuration differs"
_STALE = "the proxy runs with another configuration than its file"


class ProxyProvider(HostProvider):
    """A new configuration is validated before it takes the file's name, and reloaded without dropping a connection."""

    subject = "proxy"
    phase = "proxy"
    withheld = ("text",)

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Render the configuration."""
        del olds
        text = caddyfile(domain=spec["domain"], routes=spec["routes"], tls=spec["tls"], email=spec["email"])
        return {**spec, "text": text, "expected": hashlib.sha256(text.encode()).hexdigest()}

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for file, unit, admin socket, root certificate, and what the proxy runs with."""
        return {
            "file": {"kind": "file", "path": _FILE},
            "units": {"kind": "units", "names": [_UNIT]},
            "socket": {"kind": "file", "path": _SOCKET},
            "authority": {"kind": "file", "path": _AUTHORITY, "content": True},
            "configuration": {"kind": "proxy", "recorded": spec.get("running") or ""},
        }

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Validate beside, swap, reload; restart where no admin socket listens yet."""
        differs = facts["file"]["digest"] != spec["expected"]
        unit, stale = facts["units"][_UNIT], facts["configuration"]["stale"]
        is_active, is_enabled = unit["active"] == "active", unit["enabled"] == "enabled"
        runs = is_active and is_enabled and facts["socket"]["exists"]
        if runs and not differs and not stale:
            return []
        why = _DIFFERS
        if not differs:
            why = _STALE if runs else "the proxy is not running, now and at every boot"
        steps: list[acts.Act] = []
        if not is_enabled:
            steps.append(acts.run(why, ["systemctl", "enable", _UNIT], code="PROXY_FAILED"))
        if differs:
            text = str(spec.get("text", ""))
            check = ["caddy", "validate", "--config", _NEXT, "--adapter", "caddyfile"]
            steps += [
                acts.write(why, _NEXT, text, owner="root", mode="0644"),
                acts.run(why, check, say="validate", code="PROXY_INVALID", user="caddy"),
                acts.run(why, ["mv", "-fT", _NEXT, _FILE], code="PROXY_INVALID"),
            ]
        verb = "reload" if is_active and facts["socket"]["exists"] else "restart"
        hint = "journalctl -u caddy -n 50"
        steps.append(acts.run(why, ["systemctl", verb, _UNIT], say=f"{verb} caddy", code="PROXY_FAILED", hint=hint))
        wait = ["sh", "-c", 'for i in $(seq 100); do [ -S "$1" ] && exit 0; sleep 0.05; done; exit 1', "wait", _SOCKET]
        steps.append(acts.run(why, wait, code="PROXY_FAILED", hint=hint))
        if spec["tls"] == "internal":
            script = 'for i in $(seq 200); do [ -s "$1" ] && exit 0; sleep 0.05; done; exit 1'
            steps.append(acts.run(why, ["sh", "-c", script, "wait", _AUTHORITY], code="PROXY_FAILED", hint=hint))
        return steps

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell the configuration by its digest, and the unit by its states."""
        file, unit = facts["file"], facts["units"][_UNIT]
        differing: list[Finding] = []
        if file["digest"] != spec["expected"]:
            there = file["digest"] or "missing"
            differing.append(of_file(_DIFFERS, spec["expected"], there, file))
        elif facts["configuration"]["stale"]:
            there = facts["configuration"]["running"]
            differing.append(Finding(_STALE, spec.get("running") or "what the file says", there))
        there = f"{unit['active']}, {unit['enabled']}"
        if there != "active, enabled":
            differing.append(Finding(f"{_UNIT} is {there}", "active, enabled", there, unit.get("since")))
        if not facts["socket"]["exists"] and unit["active"] == "active":
            differing.append(Finding("the proxy's admin socket is missing", "present", "missing"))
        return differing

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the root certificate of the proxy's own authority, and the digests of the file and of what runs."""
        authority = facts["authority"].get("content", "") if spec["tls"] == "internal" else ""
        running = facts["configuration"]["running"]
        return {"ca_certificate": authority, "digest": facts["file"]["digest"], "running": running}

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Stop the proxy and remove its configuration."""
        del spec
        why = "the proxy is no longer wanted"
        return [acts.run(why, ["systemctl", "disable", "--now", _UNIT], code="PROXY_FAILED"), acts.remove(why, _FILE)]


class Proxy(Resource, module="greenroom", name="Proxy"):
    """HTTPS for one name. `routes` are `{path, port}`; the most specific path wins, whatever their order."""

    ca_certificate: Output[str]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        domain: Input[str],
        routes: Sequence[Mapping[str, Any]],
        tls: Input[str],
        email: Input[str] = "",
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "domain": domain,
            "routes": [dict(route) for route in routes],
            "tls": tls,
            "email": email,
            "recipe": recipe("Caddyfile.j2"),
            **dict.fromkeys(("ca_certificate", "digest", "expected", "running")),
        }
        super().__init__(ProxyProvider(), name, props, opts)
