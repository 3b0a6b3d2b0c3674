"""The words that detection, diagnosis, playbook, healer and report share: plain values, without any effect.

What can be done at all is the closed set `Verb`. Deleting a volume, killing a process by its port, changing a secret,
loosening a gate or a pin, and everything else that has turned red into false green, has no word here, so no cause, no
remedy and no line of a log can ask for it.
"""

from __future__ import annotations

__all__ = [
    "PHASE_STAGES",
    "STAGES",
    "Act",
    "Attempt",
    "Cause",
    "Declared",
    "Failure",
    "Match",
    "Outcome",
    "Proof",
    "Role",
    "Severity",
    "Situation",
    "Stage",
    "Statement",
    "Verb",
    "Verdict",
    "stage_of",
]

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Stage = Literal[
    "provision",
    "bootstrap",
    "secrets",
    "source",
    "build",
    "compose",
    "migrate",
    "health",
    "proxy",
    "tls",
    "backup",
    "rollback",
]
STAGES: tuple[Stage, ...] = (
    *("provision", "bootstrap", "secrets", "source", "build", "compose"),
    *("migrate", "health", "proxy", "tls", "backup", "rollback"),
)
"""In the order in which a deployment meets them: of two causes the earlier one is the root."""

PHASE_STAGES: Mapping[str, Stage] = {
    "connect": "provision",
    "host-key": "provision",
    "baseline": "bootstrap",
    "hardening": "bootstrap",
    "volume": "bootstrap",
    "secrets": "secrets",
    "source": "source",
    "clone": "source",
    "build": "build",
    "compose-up": "compose",
    "migrate": "migrate",
    "health": "health",
    "proxy": "proxy",
}
"""The stage that a StepError's phase belongs to."""

Severity = Literal["critical", "high", "medium", "low"]
Role = Literal["system administrator", "devops", "qa"]
"""Who is asked: for credentials and access, for the deployment, for functional tests."""


class Verdict(StrEnum):
    """What the playbook may do about a cause."""

    HEAL = "heal"
    GUARD = "guard"
    """Heal, but only where a precondition was checked first."""
    ESCALATE = "escalate"


class Verb(StrEnum):
    """Everything that a healer can do. Each is bounded, safe to repeat, and checks its own precondition on the host."""

    CONVERGE = "converge"
    """Run the program again, reading cloud and host first: what is declared comes back, whatever became of it."""
    WAIT = "wait"
    """Let some seconds pass before the failed stage is tried again."""
    AWAIT_HOST = "await-host"
    """Let the host answer over its pinned connection; goes on as soon as it does, and fails where it does not."""
    RESTART_SERVICE = "restart-service"
    """Restart the container of one service of the stack's own compose project."""
    REMOVE_CONTAINER = "remove-container"
    """Remove one container that carries the stack's own project label; its volumes stay."""
    START_UNIT = "start-unit"
    """Start, or restart, one of the units that the program declares: docker, containerd, the proxy."""
    RELOAD_PROXY = "reload-proxy"
    """Check the proxy's configuration, then have it read anew."""
    RENEW_CERTIFICATE = "renew-certificate"
    """Have the proxy get its certificate once more."""
    PRUNE_IMAGES = "prune-images"
    """Remove our dangling images, and unused build cache where nobody else has containers; no volume, nothing named."""
    POWER_ON = "power-on"
    """Switch the stack's own droplet on."""
    OFFER_PATCH = "offer-patch"
    """Make a branch and a patch for the workload's repository; pushed only where the settings allow it."""


@dataclass(frozen=True)
class Failure:
    """One typed failure: of a step on a host, of a cloud resource, or of a statement of the proof."""

    stage: Stage
    code: str
    """StepError's code, or RESOURCE_FAILED, PROOF_FAILED, NOT_HEALTHY."""
    phase: str = ""
    resource: str = ""
    host: str = ""
    command: str = ""
    exit_status: int | None = None
    evidence: str = ""
    """The bounded, redacted tail of what the step printed."""
    at: str = ""
    """When it was noticed, RFC 3339 in UTC."""


@dataclass(frozen=True)
class Statement:
    """A statement of the acceptance suite that does not hold."""

    group: str
    name: str
    reason: str


@dataclass(frozen=True)
class Declared:
    """What the stack's settings and state say there should be; no secret in it."""

    stack: str
    project: str
    """The compose project's name, which is the label of its containers."""
    directory: str
    user: str
    compose_file: str
    env_file: str
    domain: str
    machine: str
    """The droplet's id."""
    tag: str
    address: str
    commit: str
    repository: str
    branch: str
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, "Mapping[str, Any]"])
    """As the stack's outputs have them: container, state, health, image, config, limits."""
    directories: tuple[str, ...] = ()
    """Absolute paths that containers write to and the program owns."""
    ports: tuple[int, ...] = ()
    """Loopback ports that the proxy's routes lead to."""
    secret_sources: Mapping[str, str] = field(default_factory=dict[str, str])
    """The source of each declared secret: config, environment, generated, aws, vault."""
    migrations: bool = True
    migration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How the schema is asked for: service, command, current (argument lists), and the revision on record."""
    databases: tuple[Mapping[str, Any], ...] = ()
    """The roles whose passwords are secrets: secret, service, role, name (of the database), superuser or nothing."""
    env_names: tuple[str, ...] = ()
    """The variables that the env file has to have."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """What goes into compose's own environment."""
    routes: Mapping[str, int] = field(default_factory=dict[str, int])
    """The loopback port behind each path of the public name, as the proxy has them: {"/tds-admin*": 3001}."""
    health_paths: tuple[str, ...] = ()
    """The paths that have to answer 200 through the proxy."""
    authority: str = ""
    """The certificate of the proxy's own authority, in PEM; empty where the system's authorities count."""
    manages_dns: bool = False
    may_push: bool = False
    """Whether a healing branch may be pushed to the workload's repository."""
    deploy_patched: bool = False
    """Whether the commit of a pushed healing branch may be deployed in place of the one that it mends."""


@dataclass(frozen=True)
class Situation:
    """All that diagnosis may look at."""

    declared: Declared
    failure: Failure | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Sections by name, as `infra.healing.evidence` documents them; log text in it is data."""
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Proof:
    """One line of evidence, and where it stands."""

    source: str
    line: str


@dataclass(frozen=True)
class Match:
    """A cause that the evidence proves, with how surely (0 to 1), and what in the stack it is about."""

    cause: Cause
    confidence: float
    proof: tuple[Proof, ...]
    subject: str = ""
    """The service, path, port, variable or unit; part of the fingerprint."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the remedy and the next steps fill in."""

    @property
    def fingerprint(self) -> str:
        """What makes two matches the same fault: the cause and its subject."""
        return f"{self.cause.code}:{self.subject}"


@dataclass(frozen=True)
class Cause:
    """One way for a deployment to fail."""

    code: str
    """Stable, in capitals: LOCK_FILE_MISSING."""
    rows: tuple[str, ...]
    """The rows of the fault catalogue that it covers: U14, R12, F51."""
    stage: Stage
    verdict: Verdict
    severity: Severity
    title: str
    """One sentence; `{subject}` and the match's details are filled in."""
    impact: str
    role: Role
    """Who is asked where it is not healed."""
    next_steps: tuple[str, ...]
    """The exact commands for a person, filled in likewise."""
    look: Callable[[Situation], Iterable[Match]] = field(repr=False, compare=False)
    """Find it. Anchored matchers on stable tokens and structured facts; yields nothing where it is not proved."""
    remedy: str = ""
    """The playbook's entry; empty for a cause that is always escalated."""
    symptom: bool = False
    """Whether it only tells that something else has failed: never named while any other cause is proved."""


@dataclass(frozen=True)
class Act:
    """One step of a remedy. A dry run prints it, the audit keeps it, and both are the same value."""

    verb: Verb
    subject: str
    why: str
    undo: str
    """How to take it back, or why there is nothing to take back."""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Plain data without a secret."""

    @property
    def text(self) -> str:
        """The act as one line, for plans, audit and reports."""
        extra = "".join(f" {name}={value}" for name, value in sorted(self.arguments.items()))
        return f"{self.verb.value} {self.subject}{extra}".strip()


@dataclass(frozen=True)
class Outcome:
    """How an act ended."""

    act: Act
    succeeded: bool
    before: str = ""
    after: str = ""
    seconds: float = 0.0
    refused: str = ""
    """Why the host did not do it: its own precondition did not hold."""


@dataclass(frozen=True)
class Attempt:
    """One turn of the loop: what was found, what was planned, what was done, and what became of it."""

    number: int
    failure: Failure | None
    match: Match | None
    others: tuple[Match, ...] = ()
    """Causes that were proved too: consequences, or the next ones in the chain."""
    refusal: str = ""
    """Why the playbook did not act: policy, guard or budget."""
    plan: tuple[Act, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    healed: bool = False
    """Whether the cause was gone afterwards, proved by looking again, not by the act's own word."""
    began: str = ""
    ended: str = ""


def stage_of(phase: str) -> Stage:
    """Return the stage of a phase; what no table knows happened on the way to a healthy stack."""
    return PHASE_STAGES.get(phase, "health")
