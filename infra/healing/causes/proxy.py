"""Causes between the services and the network: the proxy, its configuration, the packet filter."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING, Any

from infra.healing.matching import (
    Seen,
    cause,
    entries,
    failed,
    find_drift,
    lookup,
    proof,
    section,
    step_lines,
    text,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.healing.model import Situation

_PROXY = "caddy.service"
_PROXY_FILE = re.compile(r"the proxy's configuration differs\Z")
_PROXY_RUN = re.compile(r"the proxy runs with another configuration than its file\Z")
_PROXY_UNIT = re.compile(r"(?:caddy\.service is (?!active, )|the proxy's admin socket is missing)")
_FILTER = re.compile(
    r"(?:the packet filter|the firewall|nftables|/etc/nftables\.conf|sshd|/etc/ssh/|Docker's packet filter)"
)


def _proxy_unit(situation: Situation) -> Mapping[str, Any]:
    found = lookup(section(situation, "units"), "units", _PROXY)
    return found if isinstance(found, dict) else {}


def _proxy_down(situation: Situation) -> Iterator[Seen]:
    unit, proxy = _proxy_unit(situation), section(situation, "proxy")
    if unit.get("load") == "loaded" and unit.get("active") not in ("active", "activating", "reloading"):
        line = f"{_PROXY}: {unit.get('active')} ({unit.get('sub')}, {unit.get('result')}) since {unit.get('since')}"
        yield Seen(_PROXY, proof("unit", line), 0.95)
        return
    for each in find_drift(situation, _PROXY_UNIT):
        yield Seen(_PROXY, proof("drift", each.get("what")), 0.9)
        return
    answers = [each for _, each in entries(section(situation, "http").get("public"))]
    silent = bool(answers) and all(each.get("status") == 0 for each in answers)
    certificate = section(situation, "certificate")
    if (
        unit.get("active") == "active"
        and silent
        and proxy.get("running") is False
        and not certificate.get("served", True)
    ):
        yield Seen(_PROXY, proof("http", answers[0].get("reason")), 0.85)


def _proxy_altered(situation: Situation) -> Iterator[Seen]:
    for each in find_drift(situation, _PROXY_FILE):
        yield Seen("Caddyfile", proof("drift", each.get("what")), 0.97)
        return
    proxy = section(situation, "proxy")
    # What Greenroom writes there was valid before it took the name: an invalid file is somebody else's.
    if proxy.get("adapt_status") == 1 and not failed(situation, "PROXY_INVALID") and _proxy_unit(situation):
        yield Seen("Caddyfile", proof("caddy adapt", proxy.get("error")), 0.97)


def _proxy_stale(situation: Situation) -> Iterator[Seen]:
    proxy = section(situation, "proxy")
    if proxy.get("running") and proxy.get("differs") and not find_drift(situation, _PROXY_FILE):
        yield Seen("proxy", proof("caddy", f"what runs is not what {proxy.get('file')} says"), 0.9)
        return
    for each in find_drift(situation, _PROXY_RUN):
        yield Seen("proxy", proof("drift", each.get("what")), 0.9)
        return


def _proxy_config_bad(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "PROXY_INVALID")
    if failure is not None:
        lines = [line for line in step_lines(failure) if line.strip()]
        yield Seen("Caddyfile", proof("caddy validate", lines[-1] if lines else failure.command), 0.95)


def _firewall_altered(situation: Situation) -> Iterator[Seen]:
    found = [each for each in find_drift(situation, _FILTER) if each.get("type") == "Hardening"]
    found += [
        each for each in find_drift(situation, re.compile(r""), layer="digitalocean") if each.get("type") == "Firewall"
    ]
    for each in found[:1]:
        shown = tuple(line for one in found[:6] for line in proof("drift", one.get("what")))
        yield Seen(text(each.get("resource")) or "firewall", shown, 0.95)


CAUSES = (
    cause(
        "PROXY_DOWN",
        _proxy_down,
        rows="",
        stage="proxy",
        verdict=Verdict.HEAL,
        severity="critical",
        title="The proxy does not serve",
        impact="Nobody reaches https://{domain}; the services behind it run.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- journalctl -u caddy -n 50 --no-pager",
            "greenroom ssh -s {stack} -- systemctl restart caddy",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="proxy",
    ),
    cause(
        "PROXY_ALTERED",
        _proxy_altered,
        rows="R25",
        stage="proxy",
        verdict=Verdict.HEAL,
        severity="high",
        title="The proxy's configuration was changed by hand",
        impact="https://{domain} may lead elsewhere, or nowhere.",
        role="devops",
        next_steps=("greenroom drift -s {stack}", "greenroom up -s {stack} --refresh   # writes the declared one"),
        remedy="converge",
    ),
    cause(
        "PROXY_STALE",
        _proxy_stale,
        rows="U25",
        stage="proxy",
        verdict=Verdict.HEAL,
        severity="high",
        title="The proxy runs another configuration than its file has",
        impact="https://{domain} still leads where it did before.",
        role="devops",
        next_steps=("greenroom ssh -s {stack} -- systemctl reload caddy", "greenroom verify -s {stack}"),
        remedy="reload",
    ),
    cause(
        "PROXY_CONFIG_BAD",
        _proxy_config_bad,
        rows="U25",
        stage="proxy",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The proxy refuses the configuration that the settings make",
        impact="The proxy goes on with the old one.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- caddy validate --config /etc/caddy/Caddyfile.next --adapter caddyfile",
            "change greenroom:workload.routes or greenroom:domain in Pulumi.{stack}.yaml, then greenroom up -s {stack}",
        ),
    ),
    cause(
        "FIREWALL_ALTERED",
        _firewall_altered,
        rows="F99",
        stage="proxy",
        verdict=Verdict.HEAL,
        severity="high",
        title="A packet filter or sshd is not as declared: {subject}",
        impact="Ports may be open to strangers, or closed to visitors.",
        role="devops",
        next_steps=("greenroom drift -s {stack}", "greenroom up -s {stack} --refresh"),
        remedy="converge",
    ),
)
