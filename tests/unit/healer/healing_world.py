"""A stack with faults in it, for the healer to work on: a fake of its ports with a clock of its own.

A fault is seen where it would be: in the evidence, when the deployment goes on, or only by the proof. It is cured when
its remedy was performed to its end often enough. The world notes every call, and what was true when it was made.
"""

from __future__ import annotations

__all__ = ["FakeWorld", "Fault", "cause_of", "heal", "names"]

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.healing.healer import Healer
from infra.healing.model import Cause, Declared, Failure, Match, Outcome, Proof, Situation, Statement, Verb, Verdict
from infra.healing.playbook import REMEDIES
from infra.healing.ports import Done, Halt, Verified

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.healing.incident import Incident
    from infra.healing.model import Act

BEGAN = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
DECLARED = Declared(
    stack="test",
    project="shop",
    directory="/srv/shop",
    user="deploy",
    compose_file="compose.yml",
    env_file=".env",
    domain="shop.test",
    machine="480000001",
    tag="greenroom-test",
    address="127.0.0.9",
    commit="0" * 40,
    repository="http://git.test/shop.git",
    branch="main",
    services={"web": {}},
)
DETAILS = {
    "container": "shop-web-1",
    "directory": "web",
    "dockerfile": "Dockerfile",
    "has": "has expired",
    "image": "node:20-alpine",
}
STATEMENTS = 12


@dataclass
class Fault:
    """Something that is wrong, and how it answers to its remedy."""

    code: str
    verdict: Verdict = Verdict.HEAL
    remedy: str = "converge"
    subject: str = "web"
    seen_by: str = "evidence"
    cured_by: int = 1
    """How many times its plan has to be performed; 0 for never."""
    claims: bool = True
    """Whether its acts say that they succeeded."""
    refused: str = ""
    confidence: float = 0.9
    symptom: bool = False
    applied: int = 0

    @property
    def is_cured(self) -> bool:
        return bool(self.cured_by) and self.applied >= self.cured_by


def cause_of(fault: Fault) -> Cause:
    """Give the cause that a fault is."""
    return Cause(
        code=fault.code,
        rows=("T01",),
        stage="compose",
        verdict=fault.verdict,
        severity="high",
        title="{subject} is broken",
        impact="nothing works",
        role="devops",
        next_steps=("greenroom logs {subject}",),
        look=lambda _: (),
        remedy=fault.remedy,
        symptom=fault.symptom,
    )


@dataclass
class FakeWorld:
    """The ports. `calls` are (name, subject) in order; `stop_after` calls it is halted, `stranger_after` not ours."""

    faults: list[Fault]
    seconds_an_act: float = 5.0
    stop_after: int = -1
    stranger_after: int = -1
    calls: list[tuple[str, str]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    situations: list[Situation] = field(default_factory=list)
    seconds: float = 0.0
    current: str = ""

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)

    def clock(self) -> float:
        return self.seconds

    def halted(self) -> Halt | None:
        if 0 <= self.stop_after <= len(self.calls):
            return Halt("stopped", "the stop file is there")
        return None

    def identify(self) -> Failure | None:
        stranger = 0 <= self.stranger_after <= len(self.calls)
        self._did("identify", "stranger" if stranger else "", 0.1)
        return Failure("provision", "HOST_MISMATCH", phase="identity", evidence="id: 7") if stranger else None

    def look(self, failure: Failure | None, statements: Sequence[Statement] = ()) -> Situation:
        self._did("look", failure.code if failure else "", 3.0)
        situation = Situation(DECLARED, failure, {"n": len(self.calls)}, tuple(statements))
        self.situations.append(situation)
        return situation

    def diagnose(self, situation: Situation) -> list[Match]:
        self._did("diagnose", "", 0.01)
        if situation.failure and situation.failure.phase == "identity":
            return [self._match(Fault("HOST_MISMATCH", Verdict.ESCALATE, remedy=""))]
        seen = [each for each in self._wrong() if self._shows(each, situation)]
        if not seen and (situation.failure or situation.statements):
            seen = [Fault("CAUSE_UNKNOWN", Verdict.ESCALATE, remedy="")]
        return [self._match(each) for each in sorted(seen, key=lambda each: each.symptom)]

    def perform(self, act: Act) -> Done:
        self._did("perform", act.text, self.seconds_an_act)
        self.acts.append(act)
        fault = next((each for each in self._wrong() if self.current.startswith(f"{each.code}:")), None)
        if fault is None:
            return Done(Outcome(act, succeeded=True))
        if fault.refused:
            return Done(Outcome(act, succeeded=False, refused=fault.refused))
        if fault.claims and self._is_last(act):
            fault.applied += 1
        failure = self._deploy() if act.verb is Verb.CONVERGE else None
        return Done(Outcome(act, succeeded=fault.claims and failure is None), failure)

    def resume(self) -> Failure | None:
        self._did("resume", "", 8.0)
        return self._deploy()

    def verify(self) -> Verified:
        self._did("verify", "", 6.0)
        failed = tuple(Statement("service", each.code, "does not hold") for each in self._wrong())
        return Verified(STATEMENTS, failed)

    def record(self, verb: str, subject: str, *, arguments: Mapping[str, Any], **told: str) -> None:
        self._did("record", verb, 0.0)
        self.records.append({"verb": verb, "subject": subject, "arguments": dict(arguments), **told})
        if verb == "plan":
            self.current = subject

    def say(self, text: str) -> None:
        self.said.append(text)

    def _is_last(self, act: Act) -> bool:
        """Whether an act ends the plan that was recorded last."""
        return [each for each in self.records if each["verb"] == "plan"][-1]["arguments"]["acts"][-1] == act.text

    def _wrong(self) -> list[Fault]:
        return [each for each in self.faults if not each.is_cured]

    def _shows(self, fault: Fault, situation: Situation) -> bool:
        if fault.seen_by == "evidence":
            return True
        if fault.seen_by == "resume":
            return situation.failure is not None and situation.failure.code == f"STEP_{fault.code}"
        return bool(situation.statements)

    def _deploy(self) -> Failure | None:
        """Run the deployment: the first fault that it meets ends it."""
        for each in self._wrong():
            if each.seen_by == "resume":
                return Failure("build", f"STEP_{each.code}", phase="build", resource="images", evidence="no")
        return None

    def _match(self, fault: Fault) -> Match:
        proof = (Proof("log", f"{fault.code} said so"),)
        return Match(cause_of(fault), fault.confidence, proof, fault.subject, DETAILS)

    def _did(self, name: str, subject: str, seconds: float) -> None:
        self.calls.append((name, subject))
        self.seconds += seconds


def heal(world: FakeWorld, failure: Failure | None = None, *, recorded: bool = False, **options: Any) -> Incident:
    """Let a healer with the whole playbook work on a world."""
    healer = Healer("test", world, remedies=REMEDIES, incident="20261124T180000Z-test", **options)
    return healer.run(failure, recorded=recorded)


def names(world: FakeWorld) -> list[str]:
    """Return the names of the calls, in order."""
    return [name for name, _ in world.calls]
