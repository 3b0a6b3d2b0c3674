"""The healer's laws, in every world: its acts are those of a dry run, and it never leaves its leash."""

from __future__ import annotations

import itertools
from dataclasses import replace

from healing_world import DECLARED, DETAILS, STATEMENTS, FakeWorld, Fault, cause_of, heal, names
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.healing.model import Failure, Match, Proof, Situation, Verdict
from infra.healing.playbook import REMEDIES
from infra.healing.policy import Budget, Spent, choose

FAULTS = st.builds(
    Fault,
    code=st.sampled_from(["SERVICE_STOPPED", "DISK_FULL", "PROXY_STALE", "DNS_UNMANAGED", "LOCK_FILE_MISSING"]),
    verdict=st.sampled_from([Verdict.HEAL, Verdict.HEAL, Verdict.GUARD, Verdict.ESCALATE]),
    remedy=st.sampled_from([*sorted(REMEDIES), "none"]),
    subject=st.sampled_from(["web", "stranger"]),
    seen_by=st.sampled_from(["evidence", "resume", "proof"]),
    cured_by=st.integers(0, 3),
    claims=st.booleans(),
    refused=st.sampled_from(["", "", "", "not ours"]),
    confidence=st.sampled_from([0.4, 0.6, 0.99]),
    symptom=st.booleans(),
)
WORLDS = st.builds(
    FakeWorld,
    faults=st.lists(FAULTS, max_size=5, unique_by=lambda each: each.code),
    seconds_an_act=st.sampled_from([1.0, 30.0, 250.0]),
    stop_after=st.sampled_from([-1, -1, *range(30)]),
    stranger_after=st.sampled_from([-1, -1, -1, *range(30)]),
)


def failure_of(world: FakeWorld) -> Failure | None:
    return world._deploy()


@given(WORLDS)
@settings(max_examples=1000, deadline=None)
def test_in_every_world_the_acts_are_those_of_the_dry_run(world: FakeWorld) -> None:
    """From the situation of each attempt a dry run plans what the real run then performed: 1,000 of 1,000."""
    incident = heal(world, failure_of(world))
    spent = Spent()
    for attempt in incident.attempts:
        if attempt.match is None:
            continue
        situation = Situation(DECLARED, attempt.failure)
        told = choose(
            situation, [attempt.match, *attempt.others], spent, remedies=REMEDIES, budget=Budget(seconds=10**6)
        )
        if attempt.plan:
            assert told.plan == attempt.plan
        performed = tuple(each.act for each in attempt.outcomes)
        assert performed == attempt.plan[: len(performed)]
        if attempt.healed and all(each.succeeded for each in attempt.outcomes):
            assert performed == attempt.plan
        if attempt.outcomes or attempt.plan:
            spent = spent.after(attempt.match, attempt.plan, attempt.outcomes)
    if incident.ending != "stopped":  # an act that a stop came after is in the world, and in the record
        assert world.acts == [each.act for attempt in incident.attempts for each in attempt.outcomes]
    plans = [each["arguments"]["acts"] for each in world.records if each["verb"] == "plan"]
    assert plans == [[each.text for each in attempt.plan] for attempt in incident.attempts if attempt.plan]


@given(WORLDS)
@settings(max_examples=400, deadline=None)
def test_in_every_world_the_first_plan_is_the_dry_runs(world: FakeWorld) -> None:
    twin = FakeWorld([replace(each) for each in world.faults], world.seconds_an_act)
    dry = heal(twin, failure_of(twin), dry_run=True)
    real = FakeWorld([replace(each) for each in world.faults], world.seconds_an_act)
    done = heal(real, failure_of(real))
    if dry.ending == "planned":
        first = done.attempts[0]
        assert dry.attempts[0].plan == first.plan
        assert tuple(each.act for each in first.outcomes) == first.plan[: len(first.outcomes)]
    changing = {"perform", "resume", "verify", "record"}
    assert not changing & set(names(twin)), "a dry run changes nothing, and proves nothing by changing it"


@given(WORLDS)
@settings(max_examples=600, deadline=None)
def test_in_every_world_the_healer_stays_on_its_leash(world: FakeWorld) -> None:
    incident = heal(world, failure_of(world))
    budget = Budget()
    acted = [each for each in incident.attempts if each.outcomes]
    assert len(world.acts) <= budget.acts
    tries: dict[str, int] = {}
    for each in acted:
        assert each.match is not None
        tries[each.match.cause.code] = tries.get(each.match.cause.code, 0) + 1
        assert each.match.cause.verdict is not Verdict.ESCALATE
        assert each.match.confidence > 0.5
    assert all(number <= budget.tries for number in tries.values())
    for before, after in itertools.combinations(acted, 2):
        assert before.match is not None
        assert after.match is not None
        same = before.match.fingerprint == after.match.fingerprint
        whole = len(before.outcomes) == len(before.plan) and all(each.succeeded for each in before.outcomes)
        assert not (same and whole)
    longest = budget.seconds + (budget.acts + 1) * (world.seconds_an_act + 30)
    assert world.seconds <= longest


@given(WORLDS)
@settings(max_examples=600, deadline=None)
def test_in_every_world_nothing_is_called_healed_that_is_not(world: FakeWorld) -> None:
    incident = heal(world, failure_of(world))
    if incident.ending in {"healed", "healthy"}:
        assert not world._wrong()
        assert incident.statements == STATEMENTS
        assert not incident.failed_statements
        assert names(world)[-1] == "verify"
    elif incident.ending == "escalated":
        assert incident.remaining


@given(WORLDS)
@settings(max_examples=600, deadline=None)
def test_in_every_world_no_act_follows_a_stop_or_goes_to_a_stranger(world: FakeWorld) -> None:
    incident = heal(world, failure_of(world))
    for position, (name, _) in enumerate(world.calls):
        if name not in {"perform", "resume", "verify"}:
            continue
        assert not 0 <= world.stop_after <= position, "begun after the stop"
        known = [subject for call, subject in world.calls[:position] if call == "identify"]
        assert known, "begun before anybody was identified"
        if name != "verify" and not world.calls[position][1].startswith("wait"):
            assert known[-1] == ""
    if incident.ending == "stopped":
        assert world.stop_after >= 0


def test_every_remedy_of_the_playbook_is_planned_by_the_same_words_twice() -> None:
    for name, remedy in REMEDIES.items():
        match = Match(cause_of(Fault("X", remedy=name)), 0.9, (Proof("a", "b"),), "web", DETAILS)
        assert remedy.plan(Situation(DECLARED), match) == remedy.plan(Situation(DECLARED), match)
