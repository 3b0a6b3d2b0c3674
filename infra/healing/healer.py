"""The loop: look, name the root, act if policy allows, look again, go on where the deployment stopped, prove it all.

Nothing is called healed by an act's own word: the cause has to be gone when it is looked for again, and at the end the
full acceptance suite has to hold. One cause is taken at a time, because in a chain only its first link is known to be
a fault of its own. All that the loop does to the world goes through `Ports`; what it decides is `policy`'s.
"""

from __future__ import annotations

__all__ = ["Healer", "PlanBrokenError", "new_id", "stamp"]

import secrets
from collections import deque
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from infra.errors import GreenroomError
from infra.healing.evidence import is_answered
from infra.healing.failures import failure_of_proof
from infra.healing.incident import Incident, Moment
from infra.healing.model import Attempt, Verb
from infra.healing.onset import onset_of
from infra.healing.playbook import is_offer
from infra.healing.policy import Budget, Spent, choose, undeployed
from infra.healing.telling import lines_of, short
from infra.healing.wording import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from infra.healing.incident import Ending, Trigger
    from infra.healing.model import Act, Failure, Match, Outcome, Situation, Statement
    from infra.healing.policy import Decision, Remedy
    from infra.healing.ports import Halt, Ports

IDENTITY = "identity"
"""The phase of a failure after which nothing was looked at."""
HARMLESS = frozenset({Verb.WAIT, Verb.AWAIT_HOST})
"""Acts that touch nothing, so that nobody's identity has to be proved for them."""


class PlanBrokenError(GreenroomError):
    """Something else was performed than was planned: a defect, and the end of the run."""


class _Halted(Exception):  # noqa: N818 - a way out of the loop, not an error
    def __init__(self, halt: Halt) -> None:
        super().__init__(halt.why)
        self.halt = halt


def stamp(moment: datetime) -> str:
    """Write a time as the record has it: RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(moment: datetime) -> str:
    """Make an incident's id, which sorts by time."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


class Healer:
    """One run for one stack."""

    def __init__(
        self,
        stack: str,
        ports: Ports,
        *,
        remedies: Mapping[str, Remedy],
        incident: str,
        trigger: Trigger = "heal",
        budget: Budget | None = None,
        heals: Mapping[str, int] | None = None,
        dry_run: bool = False,
    ) -> None:
        self._stack, self._ports, self._remedies = stack, ports, remedies
        self._id = incident
        self._trigger: Trigger = trigger
        self._budget, self._dry_run = budget or Budget(), dry_run
        self._spent, self._began = Spent(heals=heals or {}), ports.clock()
        self._attempts: deque[Attempt] = deque()
        self._timeline: list[Moment] = []
        self._open: dict[int, frozenset[str]] = {}
        """The attempts of which nobody knows yet what has become, each with the sections that it was seen in."""
        self._unfinished = False
        """Whether the deployment has to be gone on with before anything can be proved."""
        self._remaining: tuple[Match, ...] = ()
        self._statements, self._unheld = 0, ()
        self._failure: Failure | None = None
        self._detected: datetime | None = None
        self._onset: datetime | None = None
        self.defect: Exception | None = None
        """What ended a run that had begun to act and met what healing is not for: raised by whoever has told of it."""

    def run(self, failure: Failure | None = None, *, recorded: bool = False) -> Incident:
        """Heal, or find nothing to heal; with `recorded` the failure is an earlier run's, and may be over by now.

        What is raised once something was done ends the run like an escalation, so that the incident tells what was
        done; it is in `defect` then. Before that it is raised.
        """
        now = self._ports.now()
        self._failure, self._unfinished = failure, failure is not None
        if failure:
            self._notice(_told(failure))
        try:
            ending = self._loop(failure, recorded=recorded)
        except _Halted as halted:
            ending = halted.halt.ending
            self._note("ended", halted.halt.why)
            if ending == "exhausted":
                self._leave_open()
        except Exception as error:
            if not any(each.plan for each in self._attempts):
                raise
            ending, self.defect = "escalated", error
            self._note("escalated", f"the run broke off: {type(error).__name__}: {short(str(error))}")
            self._leave_open()
        self._note("ended", ending)
        return Incident(
            id=self._id,
            stack=self._stack,
            trigger=self._trigger,
            began=stamp(min(self._onset or now, self._detected or now)),
            detected=stamp(self._detected or now),
            ended=stamp(self._ports.now()),
            ending=ending,
            dry_run=self._dry_run,
            first=self._failure,
            attempts=tuple(self._attempts),
            remaining=self._remaining,
            timeline=tuple(self._timeline),
            statements=self._statements,
            failed_statements=tuple(f"{each.group}: {each.name}" for each in self._unheld),
        )

    def _leave_open(self) -> None:
        """Leave what was cut short: whoever is asked has to know."""
        if self._attempts:
            last = self._attempts[-1]
            self._remaining = self._remaining or tuple(each for each in (last.match, *last.others) if each)

    # ---- the loop

    def _loop(self, failure: Failure | None, *, recorded: bool) -> Ending:
        situation: Situation | None = self._look(self._identify() or failure)
        while True:
            matches = self._diagnose(situation)
            if not matches:
                if situation.failure or situation.statements:
                    self._note("escalated", "something is wrong and no cause is named")
                    return "escalated"
                if self._dry_run:
                    return "healthy"
                situation = self._finished(situation)
                if situation is None:
                    return "healed" if self._attempts or self._failure else "healthy"
                continue
            decision = self._choose(situation, matches)
            is_old = recorded and situation.failure == failure and not self._dry_run and not undeployed(situation)
            if is_old and (decision.refusal or is_offer(decision.plan)):
                self._ports.say("the failure is an earlier run's: running on, to see whether it still stands")
                recorded, situation = False, self._look(self._resume())
                continue
            if decision.refusal:
                return self._hand_over(situation, decision)
            self._tell(decision)
            if self._dry_run:
                self._enter(situation, decision)
                return "planned"
            situation = self._act(situation, decision)
            if situation is None:
                return "escalated"

    def _finished(self, situation: Situation) -> Situation | None:
        """Come to the deployment's end and prove it; None when all holds, else the situation that was met."""
        if self._is_to_go_on(situation) and (failure := self._resume()):
            return self._look(failure)
        unheld = self._verify()
        if unheld:
            return self._look(failure_of_proof(unheld, at=stamp(self._ports.now())), unheld)
        self._settle(dict.fromkeys(self._open, True))
        return None

    def _is_to_go_on(self, situation: Situation) -> bool:
        """Whether a deployment waits to be gone on with, and would bring nothing that nobody has asked for."""
        return self._unfinished and not undeployed(situation)

    def _act(self, situation: Situation, decision: Decision) -> Situation | None:
        """Perform the plan, go on with the deployment where it did not do so itself, and look again.

        None after an offer: the cause stands until a person takes it, so there is nothing to look at.
        """
        self._enter(situation, decision)
        self._ports.record(
            "plan",
            decision.match.fingerprint,
            arguments={"acts": [each.text for each in decision.plan]},
            why=title_of(decision.match),
            before="",
            after="",
            outcome="planned",
        )
        outcomes, failure = self._perform(decision.plan)
        self._spent = self._spent.after(decision.match, decision.plan, outcomes)
        self._attempts[-1] = replace(self._attempts[-1], ended=stamp(self._ports.now()))
        if outcomes:
            self._open[len(self._attempts) - 1] = _answered(situation)
        succeeded = all(each.succeeded for each in outcomes)
        if succeeded and failure is None and is_offer(decision.plan):
            self._remaining = (decision.match, *decision.others)
            self._note("escalated", f"offered: {outcomes[-1].after}")
            return None
        if failure is None and succeeded and self._is_to_go_on(situation):
            failure = self._resume()
        return self._look(failure if failure or succeeded else situation.failure)

    def _perform(self, plan: Sequence[Act]) -> tuple[tuple[Outcome, ...], Failure | None]:
        """Perform a plan up to the first act that does not succeed; each only where host and cloud are proved ours."""
        outcomes: list[Outcome] = []
        failure: Failure | None = None
        for act in plan:
            if act.verb not in HARMLESS and (failure := self._identify()):
                break
            self._breathe()
            self._ports.say(short(f"acting: {act.text}"))
            began = self._ports.clock()
            done = self._ports.perform(act)
            if done.outcome.act != act:
                raise PlanBrokenError(f"Planned: {act.text}; performed: {done.outcome.act.text}")
            outcomes.append(done.outcome)
            failure = done.failure
            if act.verb is Verb.CONVERGE:
                self._unfinished = not done.outcome.succeeded
            self._note("acted", f"{act.text}: {_ended(done.outcome)}", self._ports.clock() - began)
            self._record(act, done.outcome)
            self._attempts[-1] = replace(self._attempts[-1], outcomes=tuple(outcomes))
            if not done.outcome.succeeded:
                self._breathe()
                break
        return tuple(outcomes), failure

    def _hand_over(self, situation: Situation, decision: Decision) -> Ending:
        """Leave the rest to a person, with all that was found."""
        self._remaining = (decision.match, *decision.others)
        self._tell(decision)
        self._enter(situation, decision, ended=stamp(self._ports.now()))
        self._note("escalated", decision.refusal)
        return "exhausted" if decision.exhausted else "escalated"

    # ---- its parts, each with its line in the timeline

    def _identify(self) -> Failure | None:
        self._breathe()
        failure = self._ports.identify()
        if failure:
            self._note("evidence", f"not proved to be ours: {_told(failure)}")
        return failure

    def _look(self, failure: Failure | None, statements: Sequence[Statement] = ()) -> Situation:
        self._breathe()
        self._failure = self._failure or failure
        began = self._ports.clock()
        situation = self._ports.look(failure, statements)
        words = f"collected {len(situation.evidence)} sections"
        self._note("evidence", f"{words}; {_told(failure)}" if failure else words, self._ports.clock() - began)
        return situation

    def _diagnose(self, situation: Situation) -> Sequence[Match]:
        self._breathe()
        began = self._ports.clock()
        matches = self._ports.diagnose(situation)
        named = ", ".join(each.fingerprint for each in matches) or "nothing wrong in what was looked at"
        if matches:
            self._notice(named)
            self._onset = self._onset or onset_of(situation, matches[0])
        self._note("diagnosed", named, self._ports.clock() - began)
        return matches

    def _choose(self, situation: Situation, matches: Sequence[Match]) -> Decision:
        self._spent = replace(self._spent, seconds=self._ports.clock() - self._began)
        decision = choose(situation, matches, self._spent, remedies=self._remedies, budget=self._budget)
        found, seen = {each.fingerprint for each in matches}, _answered(situation)
        if situation.failure is None or situation.failure.phase != IDENTITY:
            looked = [number for number, sections in self._open.items() if sections <= seen]
            self._settle({number: _fingerprint(self._attempts[number]) not in found for number in looked})
        return decision

    def _resume(self) -> Failure | None:
        if failure := self._identify():
            return failure
        self._breathe()
        began = self._ports.clock()
        failure = self._ports.resume()
        self._unfinished = failure is not None
        told = _told(failure) if failure else "the deployment came to its end"
        self._note("resumed", told, self._ports.clock() - began)
        self._breathe()
        return failure

    def _verify(self) -> tuple[Statement, ...]:
        self._breathe()
        began = self._ports.clock()
        verified = self._ports.verify()
        self._breathe()
        self._statements, self._unheld = verified.statements, verified.failed
        told = f"{len(verified.failed)} of {verified.statements} statements do not hold"
        self._note("verified", told, self._ports.clock() - began)
        return verified.failed

    def _breathe(self) -> None:
        """Stop here if the run was stopped."""
        halt = self._ports.halted()
        if halt:
            raise _Halted(halt)

    def _notice(self, what: str) -> None:
        """Note that something is wrong: when the first cause is named, or the failure that the run began with."""
        if self._detected is None:
            self._detected = self._ports.now()
            self._note("detected", what)

    # ---- the record

    def _enter(self, situation: Situation, decision: Decision, *, ended: str = "") -> None:
        self._attempts.append(
            Attempt(
                number=len(self._attempts) + 1,
                failure=situation.failure,
                match=decision.match,
                others=decision.others,
                refusal=decision.refusal,
                plan=decision.plan,
                began=stamp(self._ports.now()),
                ended=ended,
            )
        )
        if decision.plan:
            self._note("planned", "; ".join(each.text for each in decision.plan))

    def _tell(self, decision: Decision) -> None:
        for line in lines_of(decision):
            self._ports.say(line)

    def _settle(self, gone: Mapping[int, bool]) -> None:
        """Note what has become of attempts, once that could be seen: whether their causes are gone."""
        for number, healed in gone.items():
            self._attempts[number] = replace(self._attempts[number], healed=healed)
            del self._open[number]

    def _note(self, what: Any, text: str, seconds: float = 0.0) -> None:
        self._timeline.append(Moment(stamp(self._ports.now()), what, text, round(max(0.0, seconds), 3)))

    def _record(self, act: Act, outcome: Outcome) -> None:
        self._ports.record(
            act.verb.value,
            act.subject,
            arguments=dict(act.arguments),
            why=act.why,
            before=outcome.before,
            after=outcome.after or outcome.refused,
            outcome="refused" if outcome.refused else "succeeded" if outcome.succeeded else "failed",
        )


def _told(failure: Failure) -> str:
    where = f" at {failure.resource or failure.phase}" if failure.resource or failure.phase else ""
    return f"{failure.code}{where} ({failure.stage})"


def _answered(situation: Situation) -> frozenset[str]:
    """Name the sections of evidence that there are to see something in."""
    return frozenset(name for name, section in situation.evidence.items() if is_answered(section))


def _fingerprint(attempt: Attempt) -> str:
    return attempt.match.fingerprint if attempt.match else ""


def _ended(outcome: Outcome) -> str:
    if outcome.refused:
        return f"refused: {outcome.refused}"
    return outcome.after or ("done" if outcome.succeeded else "failed")
