"""What the playbook does about a cause that may be healed: a guard that says why not, and a plan of acts. All pure.

A plan is a few acts of the closed set `Verb`, each with its reason and with how to take it back. Most end with
CONVERGE, because every resource of the program brings itself back; what stands before it is only what the program
cannot do by itself. A plan whose last act is OFFER_PATCH mends nothing by itself: a person is asked, with the patch at
hand (`is_offer`).
"""

from __future__ import annotations

__all__ = ["REMEDIES", "Remedy", "is_offer"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.healing.hands import LONGEST_WAIT_S, UNITS
from infra.healing.model import Act, Verb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.healing.model import Match, Situation

WAIT_S = 10.0
EVIDENCE_LIMIT = 160
CALM_S: Mapping[str, float] = {
    "CLOUD_BUSY": 30.0,
    "DPKG_LOCKED": 30.0,
    "REPOSITORY_SILENT": 10.0,
    "REGISTRY_SILENT": 10.0,
    "DATABASE_LOCKED": 10.0,
    "DATABASE_STARTING": 5.0,
    "DATABASE_FULL_OF_CONNECTIONS": 10.0,
}
"""How long each kind of trouble is given to pass, in seconds; what the diagnosis knows better (Retry-After) wins."""

HOST_S = 45.0
"""How long a host that fell silent is given to answer, in seconds: a restart takes 20 to 40."""


@dataclass(frozen=True)
class Remedy:
    """One entry of the playbook."""

    name: str
    verbs: tuple[Verb, ...]
    """All that its plan can hold, in order."""
    guard: Callable[[Situation, Match], str]
    """Say why it must not be used here; an empty text where it may."""
    plan: Callable[[Situation, Match], tuple[Act, ...]]


def is_offer(plan: Sequence[Act]) -> bool:
    """Whether a plan ends with an offer, so that the cause stands until a person takes it."""
    return bool(plan) and plan[-1].verb is Verb.OFFER_PATCH


# ---- acts


def _converge(match: Match) -> Act:
    why = f"what is declared comes back after {match.cause.code}"
    return Act(Verb.CONVERGE, "stack", why, "greenroom drift names what it changed; the settings say what it made")


def _wait(situation: Situation, match: Match) -> tuple[Act, ...]:
    del situation
    told = match.details.get("retry_after_s")
    calm = float(told) if isinstance(told, int | float) and told > 0 else CALM_S.get(match.cause.code, WAIT_S)
    why = f"{match.cause.code} passes by itself, or is not ours to end"
    wait = Act(Verb.WAIT, match.subject, why, "nothing was changed", {"seconds": min(calm, LONGEST_WAIT_S)})
    return wait, _converge(match)


def _await_host(_situation: Situation, match: Match) -> tuple[Act, ...]:
    why = "a host that restarts answers again by itself, and nothing can be done there before"
    return Act(Verb.AWAIT_HOST, match.subject, why, "nothing was changed", {"seconds": HOST_S}), _converge(match)


def _power_on(situation: Situation, match: Match) -> tuple[Act, ...]:
    machine = situation.declared.machine
    undo = f"switch the droplet {machine} off again"
    return Act(Verb.POWER_ON, machine, "the stack's own droplet is switched off", undo), _converge(match)


def _prune(situation: Situation, match: Match) -> tuple[Act, ...]:
    del situation
    undo = "nothing to take back: images without a name and build cache are made again by the next build"
    why = f"{match.subject or 'the disk'} is full"
    return Act(Verb.PRUNE_IMAGES, match.subject, why, undo), _converge(match)


def _engine(match: Match) -> tuple[Act, ...]:
    """Start the unit that does not run; where the match names none of the engine's, the engine itself."""
    return _unit(match.subject if match.subject in _ENGINE else _DOCKER, match)


def _unit(unit: str, match: Match) -> tuple[Act, ...]:
    act = Act(Verb.START_UNIT, unit, f"{unit} does not serve", f"systemctl stop {unit}")
    return act, _converge(match)


def _restart(situation: Situation, match: Match) -> tuple[Act, ...]:
    del situation
    undo = "nothing to take back: the same container runs with the same configuration"
    why = f"the service {match.subject} does not serve"
    return Act(Verb.RESTART_SERVICE, match.subject, why, undo), _converge(match)


def _own_container(situation: Situation, match: Match) -> tuple[Act, ...]:
    name = str(match.details["container"])
    why = f"the container {name} of {situation.declared.project} holds {match.subject}"
    undo = "greenroom up makes it again where it is declared; its volumes stay"
    return Act(Verb.REMOVE_CONTAINER, name, why, undo), _converge(match)


def _reload(situation: Situation, match: Match) -> tuple[Act, ...]:
    del situation, match
    undo = "nothing to take back: the file is what was declared before"
    return (Act(Verb.RELOAD_PROXY, "proxy", "the proxy does not run with its file's configuration", undo),)


def _certificate(situation: Situation, match: Match) -> tuple[Act, ...]:
    domain = situation.declared.domain
    undo = "nothing to take back: no visitor took the former certificate, and it stays beside where it was moved"
    return (Act(Verb.RENEW_CERTIFICATE, domain, f"the certificate for {domain} {match.details['has']}", undo),)


def _lock_file(situation: Situation, match: Match) -> tuple[Act, ...]:
    directory = str(match.details["directory"])
    arguments = {"dockerfile": str(match.details["dockerfile"])} if match.details.get("dockerfile") else {}
    if line := _printable(match.proof[0].line if match.proof else ""):
        arguments["evidence"] = line
    undo = "git push --delete the healing branch where it was pushed; the branch that is deployed stays as it is"
    why = f"{directory} has no package-lock.json, which npm ci needs"
    offer = Act(Verb.OFFER_PATCH, directory, why, undo, arguments)
    declared = situation.declared
    return (offer, _converge(match)) if declared.may_push and declared.deploy_patched else (offer,)


def _printable(line: str) -> str:
    """Give a line of evidence as it may stand in a commit's message."""
    return "".join(each for each in line if each.isprintable()).strip()[:EVIDENCE_LIMIT]


# ---- guards


def _always(situation: Situation, match: Match) -> str:
    del situation, match
    return ""


def _is_declared(situation: Situation, match: Match) -> str:
    """Refuse where the cause is about a thing that the program does not own."""
    if match.cause.code == "DB_PASSWORD_DIFFERS" and match.subject not in _roles(situation):
        return f"the role behind {match.subject or 'it'} is declared with no secret: nobody may set its password"
    return ""


def _roles(situation: Situation) -> set[str]:
    return {
        str(role[key])
        for role in situation.declared.databases
        for key in ("secret", "role", "service")
        if role.get(key)
    }


def _droplet_is_ours(situation: Situation, match: Match) -> str:
    found = str(match.details.get("machine", situation.declared.machine))
    if not situation.declared.machine or found != situation.declared.machine:
        return f"the droplet {found or 'that is off'} is not the stack's ({situation.declared.machine or 'none'})"
    tags = match.details.get("tags")
    if tags is not None and situation.declared.tag not in tags:
        return f"the droplet {found} does not carry the tag {situation.declared.tag}"
    return ""


def _is_prunable(situation: Situation, match: Match) -> str:
    del situation
    amount = match.details.get("prunable_bytes")
    if isinstance(amount, int | float) and amount <= 0:
        return "there is no dangling image and no unused build cache of ours to remove"
    return ""


def _service_is_ours(situation: Situation, match: Match) -> str:
    services = situation.declared.services
    if not match.subject or (services and match.subject not in services):
        return f"{match.subject or 'it'} is no service of {situation.declared.project}"
    return ""


def _container_is_ours(situation: Situation, match: Match) -> str:
    if not match.details.get("container"):
        return f"nobody knows which container holds {match.subject}"
    owner = match.details.get("project", situation.declared.project)
    if owner != situation.declared.project:
        return f"the container {match.details['container']} belongs to {owner or 'nobody'}"
    return ""


def _another_would_do(situation: Situation, match: Match) -> str:
    del situation
    unknown = "" if match.details.get("has") else "nobody knows what is wrong with the certificate"
    return str(match.details.get("in_vain") or unknown)


def _directory_is_known(situation: Situation, match: Match) -> str:
    del situation
    directory = str(match.details.get("directory", ""))
    parts = directory.split("/")
    if not directory or directory.startswith("/") or ".." in parts or "\\" in directory:
        return f"nobody knows which directory of the repository lacks its lock file ({directory[:60] or 'none'})"
    return ""


_DOCKER, _CONTAINERD, _PROXY = UNITS
_ENGINE = (_DOCKER, _CONTAINERD)
_ENTRIES = (
    Remedy("converge", (Verb.CONVERGE,), _is_declared, lambda _situation, match: (_converge(match),)),
    Remedy("wait", (Verb.WAIT, Verb.CONVERGE), _always, _wait),
    Remedy("await-host", (Verb.AWAIT_HOST, Verb.CONVERGE), _always, _await_host),
    Remedy("power-on", (Verb.POWER_ON, Verb.CONVERGE), _droplet_is_ours, _power_on),
    Remedy("prune", (Verb.PRUNE_IMAGES, Verb.CONVERGE), _is_prunable, _prune),
    Remedy("docker", (Verb.START_UNIT, Verb.CONVERGE), _always, lambda _situation, match: _engine(match)),
    Remedy("proxy", (Verb.START_UNIT, Verb.CONVERGE), _always, lambda _situation, match: _unit(_PROXY, match)),
    Remedy("restart", (Verb.RESTART_SERVICE, Verb.CONVERGE), _service_is_ours, _restart),
    Remedy("own-container", (Verb.REMOVE_CONTAINER, Verb.CONVERGE), _container_is_ours, _own_container),
    Remedy("reload", (Verb.RELOAD_PROXY,), _always, _reload),
    Remedy("certificate", (Verb.RENEW_CERTIFICATE,), _another_would_do, _certificate),
    Remedy("lock-file", (Verb.OFFER_PATCH, Verb.CONVERGE), _directory_is_known, _lock_file),
)
REMEDIES: Mapping[str, Remedy] = {each.name: each for each in _ENTRIES}
