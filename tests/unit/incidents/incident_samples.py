"""Incidents to test with: the three failures of a first deployment that went half-way, and anything hypothesis can
think of.

`python tests/unit/incidents/incident_samples.py` writes the golden files beside this module anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from hypothesis import strategies as st

from infra.healing.document import document_of
from infra.healing.incident import Ending, Incident, Moment
from infra.healing.model import STAGES, Act, Attempt, Cause, Failure, Match, Outcome, Proof, Verb, Verdict
from infra.healing.pages import markdown_of, page_of

GOLDEN = Path(__file__).parent / "golden"
COMMIT = "0f3140f5c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6"
FACTS = {
    "domain": "staging.tsh-erp.test",
    "address": "127.0.10.2",
    "droplet": "402817364",
    "commit": COMMIT,
    "engine": "embedded",
}
NOTHING_TO_UNDO = "nothing: what is declared is what should be there"


def cause(code: str, **fields: Any) -> Cause:
    """A cause that finds nothing by itself."""
    given: dict[str, Any] = {
        "rows": ("U14",),
        "stage": "build",
        "verdict": Verdict.HEAL,
        "severity": "high",
        "title": f"{code}: {{subject}}",
        "impact": "The stack can't be deployed.",
        "role": "devops",
        "next_steps": ("greenroom up -s {stack}",),
        "look": lambda _situation: (),
    }
    return Cause(code=code, **{**given, **fields})


def at(second: float) -> str:
    """A time in the samples' minute."""
    return f"2025-11-15T10:{15 + int(second) // 60:02d}:{second % 60:06.3f}Z"


LOCK_FILE = cause(
    "LOCK_FILE_MISSING",
    rows=("U14", "F51"),
    verdict=Verdict.GUARD,
    title="{subject} is built by `npm ci`, and the repository has no {file}",
    impact="The image of {subject} can't be built; the rest of the stack waits for it.",
    next_steps=(
        "git fetch && git checkout {branch}",
        "git am incident.patch    (on {repository_branch}, in the workload's repository)",
    ),
    remedy="lock-file",
)
CHECKOUT = cause(
    "CHECKOUT_MISSING",
    rows=("U26", "F52"),
    stage="source",
    title="{subject} is not there: nothing was ever cloned to this server",
    impact="No command of the deployment finds its files.",
    next_steps=("greenroom up --refresh -s local",),
    remedy="converge",
)
SECRETS = cause(
    "SECRET_MISSING",
    rows=("U47", "F01", "F02"),
    stage="secrets",
    verdict=Verdict.ESCALATE,
    severity="critical",
    title="{count} secrets still hold a placeholder: {subject}",
    impact="No container can start: the database refuses an empty password, and mail can't be sent.",
    role="system administrator",
    next_steps=("greenroom secrets set RESEND_API_KEY -s local", "greenroom heal -s local"),
)
SYMPTOM = cause(
    "DEPENDENCY_UNHEALTHY",
    rows=("R13",),
    stage="compose",
    verdict=Verdict.ESCALATE,
    title="{subject} waits for a container that is not healthy",
    symptom=True,
)


def lock_file() -> Incident:
    """The build fails for want of a lock file; a patch heals it."""
    failure = Failure(
        stage="build",
        code="BUILD_FAILED",
        phase="build",
        resource="images",
        host="127.0.10.2",
        command="docker compose --project-name tsh_erp_staging build",
        exit_status=17,
        evidence=(
            "#14 [tds_admin_dashboard deps 4/4] RUN npm ci\n"
            "#14 1.204 npm error code EUSAGE\n"
            "#14 1.205 npm error The `npm ci` command can only install with an existing package-lock.json or\n"
            "#14 1.205 npm error npm-shrinkwrap.json with lockfileVersion >= 1.\n"
            'target tds_admin_dashboard: failed to solve: process "/bin/sh -c npm ci" did not complete: exit code: 1'
        ),
        at=at(3.2),
    )
    match = Match(
        LOCK_FILE,
        0.99,
        (
            Proof("failure.evidence", "#14 1.204 npm error code EUSAGE"),
            Proof("git", ".gitignore:31: package-lock.json"),
        ),
        subject="tds_admin_dashboard",
        details={
            "file": "package-lock.json",
            "branch": "greenroom/heal-lock-file",
            "repository_branch": "develop",
        },
    )
    act = Act(
        Verb.OFFER_PATCH,
        "tds_admin_dashboard",
        "npm ci needs a lock file, and the image's own npm can make it",
        "git branch -D greenroom/heal-lock-file",
        {"branch": "greenroom/heal-lock-file", "file": "tds_admin_dashboard/package-lock.json"},
    )
    again = Act(Verb.CONVERGE, "local", "the build goes on where it failed", NOTHING_TO_UNDO)
    outcomes = (
        Outcome(act, succeeded=True, before="no package-lock.json", after="412 packages locked", seconds=11.4),
        Outcome(again, succeeded=True, before="images: not built", after="3 images built", seconds=26.1),
    )
    attempt = Attempt(
        1,
        failure,
        match,
        others=(Match(SYMPTOM, 0.6, (), subject="nginx"),),
        plan=(act, again),
        outcomes=outcomes,
        healed=True,
        began=at(3.2),
        ended=at(45.3),
    )
    return Incident(
        id="20251115T101503Z-3f9a",
        stack="local",
        trigger="up",
        began=at(1.1),
        detected=at(3.2),
        ended=at(49.9),
        ending="healed",
        first=failure,
        attempts=(attempt,),
        timeline=(
            Moment(at(3.2), "detected", "build failed on 127.0.10.2 [BUILD_FAILED]"),
            Moment(at(5.2), "evidence", "collected 14 sections, 41 KiB", 1.9),
            Moment(at(5.2), "diagnosed", "LOCK_FILE_MISSING: tds_admin_dashboard (99 %)"),
            Moment(at(5.3), "planned", "offer-patch tds_admin_dashboard, converge local"),
            Moment(at(16.8), "acted", act.text, 11.4),
            Moment(at(45.3), "resumed", again.text, 28.5),
            Moment(at(49.8), "verified", "81 of 81 statements hold", 4.5),
            Moment(at(49.9), "ended", "healed"),
        ),
        statements=81,
        facts=FACTS,
        artifacts=("evidence.json", "incident.patch"),
    )


def empty_server() -> Incident:
    """The declared directory is absent: the program brings it."""
    failure = Failure(
        stage="source",
        code="DIRECTORY_MISSING",
        phase="source",
        resource="checkout",
        host="127.0.10.2",
        command="git -C /home/khaleel/tsh-erp rev-parse HEAD",
        exit_status=128,
        evidence="fatal: cannot change to '/home/khaleel/tsh-erp': No such file or directory",
        at=at(62.0),
    )
    match = Match(
        CHECKOUT,
        1.0,
        (Proof("git", "cannot change to '/home/khaleel/tsh-erp': No such file or directory"),),
        subject="/home/khaleel/tsh-erp",
    )
    act = Act(Verb.CONVERGE, "local", "a declared checkout is cloned where it is absent", NOTHING_TO_UNDO)
    outcome = Outcome(act, succeeded=True, before="absent", after=f"cloned at {COMMIT[:7]}", seconds=31.0)
    attempt = Attempt(1, failure, match, plan=(act,), outcomes=(outcome,), healed=True, began=at(62.0), ended=at(94.6))
    return Incident(
        id="20251115T101602Z-81c4",
        stack="local",
        trigger="watch",
        began=at(58.4),
        detected=at(62.0),
        ended=at(99.1),
        ending="healed",
        first=failure,
        attempts=(attempt,),
        timeline=(
            Moment(at(62.0), "detected", "the checkout is gone"),
            Moment(at(63.3), "evidence", "collected 14 sections, 12 KiB", 1.2),
            Moment(at(63.3), "diagnosed", "CHECKOUT_MISSING: /home/khaleel/tsh-erp (100 %)"),
            Moment(at(63.4), "planned", "converge local"),
            Moment(at(94.5), "acted", act.text, 31.0),
            Moment(at(99.0), "verified", "81 of 81 statements hold", 4.4),
            Moment(at(99.1), "ended", "healed"),
        ),
        statements=81,
        facts=FACTS,
        artifacts=("evidence.json",),
    )


def placeholders() -> Incident:
    """The placeholders of the template: only a person has these values."""
    failure = Failure(
        stage="secrets", code="SECRETS_UNUSABLE", phase="secrets", resource="env-file", host="127.0.10.2", at=at(130.0)
    )
    names = "RESEND_API_KEY, ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET"
    match = Match(
        SECRETS,
        1.0,
        (
            Proof("env", "RESEND_API_KEY=<CHANGE_ME_RESEND_API_KEY>"),
            Proof("env", "ZOHO_CLIENT_ID=<CHANGE_ME_ZOHO_CLIENT_ID>"),
            Proof("env", "ZOHO_CLIENT_SECRET=<CHANGE_ME_ZOHO_CLIENT_SECRET>"),
        ),
        subject=names,
        details={"count": 3},
    )
    refusal = "credentials are never invented: a person has to give them"
    attempt = Attempt(1, failure, match, refusal=refusal, began=at(130.0), ended=at(131.2))
    return Incident(
        id="20251115T101710Z-0b7d",
        stack="local",
        trigger="heal",
        began=at(130.0),
        detected=at(130.0),
        ended=at(131.6),
        ending="escalated",
        first=failure,
        attempts=(attempt,),
        remaining=(match,),
        timeline=(
            Moment(at(130.0), "detected", "secrets failed [SECRETS_UNUSABLE]"),
            Moment(at(131.1), "evidence", "collected 14 sections, 12 KiB", 1.1),
            Moment(at(131.2), "diagnosed", f"SECRET_MISSING: {names} (100 %)"),
            Moment(at(131.3), "escalated", "asked the system administrator: escalation.md"),
            Moment(at(131.6), "ended", "escalated"),
        ),
        facts=FACTS,
        artifacts=("evidence.json", "escalation.md"),
    )


def half_way() -> Incident:
    """All three in one run: two healed, one left, the figures of the run that this project began with."""
    first, second, third = lock_file(), empty_server(), placeholders()
    attempts = (first.attempts[0], replace(second.attempts[0], number=2), replace(third.attempts[0], number=3))
    return replace(
        third,
        id="20251115T101800Z-66f0",
        trigger="up",
        began=at(0.0),
        detected=at(3.2),
        attempts=attempts,
        timeline=tuple(sorted((*first.timeline[:-1], *second.timeline[:-1], *third.timeline), key=lambda m: m.at)),
    )


SAMPLES = {"lock-file": lock_file, "empty-server": empty_server, "placeholders": placeholders, "half-way": half_way}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(max_size=40)
PLAIN = st.dictionaries(st.text(max_size=8), JSON, max_size=3)
TIMES = st.integers(0, 3_000_000).map(lambda ms: at(ms / 1000))
SECONDS = st.floats(0, 1e6)
STAGE = st.sampled_from(STAGES)
FAILURES = st.builds(
    Failure,
    stage=STAGE,
    code=TEXT,
    **dict.fromkeys(("phase", "resource", "host", "command", "evidence", "at"), TEXT),
    exit_status=st.none() | st.integers(),
)
CAUSES = st.builds(
    cause,
    TEXT,
    rows=st.lists(TEXT, max_size=2).map(tuple),
    stage=STAGE,
    verdict=st.sampled_from(Verdict),
    severity=st.sampled_from(["critical", "high", "medium", "low"]),
    role=st.sampled_from(["system administrator", "devops", "qa"]),
    next_steps=st.lists(TEXT, max_size=2).map(tuple),
    symptom=st.booleans(),
    **dict.fromkeys(("title", "impact", "remedy"), TEXT),
)
PROOFS = st.lists(st.builds(Proof, TEXT, TEXT), max_size=2).map(tuple)
MATCHES = st.builds(Match, CAUSES, st.floats(0, 1), PROOFS, TEXT, PLAIN)
ACTS = st.builds(Act, st.sampled_from(Verb), TEXT, TEXT, TEXT, PLAIN)
OUTCOMES = st.builds(Outcome, ACTS, st.booleans(), TEXT, TEXT, SECONDS, TEXT)
ATTEMPTS = st.builds(
    Attempt,
    number=st.integers(1, 9),
    failure=st.none() | FAILURES,
    match=st.none() | MATCHES,
    others=st.lists(MATCHES, max_size=1).map(tuple),
    refusal=TEXT,
    plan=st.lists(ACTS, max_size=2).map(tuple),
    outcomes=st.lists(OUTCOMES, max_size=2).map(tuple),
    healed=st.booleans(),
    began=TIMES,
    ended=TIMES,
)
MOMENTS = st.builds(
    Moment, TIMES, st.sampled_from(["detected", "evidence", "diagnosed", "planned", "acted", "ended"]), TEXT, SECONDS
)
INCIDENTS = st.builds(
    Incident,
    id=st.from_regex(r"20[0-9]{6}T[0-9]{6}Z-[0-9a-f]{4}", fullmatch=True),
    stack=st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True),
    trigger=st.sampled_from(["up", "heal", "watch"]),
    began=TIMES,
    detected=TIMES,
    ended=TIMES,
    ending=st.sampled_from(get_args(Ending)),
    dry_run=st.booleans(),
    first=st.none() | FAILURES,
    attempts=st.lists(ATTEMPTS, max_size=2).map(tuple),
    remaining=st.lists(MATCHES, max_size=2).map(tuple),
    timeline=st.lists(MOMENTS, max_size=4).map(tuple),
    statements=st.integers(0, 999),
    failed_statements=st.lists(TEXT, max_size=2).map(tuple),
    facts=PLAIN,
    artifacts=st.lists(TEXT, max_size=2).map(tuple),
)


def without_style(page: str) -> str:
    """A page without its style sheet, which golden files need not repeat."""
    return re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.DOTALL)


def write_golden() -> None:
    """Write the golden files anew; what has changed in them is to be read before it is committed."""
    GOLDEN.mkdir(exist_ok=True)
    for name, sample in SAMPLES.items():
        document = json.dumps(document_of(sample()), indent=1, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(f"{document}\n")
        (GOLDEN / f"{name}.md").write_text(markdown_of(sample()))
        (GOLDEN / f"{name}.html").write_text(without_style(page_of(sample())))


if __name__ == "__main__":
    write_golden()
