"""The healer case by case: it heals what may be healed, proves it, stays on its leash, and says what it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from healing_world import DECLARED, STATEMENTS, FakeWorld, Fault, heal, names

from infra.healing.healer import Healer, PlanBrokenError, new_id
from infra.healing.lock import HealerBusyError
from infra.healing.model import Act, Failure, Match, Outcome, Situation, Verb, Verdict
from infra.healing.playbook import REMEDIES
from infra.healing.ports import Done


def test_a_stack_without_a_fault_is_proved_and_called_healthy() -> None:
    world = FakeWorld([])
    incident = heal(world)
    assert incident.ending == "healthy"
    assert incident.statements == STATEMENTS
    assert names(world) == ["identify", "look", "diagnose", "verify"]


def test_a_fault_is_mended_looked_for_again_and_proved_before_it_is_called_healed() -> None:
    world = FakeWorld([Fault("SERVICE_STOPPED")])
    incident = heal(world)
    assert incident.ending == "healed"
    (attempt,) = incident.attempts
    assert attempt.healed
    assert [each.act.verb for each in attempt.outcomes] == [Verb.CONVERGE]
    after = names(world)[names(world).index("perform") :]
    assert [each for each in after if each != "record"] == ["perform", "look", "diagnose", "verify"]


def test_a_chain_is_taken_one_cause_at_a_time_and_goes_on_where_the_deployment_stopped() -> None:
    chain = [Fault("REGISTRY_SILENT", remedy="wait", seen_by="resume"), Fault("DIRECTORY_OWNER", seen_by="resume")]
    world = FakeWorld([*chain, Fault("PROXY_STALE", remedy="reload", seen_by="proof")])
    incident = heal(world, Failure("build", "STEP_REGISTRY_SILENT", phase="build"))
    assert incident.ending == "healed"
    assert [each.match.cause.code for each in incident.attempts if each.match] == [
        *("REGISTRY_SILENT", "DIRECTORY_OWNER", "PROXY_STALE"),
    ]
    assert all(each.healed for each in incident.attempts)


def test_a_remedy_without_a_run_of_its_own_is_followed_by_one_where_the_deployment_had_failed() -> None:
    world = FakeWorld([Fault("CERTIFICATE_EXPIRED", remedy="certificate", seen_by="resume")])
    incident = heal(world, Failure("proxy", "STEP_CERTIFICATE_EXPIRED", phase="proxy"))
    assert incident.ending == "healed"
    assert names(world).index("resume") > names(world).index("perform")


def test_what_a_person_has_to_do_starts_no_act_and_is_handed_over_with_its_cause() -> None:
    world = FakeWorld([Fault("SECRET_MISSING", Verdict.ESCALATE, remedy=""), Fault("SERVICE_STOPPED")])
    incident = heal(world)
    assert incident.ending == "escalated"
    assert [each.cause.code for each in incident.remaining] == ["SECRET_MISSING", "SERVICE_STOPPED"]
    assert not world.acts
    assert "verify" not in names(world)


def test_a_symptom_is_never_taken_for_the_root() -> None:
    world = FakeWorld([Fault("DEPENDENCY_UNHEALTHY", Verdict.ESCALATE, symptom=True), Fault("SERVICE_STOPPED")])
    world.faults[0].cured_by, world.faults[0].applied = 1, 0
    incident = heal(world)
    assert incident.attempts[0].match is not None
    assert incident.attempts[0].match.cause.code == "SERVICE_STOPPED"


def test_a_cause_that_is_there_again_after_acts_that_claimed_success_opens_the_breaker() -> None:
    world = FakeWorld([Fault("SERVICE_OUT_OF_MEMORY", remedy="restart", cured_by=0)])
    incident = heal(world)
    assert incident.ending == "escalated"
    assert "is there again" in incident.attempts[-1].refusal
    assert len([each for each in incident.attempts if each.outcomes]) == 1
    assert not any(each.healed for each in incident.attempts)


def test_two_faults_that_bring_each_other_back_open_the_breaker() -> None:
    """Each is gone when the other is mended, and back afterwards: what was mended once is not mended again."""
    world = FakeWorld([Fault("PROXY_STALE", remedy="reload"), Fault("PORT_TAKEN", remedy="reload")])

    def turn(_situation: Situation) -> list[Match]:
        turns = len(world.acts) % 2
        return [world._match(world.faults[turns])]

    world.diagnose = turn  # type: ignore[method-assign] - the two of them by turns
    incident = heal(world)
    assert incident.ending == "escalated"
    assert "PROXY_STALE:web is there again" in incident.attempts[-1].refusal
    assert len(world.acts) == 2


def test_a_plan_that_was_cut_short_has_claimed_nothing() -> None:
    """The cloud was busy again before the second act: the cause may be tried three times, as acts that fail are."""
    world = FakeWorld([Fault("CLOUD_BUSY", remedy="wait", cured_by=0)])
    busy = Failure("provision", "CLOUD_BUSY", phase="identity")
    world.identify = lambda: busy if world.acts else None  # type: ignore[method-assign] - busy from the first wait on
    world.diagnose = lambda _: [world._match(world.faults[0])]  # type: ignore[method-assign] - a cloud that stays busy
    incident = heal(world)
    assert incident.ending == "exhausted"
    assert [each.verb for each in world.acts] == [Verb.WAIT] * 3
    assert "tried 3 times" in incident.attempts[-1].refusal


def test_a_host_that_falls_silent_after_the_acts_has_not_shown_that_they_helped() -> None:
    world = FakeWorld([Fault("SERVICE_HUNG", remedy="restart")])
    lost = Fault("HOST_SILENT", Verdict.ESCALATE, remedy="")

    def look(failure: Failure | None, statements: Any = ()) -> Situation:
        seen = {"unreachable": {"kind": "silent"}} if world.acts else {"containers": {"engine": ""}}
        return Situation(DECLARED, failure, {"drift": [], **seen}, tuple(statements))

    world.look = look  # type: ignore[method-assign] - the host is gone after the acts
    world.diagnose = lambda situation: [  # type: ignore[method-assign] - and that is all that can be said
        world._match(lost if "unreachable" in situation.evidence else world.faults[0])
    ]
    incident = heal(world)
    assert incident.ending == "escalated"
    assert incident.attempts[0].outcomes
    assert not incident.attempts[0].healed


def test_what_the_watch_has_healed_twice_within_the_hour_is_left_to_a_person() -> None:
    world = FakeWorld([Fault("SERVICE_OUT_OF_MEMORY", remedy="restart")])
    assert heal(world, trigger="watch", heals={"SERVICE_OUT_OF_MEMORY:web": 1}).ending == "healed"
    world = FakeWorld([Fault("SERVICE_OUT_OF_MEMORY", remedy="restart")])
    incident = heal(world, trigger="watch", heals={"SERVICE_OUT_OF_MEMORY:web": 2})
    assert incident.ending == "escalated"
    assert "was healed 2 times within the hour" in incident.attempts[-1].refusal
    assert not world.acts


def test_mending_brings_nothing_that_nobody_has_deployed() -> None:
    """The settings are being edited when a container stops: nothing of the edit is rolled out, a person is asked."""
    waiting = ["droplet: another size is declared"]
    world = FakeWorld([Fault("SERVICE_STOPPED")])
    look = world.look
    world.look = lambda failure, statements=(): replace(  # type: ignore[method-assign] - an edit that waits
        look(failure, statements), evidence={"undeployed": waiting}
    )
    incident = heal(world, Failure("compose", "NOT_HEALTHY", phase="watch"), recorded=True, trigger="watch")
    assert incident.ending == "escalated"
    assert incident.attempts[-1].refusal == f"mending would deploy what nobody has deployed yet: {waiting[0]}"
    assert not {"perform", "resume"} & set(names(world))
    proxy = FakeWorld([Fault("PROXY_STALE", remedy="reload")])
    look = proxy.look
    proxy.look = world.look
    incident = heal(proxy, Failure("proxy", "NOT_HEALTHY", phase="watch"), recorded=True, trigger="watch")
    assert incident.ending == "healed", "what needs no run of the program is mended"
    assert "resume" not in names(proxy)


def test_a_run_that_breaks_off_after_acts_leaves_an_incident_that_says_so() -> None:
    world = FakeWorld([Fault("SERVICE_STOPPED", cured_by=2)])
    look = world.look

    def full(failure: Failure | None, statements: Any = ()) -> Situation:
        if world.acts:
            raise OSError(28, "No space left on device")
        return look(failure, statements)

    world.look = full  # type: ignore[method-assign] - the disk of this machine is full
    healer = Healer("test", world, remedies=REMEDIES, incident="20261124T180000Z-test")
    incident = healer.run()
    assert isinstance(healer.defect, OSError)
    assert incident.ending == "escalated"
    assert [each.outcomes[0].act.verb for each in incident.attempts] == [Verb.CONVERGE]
    assert [each.cause.code for each in incident.remaining] == ["SERVICE_STOPPED"]
    assert any("the run broke off: OSError" in moment.text for moment in incident.timeline)


def test_what_is_raised_before_anything_was_planned_is_raised() -> None:
    world = FakeWorld([])

    def refuse() -> None:
        raise HealerBusyError("test is being healed already")

    world.identify = refuse  # type: ignore[method-assign] - somebody else is at it
    with pytest.raises(HealerBusyError):
        heal(world)


def test_acts_that_fail_are_tried_three_times_a_cause() -> None:
    world = FakeWorld([Fault("HOST_SILENT", cured_by=0, claims=False)])
    incident = heal(world)
    assert incident.ending == "exhausted"
    assert "tried 3 times" in incident.attempts[-1].refusal
    assert len(world.acts) == 3


def test_what_the_host_refuses_is_not_tried_again() -> None:
    world = FakeWorld([Fault("PORT_TAKEN_BY_OURS", Verdict.GUARD, remedy="own-container", refused="not our label")])
    incident = heal(world)
    assert incident.ending == "escalated"
    assert "the host refused: not our label" in incident.attempts[-1].refusal
    assert len(world.acts) == 1, "the act after the refused one is not performed"


def test_a_run_does_six_acts_at_most() -> None:
    world = FakeWorld([Fault(f"SERVICE_{number}", remedy="restart") for number in range(5)])
    incident = heal(world)
    assert incident.ending == "exhausted"
    assert len(world.acts) == 6
    assert "a run may do 6" in incident.attempts[-1].refusal


def test_a_run_takes_ten_minutes_at_most() -> None:
    world = FakeWorld([Fault("A"), Fault("B"), Fault("C")], seconds_an_act=400.0)
    incident = heal(world)
    assert incident.ending == "exhausted"
    assert len(world.acts) == 2
    assert "a run may take 600" in incident.attempts[-1].refusal


def test_a_guard_that_does_not_hold_is_told_and_nothing_is_done() -> None:
    fault = Fault("PORT_TAKEN_BY_OURS", Verdict.GUARD, remedy="restart", subject="stranger")
    incident = heal(FakeWorld([fault]))
    assert incident.ending == "escalated"
    assert "precondition" in incident.attempts[0].refusal
    assert not incident.attempts[0].plan


def test_a_cause_that_is_not_sure_enough_is_told_and_nothing_is_done() -> None:
    incident = heal(FakeWorld([Fault("SERVICE_HUNG", remedy="restart", confidence=0.5)]))
    assert incident.ending == "escalated"
    assert "not sure enough" in incident.attempts[0].refusal


def test_a_remedy_that_the_playbook_does_not_have_is_an_escalation() -> None:
    incident = heal(FakeWorld([Fault("SERVICE_HUNG", remedy="delete-volume")]))
    assert incident.ending == "escalated"
    assert "no remedy" in incident.attempts[0].refusal


def test_a_stranger_at_the_address_gets_no_act() -> None:
    world = FakeWorld([Fault("SERVICE_STOPPED")], stranger_after=0)
    incident = heal(world)
    assert incident.ending == "escalated"
    assert incident.remaining[0].cause.code == "HOST_MISMATCH"
    assert not world.acts


def test_a_stranger_that_appears_between_two_acts_gets_no_second_one() -> None:
    world = FakeWorld([Fault("SERVICE_HUNG", remedy="restart")])
    first_act = 1 + names_until_first_act(world)
    world = FakeWorld([Fault("SERVICE_HUNG", remedy="restart")], stranger_after=first_act)
    incident = heal(world)
    assert incident.ending == "escalated"
    assert [each.verb for each in world.acts] == [Verb.RESTART_SERVICE]


def names_until_first_act(world: FakeWorld) -> int:
    heal(world)
    return names(world).index("perform")


def test_a_recorded_failure_is_seen_again_before_a_person_is_asked_about_it() -> None:
    """The person may have mended it meanwhile: then there is nothing to ask."""
    old = Failure("build", "STEP_BUILD_FILE_MISSING", phase="build", at="2026-11-24T09:00:00.000Z")
    world = FakeWorld([])
    incident = heal(world, old, recorded=True)
    assert incident.ending == "healed"
    assert names(world).count("resume") == 1
    assert incident.began == old.at


def test_a_recorded_failure_that_still_stands_is_handed_over_after_one_run() -> None:
    old = Failure("build", "STEP_BUILD_FILE_MISSING", phase="build")
    world = FakeWorld([Fault("BUILD_FILE_MISSING", Verdict.ESCALATE, remedy="", seen_by="resume")])
    incident = heal(world, old, recorded=True)
    assert incident.ending == "escalated"
    assert names(world).count("resume") == 1


def test_a_patch_is_not_offered_for_a_failure_that_is_over() -> None:
    old = Failure("build", "STEP_LOCK_FILE_MISSING", phase="build")
    lock = Fault("LOCK_FILE_MISSING", Verdict.GUARD, remedy="lock-file", seen_by="resume")
    world = FakeWorld([lock])
    seen, diagnose = [lock], world.diagnose
    world.diagnose = lambda situation: diagnose(situation) if situation.failure else []  # type: ignore[method-assign]
    world.resume = lambda: seen.clear() or world.faults.clear()  # type: ignore[method-assign] - it was mended meanwhile
    incident = heal(world, old, recorded=True)
    assert incident.ending == "healed"
    assert not world.acts


def test_an_offer_ends_the_run_without_a_second_deployment_that_could_only_fail_again() -> None:
    world = FakeWorld([Fault("LOCK_FILE_MISSING", Verdict.GUARD, remedy="lock-file", seen_by="resume")])
    incident = heal(world, Failure("build", "STEP_LOCK_FILE_MISSING", phase="build"))
    assert incident.ending == "escalated"
    assert [each.verb for each in world.acts] == [Verb.OFFER_PATCH]
    assert "resume" not in names(world)
    assert not incident.attempts[0].healed


def test_something_wrong_without_a_name_is_an_escalation_and_not_an_endless_loop() -> None:
    world = FakeWorld([])
    world.diagnose = lambda _situation: []  # type: ignore[method-assign] - a diagnosis that breaks its promise
    incident = heal(world, Failure("build", "ODD"))
    assert incident.ending == "escalated"


def test_an_act_other_than_the_planned_one_ends_the_run_as_a_defect() -> None:
    world = FakeWorld([Fault("SERVICE_STOPPED")])
    stray = Act(Verb.POWER_ON, "7", "", "")
    world.perform = lambda _act: Done(Outcome(stray, succeeded=True))  # type: ignore[method-assign] - hands gone wrong
    healer = Healer("test", world, remedies=REMEDIES, incident="20261124T180000Z-test")
    incident = healer.run()
    assert isinstance(healer.defect, PlanBrokenError)
    assert healer.defect.message == "Planned: converge stack; performed: power-on 7"
    assert incident.ending == "escalated"
    assert [each.cause.code for each in incident.remaining] == ["SERVICE_STOPPED"]


def test_what_is_done_is_said_before_it_is_done() -> None:
    world = FakeWorld([Fault("SERVICE_STOPPED")])
    heal(world)
    told = "\n".join(world.said)
    for words in ("found: SERVICE_STOPPED:web (90% sure)", "web is broken", "| log: SERVICE_STOPPED said so"):
        assert words in told
    assert told.index("plan: converge stack") < told.index("acting: converge stack")
    assert "undo: " in told


def test_control_characters_of_a_log_reach_no_terminal() -> None:
    world = FakeWorld([Fault("SERVICE_STOPPED", subject="web\x1b]0;owned\x07")])
    heal(world)
    assert not any("\x1b" in line for line in world.said)


def test_ids_of_incidents_sort_by_time() -> None:
    world = FakeWorld([])
    first, world.seconds = new_id(world.now()), 60.0
    assert first < new_id(world.now())
