"""Plans are pure, few, explained, and made of acts that can be performed; guards say why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.healing.hands import refusal
from infra.healing.model import Cause, Declared, Match, Proof, Situation, Verb, Verdict
from infra.healing.playbook import REMEDIES, is_offer

DECLARED = Declared(
    **dict.fromkeys(("stack", "directory", "user", "compose_file", "env_file", "address", "branch"), "x"),
    **dict.fromkeys(("commit", "repository"), "x"),
    project="erp",
    domain="staging.erp.test",
    machine="17",
    tag="greenroom-lab",
    services={"app": {}},
)
ENTRIES = {
    "converge": [Verb.CONVERGE],
    "wait": [Verb.WAIT, Verb.CONVERGE],
    "await-host": [Verb.AWAIT_HOST, Verb.CONVERGE],
    "power-on": [Verb.POWER_ON, Verb.CONVERGE],
    "prune": [Verb.PRUNE_IMAGES, Verb.CONVERGE],
    "docker": [Verb.START_UNIT, Verb.CONVERGE],
    "lock-file": [Verb.OFFER_PATCH],
    "own-container": [Verb.REMOVE_CONTAINER, Verb.CONVERGE],
    "restart": [Verb.RESTART_SERVICE, Verb.CONVERGE],
    "proxy": [Verb.START_UNIT, Verb.CONVERGE],
    "reload": [Verb.RELOAD_PROXY],
    "certificate": [Verb.RENEW_CERTIFICATE],
}
"""Every entry, with what it plans for a plain match."""
DETAILS: dict[str, Any] = {"container": "erp-app-1", "directory": "dashboard", "dockerfile": "D", "has": "has expired"}


def match(code: str = "X", subject: str = "app", **details: Any) -> Match:
    cause = Cause(
        code=code,
        rows=(),
        stage="health",
        verdict=Verdict.HEAL,
        severity="high",
        title="",
        impact="",
        role="devops",
        next_steps=(),
        look=lambda _situation: (),
    )
    return Match(cause, 1.0, (Proof("build", "npm error code EUSAGE\n\x1b[31m"),), subject, details)


def situation(**changes: Any) -> Situation:
    return Situation(replace(DECLARED, **changes))


def test_the_playbook_has_these_entries_and_their_plans_are_of_their_verbs() -> None:
    assert set(REMEDIES) == set(ENTRIES)
    for name, verbs in ENTRIES.items():
        remedy, found = REMEDIES[name], match(**DETAILS)

        assert remedy.guard(situation(), found) == ""
        plan = remedy.plan(situation(), found)

        assert [act.verb for act in plan] == verbs
        assert set(verbs) <= set(remedy.verbs)
        assert plan == remedy.plan(situation(), found), "a plan is the same value each time"
        for act in plan:
            assert refusal(act) == "", act
            assert act.why
            assert act.undo
            assert "\n" not in act.text


@given(
    name=st.sampled_from(sorted(ENTRIES)),
    subject=st.text(max_size=20),
    details=st.dictionaries(st.sampled_from([*DETAILS, "seconds", "retry_after_s", "project"]), st.text(max_size=20)),
)
def test_whatever_a_diagnosis_says_a_plan_has_only_the_entry_s_verbs_and_their_arguments(
    name: str, subject: str, details: dict[str, Any]
) -> None:
    remedy, found = REMEDIES[name], match(subject=subject, **details)
    if remedy.guard(situation(), found):
        return
    plan = remedy.plan(situation(), found)

    assert [act.verb for act in plan] == [verb for verb in remedy.verbs if verb in {act.verb for act in plan}]
    assert all("no argument" not in refusal(act) and "no verb" not in refusal(act) for act in plan)


@pytest.mark.parametrize(
    ("name", "found", "why"),
    [
        ("restart", match(subject="stranger"), "stranger is no service of erp"),
        ("own-container", match(), "nobody knows which container"),
        ("own-container", match(container="x", project="other"), "the container x belongs to other"),
        ("own-container", match(container="x", project=""), "belongs to nobody"),
        ("power-on", match(machine="18"), "the droplet 18 is not the stack's (17)"),
        ("power-on", match(machine="17", tags=["web"]), "does not carry the tag greenroom-lab"),
        ("prune", match(prunable_bytes=0), "no dangling image"),
        ("converge", match("DB_PASSWORD_DIFFERS", "TOKEN"), "declared with no secret"),
        ("certificate", match(), "nobody knows what is wrong with the certificate"),
        ("certificate", match(has="is not valid yet", in_vain="no clock is mended"), "no clock is mended"),
        ("lock-file", match(), "nobody knows which directory"),
        ("lock-file", match(directory="../elsewhere"), "nobody knows which directory"),
        ("lock-file", match(directory="/etc"), "nobody knows which directory"),
    ],
)
def test_a_guard_says_why_not(name: str, found: Match, why: str) -> None:
    assert why in REMEDIES[name].guard(situation(), found)


def test_a_patched_commit_is_gone_on_with_only_where_both_settings_say_so() -> None:
    remedy, found = REMEDIES["lock-file"], match(**DETAILS)
    for may_push, deploy_patched, verbs in (
        (False, False, [Verb.OFFER_PATCH]),
        (True, False, [Verb.OFFER_PATCH]),
        (True, True, [Verb.OFFER_PATCH, Verb.CONVERGE]),
    ):
        plan = remedy.plan(situation(may_push=may_push, deploy_patched=deploy_patched), found)

        assert [act.verb for act in plan] == verbs
        assert is_offer(plan) == (Verb.CONVERGE not in verbs)
        assert plan[0].arguments == {"dockerfile": "D", "evidence": "npm error code EUSAGE[31m"}


@pytest.mark.parametrize(
    ("subject", "unit"),
    [
        ("docker.service", "docker.service"),
        ("containerd.service", "containerd.service"),
        ("caddy.service", "docker.service"),
        ("ssh.service", "docker.service"),
        ("", "docker.service"),
    ],
)
def test_of_the_engine_s_units_the_one_that_does_not_run_is_started_and_no_other(subject: str, unit: str) -> None:
    start, _ = REMEDIES["docker"].plan(situation(), match("DOCKER_DOWN", subject))

    assert (start.verb, start.subject) == (Verb.START_UNIT, unit)


@pytest.mark.parametrize(
    ("details", "seconds"), [({}, 30.0), ({"retry_after_s": 7}, 7.0), ({"retry_after_s": 999}, 120.0)]
)
def test_what_the_other_side_asks_for_is_waited(details: dict[str, Any], seconds: float) -> None:
    wait, _ = REMEDIES["wait"].plan(situation(), match("CLOUD_BUSY", **details))

    assert wait.arguments == {"seconds": seconds}
