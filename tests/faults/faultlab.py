"""`scripts/faults`: injects every fault into one real stack, lets somebody deal with it, and has a judge look.

A line a case on standard error as it goes, a table at its end; figures as JSON where they are asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from bed import CIDR, Lab
from faultcase import load_cases
from figures import document, summary, table
from judge import Judge, Verdict
from methods import BASELINES, Greenroom, Struck
from witness import Record, Tracer, Witness, can_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultcase import Case
    from methods import Method


def say(text: str) -> None:
    """Talk on standard error; figures go to standard output."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Bench:
    """A lab with a judge and a witness."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.judge, self.tracer = lab, Judge(lab), Tracer()
        if not can_trace():
            self.tracer.start()

    def run(self, case: Case, method: Method) -> Verdict:
        """Inject one fault, let somebody deal with it, and judge."""
        lab, began = self.lab, time.monotonic()
        before = self.judge.snapshot()
        witness = Witness(lab, self.tracer).start()
        try:
            method.prepare(lab, case)
            struck_at = time.monotonic()
            case.inject(lab)
            struck = Struck(struck_at, time.monotonic())
            witness.injected()
            files = self.judge.files()
            served = lab.https("/health") == 200
            injected = _wait_for(lab, case) if not case.watched else ""
            broken = self.judge.snapshot() if method.can_wait else None
            claim = method.act(lab, case, struck)
        finally:
            seen = witness.stop()
        verdict = self.judge.verdict(
            case, claim, injected=injected, before=before, broken=broken, files=files, served=served, seen=seen
        )
        verdict.seconds = time.monotonic() - began
        _keep(lab, verdict, seen)
        return verdict

    def clear(self, case: Case, verdict: Verdict | None) -> None:
        """Take the fault away; a stack that the judge has just proved needs no more, any other is brought back."""
        self.lab.stop_background()
        case.restore(self.lab)
        if verdict is not None and verdict.healed and case.strikes == "run time" and not verdict.harm:
            self.lab.forget_case()
            return
        self.lab.settle(lambda: case.broken(self.lab))


def try_case(lab: Lab, case: Case) -> str:
    """Inject one fault and take it away again: it has to break what the judge looks at, and leave nothing behind."""
    case.inject(lab)
    found = _wait_for(lab, case)
    case.restore(lab)
    lab.settle()
    left = case.broken(lab)
    if left:
        raise RuntimeError(f"{case.id}: restoring left it broken: {left}")
    return found or "nothing to see before a deployment"


def _wait_for(lab: Lab, case: Case) -> str:
    """Wait until the fault shows; a case whose injector breaks nothing proves nothing."""
    deadline = time.monotonic() + max(case.shows_within_s, 5.0)
    while True:
        found = case.broken(lab)
        if found or case.strikes == "deployment" or case.expected in {"prevented", "nothing to do"}:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"{case.id}: the injector broke nothing")
        time.sleep(0.5)


def _keep(lab: Lab, verdict: Verdict, seen: Record) -> None:
    """Leave what was seen beside the desk, for whoever wants to know why."""
    place = lab.directory.with_name(f"{lab.directory.name}.seen")
    place.mkdir(exist_ok=True)
    ran = [f"{each.where}: {each.text}" for each in seen.executions]
    ran += [f"{each.where}: {each.sender} sent signal {each.signal}" for each in seen.kills if each.signal]
    ran += [f"engine: {each.get('Type')} {each.get('Action')} {each['Actor']['ID'][:80]}" for each in seen.events]
    ran += [f"cloud: {each.method} {each.path} -> {each.status}" for each in seen.calls]
    name = f"{verdict.case}.{verdict.who.replace(' ', '-')}"
    (place / f"{name}.ran").write_text("\n".join(ran), encoding="utf-8")
    (place / f"{name}.json").write_text(json.dumps(verdict.document(), indent=2), encoding="utf-8")


def run_all(lab: Lab, cases: Sequence[Case], methods: Sequence[Method]) -> tuple[list[Verdict], list[str]]:
    """Run every case by every method; a defect of the lab itself is told apart and fails the run."""
    verdicts: list[Verdict] = []
    defects: list[str] = []
    rounds = [(case, method) for case in cases for method in methods]
    bench = Bench(lab)
    for number, (case, method) in enumerate(rounds, 1):
        verdict = None
        head = f"[{number}/{len(rounds)}] {case.id} · {method.name}"
        try:
            verdict = bench.run(case, method)
        except Exception as error:  # noqa: BLE001 (one broken case must not hide the others)
            defects.append(f"{case.id} · {method.name}: {error}")
            say(f"{head}: THE LAB FAILED: {error}\n{traceback.format_exc()[-1500:]}")
        except KeyboardInterrupt:
            defects.append(f"interrupted at {case.id}: {len(rounds) - number + 1} of {len(rounds)} were not run")
            break
        else:
            verdicts.append(verdict)
            say(f"{head}: {line_of(verdict)}")
        try:
            bench.clear(case, verdict)
        except Exception as error:  # noqa: BLE001 (as above)
            defects.append(f"after {case.id}: {error}")
            say(f"{head}: NOT RESTORED: {error}\n{traceback.format_exc()[-1500:]}")
    bench.tracer.stop()
    return verdicts, defects


def try_all(lab: Lab, cases: Sequence[Case]) -> int:
    """Try every injector; the number of those that don't work is the exit status."""
    failed = 0
    for case in cases:
        try:
            say(f"{case.id}: {try_case(lab, case)}")
        except Exception as error:  # noqa: BLE001 (one broken case must not hide the others)
            failed += 1
            say(f"{case.id}: FAILED: {error}")
            lab.settle()
    return failed


def line_of(verdict: Verdict) -> str:
    """Say in one line what became of a case."""
    claim = verdict.claim
    words = ["ok  " if verdict.good else "MISS", verdict.became]
    words += [] if verdict.became == verdict.expected else [f"(expected {verdict.expected})"]
    words += [f"cause {claim.causes[0]}"] if claim and claim.causes else []
    words += [] if verdict.cause_right is not False else ["WRONG CAUSE"]
    words += ["FALSE GREEN"] if verdict.false_green else []
    words += [f"FORBIDDEN {each.rule}" for each in verdict.forbidden]
    words += [f"HARM {name}" for name in verdict.harm]
    words += [f"noticed {verdict.detection_s:.1f} s"] if verdict.detection_s is not None else []
    words += [f"done {verdict.repair_s:.1f} s"] if verdict.repair_s is not None else []
    return " · ".join(words)


def main() -> int:
    """Run the lab as the command line asks."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description="The fault lab: real faults, and a judge.")
    parser.add_argument("--case", nargs="+", default=[], metavar="ID", help="only these")
    parser.add_argument("--fast", action="store_true", help="only the few that run with every change")
    parser.add_argument("--baselines", action="store_true", help="what an operator in a hurry would try, too")
    parser.add_argument("--only-baselines", action="store_true", help="only that; needs nothing of the healer")
    parser.add_argument("--json", nargs="?", const="-", default="", metavar="FILE", help="the figures as one document")
    parser.add_argument("--desk", type=Path, help="a desk to use again; it is left standing")
    parser.add_argument("--cidr", default=CIDR, help="the private network of the stack")
    parser.add_argument("--try", dest="try_only", action="store_true", help="only inject and restore; nobody heals")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    given = parser.parse_args()
    cases = load_cases(given.case, fast=given.fast)
    if given.list:
        print(table([[case.id, case.expected, case.strikes, ",".join(case.rows), case.title] for case in cases]))  # noqa: T201
        return 0
    methods: list[Method] = [] if given.only_baselines else [Greenroom()]
    methods += BASELINES if given.baselines or given.only_baselines else []
    if why := can_trace():
        say(f"commands are not traced: {why}; the never-list is held against engine and cloud alone")
    with tempfile.TemporaryDirectory(prefix="greenroom-faults-") as scratch:
        lab = Lab(given.desk or Path(scratch) / "desk", cidr=given.cidr, say=say)
        began = time.monotonic()
        try:
            lab.make()
            if given.try_only:
                return try_all(lab, cases)
            say(f"deployed in {time.monotonic() - began:.0f} s; {len(cases)} cases")
            verdicts, defects = run_all(lab, cases, methods)
        finally:
            if not given.desk:
                lab.remove()
    found = [each.document() for each in verdicts]
    figures = document(found, seconds=time.monotonic() - began, untraced=why, defects=defects)
    if figures["league"]:
        say(summary(figures["league"]))
    for each in figures["missed"]:
        say(f"MISSED {each}")
    if given.json:
        text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
        Path(given.json).write_text(text, encoding="utf-8") if given.json != "-" else sys.stdout.write(text)
    return 1 if figures["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
