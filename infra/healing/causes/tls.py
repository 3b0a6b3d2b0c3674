"""Causes in the public name: its certificate and its DNS record."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.matching import Seen, cause, find_drift, number, proof, section, text, words
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_NOT_YET, _EXPIRED, _OTHER_NAME = 9, 10, 62
_UNKNOWN_ISSUER = (18, 19, 20, 21)
_NO_CERTIFICATE = re.compile(r"SSLError: .{0,80}(?:TLSV1_ALERT_INTERNAL_ERROR|UNRECOGNIZED_NAME|HANDSHAKE_FAILURE)")
_CLOCK_S = 120.0
_ANY = re.compile(r"")
_RECORDS = ("DnsRecord", "Domain")


def _certificate_expired(situation: Situation) -> Iterator[Seen]:
    fact, domain = section(situation, "certificate"), situation.declared.domain
    if fact.get("verify_code") == _EXPIRED and fact.get("served"):
        until = text(fact.get("not_after")) or "an unknown day"
        yield Seen(
            domain,
            proof("certificate", f"not after {until}, issuer {fact.get('issuer')}"),
            0.97,
            {"until": until, "has": "has expired"},
        )


def _certificate_early(situation: Situation) -> Iterator[Seen]:
    fact, domain = section(situation, "certificate"), situation.declared.domain
    if fact.get("verify_code") == _NOT_YET and fact.get("served"):
        skew = number(fact.get("skew_s"))
        whose = (
            f"the host's clock is {skew:+.0f} s off the controller's" if abs(skew) > _CLOCK_S else "both clocks agree"
        )
        since = text(fact.get("not_before")) or "an unknown day"
        line = f"not before {since}; {whose}"
        details = {"since": since, "whose": whose, "has": "is not valid yet"}
        if abs(skew) > _CLOCK_S:
            details["in_vain"] = "a new certificate would not mend a clock"
        yield Seen(domain, proof("certificate", line), 0.97, details)


def _certificate_name(situation: Situation) -> Iterator[Seen]:
    fact, domain = section(situation, "certificate"), situation.declared.domain
    code, error = fact.get("verify_code"), text(fact.get("error"))
    names = ", ".join(words(fact.get("names"))) or "no name"
    if fact.get("served") and code == _OTHER_NAME:
        details = {"names": f"is for {names}", "has": "is for another name"}
        yield Seen(domain, proof("certificate", f"names: {names}"), 0.97, details)
    elif fact.get("served") and code in _UNKNOWN_ISSUER:
        line = f"issuer {fact.get('issuer')}: {fact.get('verify_error')}"
        in_vain = "whoever does not trust its issuer would not trust a new one of it either"
        details = {"names": f"is signed by {fact.get('issuer')}", "in_vain": in_vain}
        yield Seen(domain, proof("certificate", line), 0.85, details)
    elif fact and not fact.get("served") and _NO_CERTIFICATE.match(error):
        yield Seen(domain, proof("certificate", error), 0.85, {"names": "is not served at all", "has": "is missing"})


def _dns_record_wrong(situation: Situation) -> Iterator[Seen]:
    declared = situation.declared
    found = [each for each in find_drift(situation, _ANY, layer="digitalocean") if each.get("type") in _RECORDS]
    for each in found[:1]:
        yield Seen(declared.domain, proof("drift", each.get("what")), 0.95, {"found": text(each.get("what"))})
    addresses = _addresses(situation)
    if declared.manages_dns and not found and addresses and declared.address not in addresses:
        shown = ", ".join(addresses)
        yield Seen(declared.domain, proof("dns", f"{declared.domain}: {shown}"), 0.7, {"found": f"resolves to {shown}"})


def _dns_unmanaged(situation: Situation) -> Iterator[Seen]:
    declared = situation.declared
    name = section(situation, "dns").get("domain")
    wanted = situation.statements or (
        situation.failure is not None and situation.failure.stage in ("health", "proxy", "tls")
    )
    if declared.manages_dns or not wanted or not isinstance(name, dict):
        return
    addresses, error = _addresses(situation), text(name.get("error"))
    if error or (addresses and declared.address not in addresses):
        shown = ", ".join(addresses) or error
        yield Seen(declared.domain, proof("dns", f"{declared.domain}: {shown}"), 0.7, {"found": shown})


def _addresses(situation: Situation) -> list[str]:
    name = section(situation, "dns").get("domain")
    return words(name.get("addresses")) if isinstance(name, dict) else []


_LOOK = "openssl s_client -connect {address}:443 -servername {domain} </dev/null | openssl x509 -noout -text"

CAUSES = (
    cause(
        "CERTIFICATE_EXPIRED",
        _certificate_expired,
        rows="F95",
        stage="tls",
        verdict=Verdict.HEAL,
        severity="critical",
        title="The certificate for {subject} expired on {until}",
        impact="Browsers and clients refuse https://{domain}.",
        role="devops",
        next_steps=(
            _LOOK,
            "greenroom ssh -s {stack} -- journalctl -u caddy -n 100 --no-pager   # why it was not renewed",
            "greenroom ssh -s {stack} -- systemctl restart caddy",
        ),
        remedy="certificate",
    ),
    cause(
        "CERTIFICATE_EARLY",
        _certificate_early,
        rows="F95 F08",
        stage="tls",
        verdict=Verdict.GUARD,
        severity="critical",
        title="The certificate for {subject} is not valid before {since}: {whose}",
        impact="Browsers and clients refuse https://{domain}.",
        role="system administrator",
        next_steps=(
            "date -u; greenroom ssh -s {stack} -- date -u   # whose clock is wrong",
            _LOOK,
            "timedatectl set-ntp true   # there",
        ),
        remedy="certificate",
    ),
    cause(
        "CERTIFICATE_NAME",
        _certificate_name,
        rows="F95 R25",
        stage="tls",
        verdict=Verdict.GUARD,
        severity="critical",
        title="The certificate at {subject} {names}",
        impact="Browsers and clients refuse https://{domain}.",
        role="devops",
        next_steps=(
            _LOOK,
            "compare greenroom:domain in Pulumi.{stack}.yaml with /etc/caddy/Caddyfile on the host",
            "greenroom up -s {stack} --refresh",
        ),
        remedy="certificate",
    ),
    cause(
        "DNS_RECORD_WRONG",
        _dns_record_wrong,
        rows="U29 F94",
        stage="tls",
        verdict=Verdict.HEAL,
        severity="high",
        title="The DNS record of {subject} is not the declared one: {found}",
        impact="Visitors do not reach https://{domain}, or reach another machine.",
        role="devops",
        next_steps=("dig +short {domain}   # expected: {address}", "greenroom up -s {stack} --refresh"),
        remedy="converge",
    ),
    cause(
        "DNS_UNMANAGED",
        _dns_unmanaged,
        rows="U29 R25",
        stage="tls",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="{subject} does not lead to {address} ({found}), and its zone is not the stack's",
        impact="Visitors do not reach https://{domain}; on the host itself it answers.",
        role="system administrator",
        next_steps=(
            "dig +short {domain}   # expected: {address}",
            "have an A record {domain} → {address} made at the registrar, or declare the zone under greenroom:dns",
            "greenroom verify -s {stack}",
        ),
    ),
)
