"""The healer's ports over a session: the engine, the host, the cloud, the proof, the audit log, and how to stop them.

What takes long runs on a thread of its own, so that a stop is acted on at once: a run of the engine is cancelled (once,
and again where that takes too long), an act on the host is left to end by itself, as its job there does anyway.
"""

from __future__ import annotations

__all__ = ["World"]

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from infra.cli.audit import mirror_head
from infra.cli.declaring import declared_of, droplet_of, endpoint_of_host, settings_of, volume_of
from infra.cli.engine_runs import EngineRuns
from infra.cli.proof import full_proof
from infra.durable import save
from infra.errors import AuthenticationError, GreenroomError, StepError, UnreachableError
from infra.healing.account import Answer, CloudAccount
from infra.healing.diagnosis import diagnose
from infra.healing.evidence import collect
from infra.healing.failures import failure_of_error, statements_of
from infra.healing.hands import Hands, Seen
from infra.healing.healer import stamp
from infra.healing.identity import MACHINE_PATH, MachineRecord, droplet_failure, machine_failure, volume_failure
from infra.healing.lock import OWN_HOLD_S, busy, hold_probe, holder_of, is_ours_still
from infra.healing.lockfile import Patcher
from infra.healing.model import Failure, Outcome, Situation, Statement, Verb
from infra.healing.ports import Done, Verified
from infra.transport.pool import pool
from infra.transport.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from infra.cli.halting import Halting
    from infra.cli.session import Session
    from infra.healing.incident import Incident
    from infra.healing.lock import Holder
    from infra.healing.model import Act, Match
    from infra.healing.ports import Halt
    from infra.ops.audit import Audit
    from infra.transport.worker import Worker

T = TypeVar("T")

LOOK_S = 0.05
POWER_ON_S = 60.0
ASKED_ANEW_S = 0.1
"""Any patience at all has a host asked anew that did not answer a moment ago."""
ENGINE = frozenset({Verb.CONVERGE})


class World:
    """One stack, as one run of the healer meets it."""

    def __init__(
        self,
        session: Session,
        halting: Halting,
        audit: Audit,
        *,
        holder: Holder,
        incident: Path,
        dry_run: bool,
        deploys: bool,
    ) -> None:
        """`deploys`: whether a deployment waits to be gone on with; if not, mending is to bring nothing new."""
        self._session, self._halting, self._audit, self._dry_run = session, halting, audit, dry_run
        self._engine = EngineRuns(session, halting, at=self._at)
        self._undeployed: list[str] | None = None if deploys else []
        """What an edit of the settings waits for, once looked for; None where this run may deploy."""
        self._holder, self._incident = holder, incident
        self._account = CloudAccount.of(session.environment)
        self._cloud: Answer | None = None
        self._converged: Failure | None = None
        self._looks = 0
        self.artifacts: list[str] = []
        self.machine_id = ""
        self.declared = declared_of(session)

    # ---- what the loop asks for

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    def clock(self) -> float:
        """Tell the seconds of a clock that only goes forward."""
        return time.monotonic()

    def halted(self) -> Halt | None:
        """Say whether the run was stopped."""
        return self._halting.halt

    def say(self, text: str) -> None:
        """Tell a person who reads along."""
        self._session.console.say(text)

    def identify(self) -> Failure | None:
        """Ask the cloud for droplet and volume, the machine for its id; takes the host's lock with that question."""
        expected = droplet_of(self._resources(), self._session.stack)
        if expected is None:
            return None
        self._cloud = self._account.droplet(expected.id)
        if failure := droplet_failure(expected, self._cloud, at=self._at()):
            return failure
        volume = volume_of(self._resources())
        if volume and (failure := volume_failure(volume, self._account.volume(volume), at=self._at())):
            return failure
        try:
            found = self._held()
        except UnreachableError:
            return None  # nothing can be done there either, and what is done in the cloud is done to our droplet
        except (AuthenticationError, StepError) as error:
            return failure_of_error(error, at=self._at())
        if not self._dry_run and not found["hold"]["held"]:
            raise busy(self._session.stack, holder_of(found["hold"]["owner"]), "wait for its end, or stop it there")
        return self._known(expected.id, str(found["machine"].get("content", "")))

    def _held(self) -> dict[str, Any]:
        """Ask for the machine's id and take the host's lock, or wait for it where a cut connection of ours has it."""
        probes: dict[str, dict[str, Any]] = {"machine": {"kind": "file", "path": MACHINE_PATH, "content": True}}
        if not self._dry_run:
            probes["hold"] = hold_probe(self._holder)

        def ask() -> dict[str, Any]:
            return self._worker().call(subject="healing", phase="connect", probes=probes, timeout_s=10.0)

        if self._dry_run:
            return ask()
        until = time.monotonic() + OWN_HOLD_S
        while (
            is_ours_still((found := ask())["hold"], self._holder)
            and time.monotonic() < until
            and not self._halting.halt
        ):
            self._halting.sleep(1.0)
        return found

    def look(self, failure: Failure | None, statements: Sequence[Statement] = ()) -> Situation:
        """Collect the evidence and the drift side by side; of a machine that is not ours nothing is asked."""
        cloud = _told(self._cloud)
        if failure is not None and failure.phase == "identity":
            return Situation(self.declared, failure, {"drift": [], "cloud": cloud}, tuple(statements))
        evidence: dict[str, Any] = {"cloud": cloud}
        with ThreadPoolExecutor(1) as beside:
            around = beside.submit(self._around)
            if endpoint_of_host(self._resources()):  # one that was never made is not silent
                evidence = collect(self._worker, self.declared, failure=failure, cloud=cloud)
            evidence |= around.result()
        self._keep(failure, evidence, statements)
        return Situation(self.declared, failure, evidence, tuple(statements))

    def _around(self) -> dict[str, Any]:
        """Say how cloud and host differ from the state, and where mending is to bring nothing new, what it would."""
        drift = self._engine.drift()
        if self._undeployed is None:
            return {"drift": drift}
        if not self._looks:  # whoever edits the settings while this run mends has looked on, and the leash is short
            self._undeployed = self._engine.undeployed()
        return {"drift": drift, "undeployed": self._undeployed}

    def diagnose(self, situation: Situation) -> Sequence[Match]:
        """Name causes, the root first."""
        return diagnose(situation)

    def perform(self, act: Act) -> Done:
        """Perform one act; a stop is acted on while it runs."""
        self._converged = None
        outcome = self._aside(lambda: self._hands().perform(act), waits=act.verb in ENGINE)
        if outcome is None:
            return Done(Outcome(act, succeeded=False, after="not waited for: the run was stopped"))
        return Done(outcome, self._converged)

    def resume(self) -> Failure | None:
        """Run the deployment on from where it stopped."""
        ended = self._aside(lambda: self._up(refresh=False), waits=True)
        failure, told = ended or (None, "not waited for: the run was stopped")
        if changes := self._engine.changes():
            how = "failed" if failure else "succeeded"
            words = {"why": "the deployment goes on where it stopped", "before": "", "after": told, "outcome": how}
            self.record("resume", self._session.stack, arguments=changes, **words)
        return failure

    def verify(self) -> Verified:
        """Make the whole proof; a stop breaks into it."""
        try:
            with self._halting.interrupting():
                document = full_proof(self._session)
        except GreenroomError as error:
            return Verified(0, (Statement("proof", "the acceptance suite runs", error.message),))
        except KeyboardInterrupt:
            return Verified(0, (Statement("proof", "the acceptance suite runs", "it was stopped"),))
        return Verified(int(document["total"]), statements_of(document))

    def record(
        self, verb: str, subject: str, *, arguments: Mapping[str, Any], why: str, before: str, after: str, outcome: str
    ) -> None:
        """Append to the audit log."""
        told: dict[str, Any] = {"arguments": arguments, "why": why, "before": before, "after": after}
        self._audit.append(verb, subject, **told, outcome=outcome, incident=self._incident.name)

    def completed(self, incident: Incident) -> Incident:
        """Add to the incident what only the world knows: the stack in a few words, and the files beside it."""
        declared = self.declared
        facts = {
            "domain": declared.domain,
            "address": declared.address,
            "droplet": declared.machine,
            "machine_id": self.machine_id,
            "commit": declared.commit,
        }
        return replace(incident, facts=facts, artifacts=tuple(self.artifacts))

    def close(self, incident: Incident) -> None:
        """Record how the run ended, and leave the log's head on the droplet where that can be reached."""
        acted = any(each.outcomes for each in incident.attempts)
        if incident.ending == "healthy" and not acted:
            return
        self._audit.append(
            "heal",
            self._session.stack,
            arguments={"trigger": incident.trigger, "statements": incident.statements},
            why=incident.first.code if incident.first else "asked",
            after=", ".join(each.fingerprint for each in incident.remaining),
            outcome=incident.ending,
            incident=incident.id,
        )
        try:
            mirror_head(self._worker(), self._audit.head())
        except GreenroomError as error:
            self.say(f"the audit log's head is not on the droplet: {error.message.splitlines()[0]}")

    # ---- the host and the cloud

    def _worker(self) -> Worker:
        endpoint = endpoint_of_host(self._resources())
        if endpoint is None:
            raise UnreachableError(
                phase="connect",
                host="the droplet",
                command="connect",
                exit_status=None,
                evidence="the deployment has not come so far that there is a host with a key of its own",
                code="HOST_NOT_MADE",
                hint=f"greenroom up -s {self._session.stack}",
            )
        return worker(pool.link(endpoint, patience_s=ASKED_ANEW_S))

    def _known(self, droplet: str, machine_id: str) -> Failure | None:
        """Hold the machine against the record; make the record where this is the first time."""
        endpoint = endpoint_of_host(self._resources())
        seen = MachineRecord.of(droplet, machine_id, endpoint.host_key if endpoint else "")
        self.machine_id = seen.machine_id
        known = MachineRecord.read(self._session.directory)
        failure = machine_failure(known, seen, at=self._at())
        if not failure and not self._dry_run and known != seen:
            seen.write(self._session.directory)
        return failure

    def _power_on(self) -> Seen:
        answer = self._account.power_on(self.declared.machine)
        if answer.status not in {200, 201}:
            return Seen(succeeded=False, before="off", after=f"the cloud answered {answer.status}: {answer.said}")
        until = time.monotonic() + POWER_ON_S
        status = "off"
        while time.monotonic() < until and not self._halting.halt:
            status = str(self._account.droplet(self.declared.machine).droplet.get("status", "unknown"))
            if status == "active":
                return Seen(succeeded=True, before="off", after=status)
            self._halting.sleep(1.0)
        return Seen(succeeded=False, before="off", after=status)

    def _hands(self) -> Hands:
        return Hands(
            declared=self.declared,
            host=self._worker,
            converge=self._converge,
            power_on=self._power_on,
            offer_patch=self._offer_patch,
            sleep=self._halting.sleep,
        )

    def _offer_patch(self, act: Act) -> Seen:
        self._incident.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix = settings_of(self._session).healing.branch_prefix
        patcher = Patcher(
            self.declared,
            self._worker,
            self._session.environment,
            self._incident,
            prefix,
            is_stopped=lambda: self._halting.halt is not None,
        )
        seen = patcher.offer(act)
        self.artifacts += [each.name for each in patcher.patches]
        return seen

    # ---- the engine

    def _converge(self) -> Seen:
        failure, told = self._up(refresh=True)
        self._converged = failure
        return Seen(succeeded=failure is None, after=told)

    def _up(self, *, refresh: bool) -> tuple[Failure | None, str]:
        """Run the engine; gives the failure, None where it came to its end, and the run in a few words."""
        try:
            return self._engine.up(refresh=refresh)
        finally:
            self.declared = declared_of(self._session)  # another commit may stand there now, or the first droplet

    # ---- small things

    def _aside(self, work: Callable[[], T], *, waits: bool) -> T | None:
        """Work on a thread of its own, and wait for it: on this one signals come in. None where a stop ended that.

        With `waits` the work ends by itself when the run is stopped, and is waited for to its end.
        """
        finished: list[T] = []
        raised: list[BaseException] = []

        def run() -> None:
            try:
                finished.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                raised.append(error)

        thread = threading.Thread(target=run, name="act", daemon=True)
        thread.start()
        while thread.is_alive() and (waits or not self._halting.halt):
            thread.join(LOOK_S)
        if raised:
            raise raised[0]
        return finished[0] if finished else None

    def _resources(self) -> list[Any]:
        return self._session.driver.resources() if self._session.driver.exists() else []

    def _keep(self, failure: Failure | None, evidence: Mapping[str, Any], statements: Sequence[Statement]) -> None:
        """Leave what was seen beside the incident."""
        self._looks += 1
        if self._dry_run:
            return
        self._incident.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"evidence-{self._looks}.json"
        document = {
            "at": self._at(),
            "failure": asdict(failure) if failure else None,
            "statements": [asdict(each) for each in statements],
            "evidence": evidence,
        }
        text = json.dumps(document, indent=1, ensure_ascii=False, default=str)
        save(self._incident / name, self._session.console.redactor.mask(text) + "\n")
        self.artifacts.append(name)

    def _at(self) -> str:
        return stamp(self.now())


def _told(answer: Answer | None) -> dict[str, Any]:
    if answer is None or not answer.droplet:
        return {}
    return {name: answer.droplet.get(name) for name in ("id", "name", "status", "tags")}
