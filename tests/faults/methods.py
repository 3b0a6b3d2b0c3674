"""Who deals with a fault: Greenroom's healer, and the baselines that an operator in a hurry would try.

Each ends in a claim. A baseline's claim of success is the exit status of what was typed, as a script would take it.
"""

from __future__ import annotations

__all__ = ["BASELINES", "Greenroom", "Method", "Restart", "RunAgain", "Struck", "UpAgain"]

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bed import DIRECTORY
from judge import Claim

if TYPE_CHECKING:
    from bed import Lab
    from command import Line, Run
    from faultcase import Case

WATCH_LIMIT_S = 240.0
HEAL_LIMIT_S = 660.0
NOTICED = re.compile(r"noticed|found: |drift: |error: |\] failed ")
"""The words with which Greenroom first tells that something is wrong, before it knows what."""
STEP = re.compile(r"\] failed .*?([0-9.]+) s$")
"""A step of a deployment that failed, and how long it took to."""
QUIET_S = 4.0
WATCHING, ALARM = re.compile(r": watching every "), re.compile(r"alarm: ")
TOLD = re.compile(r": incident (?P<id>[0-9TZ]+-[0-9a-f]+)")


@dataclass(frozen=True)
class Struck:
    """When a fault was injected, by the lab's clock: a part of it may be there before its injector is done."""

    began: float
    ended: float


class Method(Protocol):
    """A way to deal with a fault."""

    name: str
    can_wait: bool
    """Whether the judge may look at the broken stack first: it takes seconds, which a watch must not be given."""

    def prepare(self, lab: Lab, case: Case) -> None:
        """Do what has to be done before the fault strikes."""
        ...

    def act(self, lab: Lab, case: Case, struck: Struck) -> Claim:
        """Deal with it."""
        ...


def fails_to_deploy(lab: Lab) -> Run:
    """Run the deployment that meets the fault, as everybody did before they knew of it."""
    return lab.greenroom("up", "--yes", timeout_s=HEAL_LIMIT_S)


class RunAgain:
    """Type the same command again."""

    name = "run it again"
    can_wait = True

    def prepare(self, lab: Lab, case: Case) -> None:
        """Nothing runs before."""

    def act(self, lab: Lab, case: Case, struck: Struck) -> Claim:
        runs = [fails_to_deploy(lab)] if case.strikes == "deployment" else []
        if not runs or runs[0].status:
            runs.append(fails_to_deploy(lab))
        return claim_of(self.name, runs[-1], struck)


class Restart:
    """Restart every container, and Docker with them."""

    name = "restart everything"
    can_wait = True

    def prepare(self, lab: Lab, case: Case) -> None:
        """Nothing runs before."""

    def act(self, lab: Lab, case: Case, struck: Struck) -> Claim:
        first = [fails_to_deploy(lab)] if case.strikes == "deployment" else []
        if first and not first[0].status:
            return claim_of(self.name, first[0], struck)
        script = "systemctl restart docker && docker restart -t 5 $(docker ps -aq)"
        return claim_of(self.name, _on_the_droplet(lab, script), struck)


class UpAgain:
    """`docker compose up` again, on the droplet."""

    name = "docker compose up again"
    can_wait = True

    def prepare(self, lab: Lab, case: Case) -> None:
        """Nothing runs before."""

    def act(self, lab: Lab, case: Case, struck: Struck) -> Claim:
        first = [fails_to_deploy(lab)] if case.strikes == "deployment" else []
        if first and not first[0].status:
            return claim_of(self.name, first[0], struck)
        script = f"cd {DIRECTORY} && {lab.compose_words} up -d --build --wait --wait-timeout 60"
        return claim_of(self.name, _on_the_droplet(lab, script), struck)


BASELINES: tuple[Method, ...] = (RunAgain(), Restart(), UpAgain())


def _on_the_droplet(lab: Lab, script: str) -> Run:
    """Type something on the droplet, over the login that `greenroom ssh` gives."""
    return lab.greenroom("ssh", "--", "sh", "-c", script, timeout_s=300)


def claim_of(who: str, run: Run, struck: Struck) -> Claim:
    """Take the exit status for what it says."""
    return Claim(who, run.status, run.status == 0, repair_s=run.ended - struck.ended, tail=run.text("err")[-1500:])


class Greenroom:
    """The healer: `up --heal` where a deployment meets the fault, `watch` or `heal` where it strikes at run time."""

    name = "greenroom"
    can_wait = False

    def __init__(self) -> None:
        self._watch: Run | None = None

    def prepare(self, lab: Lab, case: Case) -> None:
        """Where the watch has to notice it, it looks on already; a quiet stack must not alarm it."""
        self._watch = None
        if case.watched:
            self._watch = lab.start("watch")
            if not _until(self._watch, WATCHING, 30) or _until(self._watch, ALARM, QUIET_S):
                raise RuntimeError(f"the watch does not look on quietly\n{_ended(self._watch).text('out')[-2000:]}")

    def act(self, lab: Lab, case: Case, struck: Struck) -> Claim:
        if self._watch is not None:
            return self._watched(lab, self._watch, struck)
        argv = ["up", "--heal", "--yes", "--json"] if case.strikes == "deployment" else ["heal", "--json"]
        run = lab.greenroom(*argv, timeout_s=HEAL_LIMIT_S)
        document = run.document
        return claim_of_incident(document if "ending" in document else {}, run, struck)

    def _watched(self, lab: Lab, watch: Run, struck: Struck) -> Claim:
        """Wait until the watch says how it ended, then end the watch."""
        told = _until(watch, TOLD, WATCH_LIMIT_S)
        _ended(watch)
        watch.ended = told.at if told else watch.ended
        incident = TOLD.search(told.text) if told else None
        document = lab.greenroom("incidents", incident["id"], "--json").document if incident else {}
        return claim_of_incident(document, watch, struck, first=ALARM)


def _until(run: Run, words: re.Pattern[str], limit_s: float) -> Line | None:
    """Wait for a line with these words on standard output; None where none comes."""
    deadline = time.monotonic() + limit_s
    while True:
        for line in list(run.lines):
            if line.stream == "out" and words.search(line.text):
                return line
        if time.monotonic() > deadline or run.process.poll() is not None:
            return None
        time.sleep(0.05)


def _ended(watch: Run) -> Run:
    watch.process.send_signal(2)
    return watch.wait(60)


def claim_of_incident(document: dict[str, Any], run: Run, struck: Struck, *, first: re.Pattern[str] = NOTICED) -> Claim:
    """Read what the healer says of itself; times are the lab's own, taken as its lines came."""
    ending = str(document.get("ending", ""))
    attempts = [each for each in document.get("attempts", []) if each.get("match")]
    asked = document.get("remaining", [])
    word = next((line for line in run.lines if line.at > struck.began and first.search(line.text)), None)
    noticed = word.at if word else None
    step = STEP.search(word.text) if word else None
    return Claim(
        "greenroom",
        run.status,
        ending in {"healed", "healthy"} or (not ending and run.status == 0),
        ending=ending,
        causes=tuple(each["match"]["cause"]["code"] for each in attempts),
        roles=tuple(dict.fromkeys(each["cause"]["role"] for each in asked)),
        acts=tuple(_text(done["act"]) for each in attempts for done in each.get("outcomes", [])),
        next_steps=sum(len(each.get("next_steps", [])) for each in asked[:1]),
        detection_s=float(step[1]) if step else max(0.0, noticed - struck.ended) if noticed else None,
        repair_s=run.ended - (noticed or struck.ended),
        tail=(run.text("err")[-3000:] if first is NOTICED else run.text("out")[-3000:]),
    )


def _text(act: dict[str, Any]) -> str:
    return f"{act['verb']} {act['subject']}"
