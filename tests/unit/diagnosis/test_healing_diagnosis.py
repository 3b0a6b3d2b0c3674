"""Diagnosis over whole situations: nothing wrong, chains, what follows from what, and what nobody knows."""

from __future__ import annotations

import itertools

import pytest
from cases_host import RESIZED, SILENT_HOST, UNMOUNTED, VOLUME_GONE
from cases_release import EUSAGE, UNLOCKED
from cases_services import ATTRIBUTE, CRASHED, NO_MODULE, STOPPED
from situations import HOME, SILENT, Case, drift, error, failure, healthy, root, service, situation, statement, unit

from infra.healing.causes import CAUSES
from infra.healing.diagnosis import diagnose
from infra.healing.model import STAGES, Situation, Verdict

UP = "compose-up"


def test_a_healthy_host_has_no_cause() -> None:
    assert diagnose(situation()) == []


@pytest.mark.parametrize("name", sorted(healthy()))
def test_a_section_that_was_not_answered_is_no_fault_by_itself(name: str) -> None:
    given = situation()
    evidence = {**given.evidence, name: {"unanswered": "no answer in 3 s"}}
    found = [match.cause.code for match in diagnose(Situation(given.declared, None, evidence))]
    assert found == (["DOCKER_DOWN"] if name == "containers" else [])


def test_nothing_at_all_to_look_at_is_no_fault() -> None:
    assert diagnose(Situation(situation().declared)) == []


DAY_S = 86_400
LOGGED = {
    "a table that is missing": error("psycopg2.errors.UndefinedTable", 'relation "x" does not exist'),
    "a module that is missing": NO_MODULE,
    "a setting that does not fit": error("SettingsError", 'error parsing value for field "cors_origins"'),
    "a secret that is missing": error("ValueError", "API_KEY environment variable must be set"),
    "a password that breaks its URL": error("ValueError", "Port could not be cast to integer value as 'a'"),
    "a directory that may not be written to": error("PermissionError", "[Errno 13] Permission denied: '/x'"),
}
"""What an application may log, or be made to log by whoever sends it a request."""
PROXY_IS_OUT = {"units": {"docker.service": unit(), "caddy.service": unit("inactive")}}
NOTICED = failure("NOT_HEALTHY", "caddy.service is inactive", phase="watch", exit_status=None)

CHAINS = {
    "an empty server: the checkout, before all that misses it": (
        situation(
            failure("COMPOSE_INVALID", f"open {HOME}/docker-compose.staging.yml: no such file or directory", phase=UP),
            git={"is_checkout": False, "exists": False, "entries": [], "head": ""},
            env={"exists": False, "names": []},
            compose={"exit_status": 14, "error": f"open {HOME}/docker-compose.staging.yml: no such file or directory"},
        ),
        "CHECKOUT_MISSING",
    ),
    "a full disk, before the database that it stops and the application that misses it": (
        situation(
            disk={
                "systems": [{"path": "/", "size_bytes": 8e10, "free_bytes": 0, "percent": 100.0, "inodes_percent": 3}]
            },
            services={
                "tsh_postgres_staging": service("tsh_postgres_staging", **CRASHED),
                "app_staging": service(**CRASHED, first_error=error("OperationalError", "connection refused")),
            },
        ),
        "DISK_FULL",
    ),
    "a database that was stopped, before the application that crashes without it": (
        situation(
            failure("SERVICE_CRASHED", "OperationalError", phase=UP),
            services={
                "tsh_postgres_staging": service("tsh_postgres_staging", **STOPPED),
                "app_staging": service(**CRASHED, first_error=error("OperationalError", "connection refused")),
            },
        ),
        "SERVICE_STOPPED",
    ),
    "the crash, before the services that were never started because of it": (
        situation(
            failure("SERVICE_CRASHED", "x", phase=UP),
            services={
                "app_staging": service(**CRASHED, first_error=NO_MODULE),
                "tds_admin_dashboard_staging": service("tds_admin_dashboard_staging", state="created", health="none"),
            },
        ),
        "APP_IMPORT_FAILED",
    ),
    "the missing lock file, before the build's own last words": (
        situation(failure("IMAGE_BUILD_FAILED", EUSAGE, phase="build"), git={"unlocked": [UNLOCKED]}),
        "LOCK_FILE_MISSING",
    ),
    "Docker, before everything that can't be seen without it": (
        situation(
            failure("DOCKER_REFUSED", "Docker engine: 0: refused", phase=UP),
            containers={"engine": "Docker engine: 0: refused", "services": {}, "others": []},
            units={"units": {"docker.service": unit("inactive"), "caddy.service": unit()}},
            drift=drift("service app_staging has no container", "ComposeStack"),
            http={"public": {"/health": {**SILENT, "status": 502}}, "ports": {"8002": {"/": SILENT}}},
        ),
        "DOCKER_DOWN",
    ),
    "an altered env file, before the setting that the application refuses": (
        situation(
            drift=drift(f"{HOME}/.env.staging: changed LOG_LEVEL", "EnvFile"),
            services={
                "app_staging": service(
                    **CRASHED, first_error=error("SettingsError", 'error parsing value for field "x"')
                )
            },
        ),
        "ENV_FILE_ALTERED",
    ),
    "a schema that is behind, before the errors of whoever needs its tables": (
        situation(
            statements=statement("orders", "GET /api/orders answered 500: oops; expected 200"),
            database={"servers": [{**healthy()["database"]["servers"][0], "revision": ""}]},
            services={
                "app_staging": service(
                    first_error=error("psycopg2.errors.UndefinedTable", 'relation "x" does not exist')
                )
            },
        ),
        "SCHEMA_BEHIND",
    ),
    "the droplet that is off, before its silence": (
        situation(
            cloud={"status": "off"}, unreachable={"kind": "silent", "code": "HOST_UNREACHABLE", "reason": "timed out"}
        ),
        "DROPLET_OFF",
    ),
    "a volume that was deleted, before the mount that is missing with it": (
        situation(drift=[*VOLUME_GONE, *UNMOUNTED]),
        "VOLUME_GONE",
    ),
    "a volume that was deleted, before a droplet that is off: switching it on would make an empty one": (
        situation(drift=VOLUME_GONE, cloud={"status": "off"}, unreachable=SILENT_HOST),
        "VOLUME_GONE",
    ),
    "a size that was refused, before the droplet that boots since it was switched off for it": (
        situation(failure("RESOURCE_FAILED", RESIZED, resource="droplet"), unreachable=SILENT_HOST),
        "CLOUD_REFUSED",
    ),
    "a volume that was only detached is mounted again": (
        situation(drift=UNMOUNTED),
        "HOST_ALTERED",
    ),
}


@pytest.mark.parametrize(("given", "code"), CHAINS.values(), ids=CHAINS.keys())
def test_the_root_is_named_not_the_last_symptom(given: Situation, code: str) -> None:
    assert root(given) == code


@pytest.mark.parametrize("age_s", [9, DAY_S])
@pytest.mark.parametrize("logged", LOGGED.values(), ids=LOGGED.keys())
def test_what_a_well_service_has_logged_keeps_nothing_from_being_mended(logged: dict, age_s: int) -> None:
    wrote = {"first_error": {**logged, "age_s": age_s}, "recent": [{**logged, "age_s": age_s}]}
    app, unchecked = service(**wrote), service("redis_staging", health="none", **wrote)
    for seen in (NOTICED, failure("PROOF_FAILED", "ERP: orders: GET / answered 502: no", phase="verify")):
        statements = statement("orders", "GET /api/orders answered 502: no; expected 200")
        given = situation(
            seen, services={"app_staging": app, "redis_staging": unchecked}, statements=statements, units=PROXY_IS_OUT
        )
        assert [match.cause.code for match in diagnose(given)] == ["PROXY_DOWN"]


@pytest.mark.parametrize("logged", LOGGED.values(), ids=LOGGED.keys())
def test_what_was_logged_a_day_ago_does_not_explain_why_a_service_is_silent_now(logged: dict) -> None:
    old = {**logged, "age_s": DAY_S}
    hung = service(health="unhealthy", age_s=2 * DAY_S, ended_age_s=2 * DAY_S, first_error=old, recent=[old])
    silent = {"public": {}, "ports": {"8002": {"/health": SILENT}}}
    assert root(situation(services={"app_staging": hung}, http=silent)) == "SERVICE_HUNG"


def test_a_chain_is_kept_whole_behind_its_root() -> None:
    given, _ = CHAINS["a database that was stopped, before the application that crashes without it"]
    assert [match.cause.code for match in diagnose(given)] == ["SERVICE_STOPPED", "APP_CRASHED"]


def test_of_a_chain_the_next_cause_comes_once_the_root_is_gone() -> None:
    given, _ = CHAINS["a full disk, before the database that it stops and the application that misses it"]
    mended = Situation(given.declared, given.failure, {**given.evidence, "disk": healthy()["disk"]})
    assert root(mended) == "APP_CRASHED"


def test_a_symptom_is_named_only_while_nothing_else_is_proved() -> None:
    waits = failure("COMPOSE_UP_FAILED", "dependency failed to start: container app_staging is unhealthy", phase=UP)
    assert root(situation(waits)) == "DEPENDENCY_UNHEALTHY"
    crashed = {"app_staging": service(**CRASHED, first_error=ATTRIBUTE)}
    found = [match.cause.code for match in diagnose(situation(waits, services=crashed))]
    assert found == ["APP_CRASHED", "DEPENDENCY_UNHEALTHY"]


UNKNOWN = {
    "a step": situation(failure("PAM_FAILED", "first\nthe last line\n", phase="hardening")),
    "a statement": situation(statements=statement("mail", "no mail arrived")),
    "a drift": situation(drift=drift("droplet: size was changed", "Droplet", layer="digitalocean")),
    "a status": situation(services={"app_staging": service(state="removing")}),
}


@pytest.mark.parametrize("given", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_nobody_knows_is_escalated_with_its_last_line(given: Situation) -> None:
    (match,) = diagnose(given)
    assert (match.cause.code, match.cause.verdict) == ("CAUSE_UNKNOWN", Verdict.ESCALATE)
    assert match.proof[0].line


def test_an_unknown_failure_tells_its_last_line() -> None:
    assert diagnose(UNKNOWN["a step"])[0].proof[0].line == "the last line"


def test_a_service_that_ended_as_it_should_is_no_fault() -> None:
    once = {"setup": {"container": "setup", "state": "exited", "health": "none"}}
    ended = service("setup", state="exited", health="none", exit_code=0, container="setup")
    given = situation(services={"setup": ended})
    declared = {**given.declared.services, **once}
    assert diagnose(situation(services={"setup": ended}, declared={"services": declared})) == []


def test_the_surest_match_of_one_fault_stays() -> None:
    twice = situation(
        drift=drift("the schema is at revision 6a10 instead of 7f3a", "Migrations"),
        database={"servers": [{**healthy()["database"]["servers"][0], "revision": "6a10"}]},
    )
    found = [match.fingerprint for match in diagnose(twice)]
    assert found == ["SCHEMA_BEHIND:schema"]


def test_the_order_is_by_stage_then_by_how_sure() -> None:
    everything = [match for each in _all_cases() for match in diagnose(each.proves)]
    assert {match.cause.stage for match in everything} <= set(STAGES)
    for each in _all_cases():
        keys = [(m.cause.symptom, STAGES.index(m.cause.stage), -m.confidence) for m in diagnose(each.proves)]
        assert keys == sorted(keys), each


def test_codes_are_unique_and_what_heals_has_a_remedy() -> None:
    codes = [each.code for each in CAUSES]
    assert len(set(codes)) == len(codes)
    for each in CAUSES:
        assert bool(each.remedy) == (each.verdict is not Verdict.ESCALATE), each.code


def test_sentences_are_filled_in_completely() -> None:
    import re  # noqa: PLC0415

    name = re.compile(r"(?<!\{)\{([a-z_]+)\}(?!\})")
    for case in _all_cases():
        for match in case_matches(case):
            known = {"subject", *match.details}
            cause = match.cause
            texts = [cause.title, cause.impact, *cause.next_steps]
            missing = {found for text in texts for found in name.findall(text)} - known
            assert not missing, f"{case}: {missing}"


def test_every_next_step_is_there_and_short() -> None:
    for each in CAUSES:
        assert each.next_steps, each.code
        long = [step for step in each.next_steps if len(step) > 140]
        assert not long, each.code


def case_matches(case: Case) -> list:
    return [match for match in diagnose(case.proves) if match.cause.code == case.code]


def _all_cases() -> list[Case]:
    import cases_host  # noqa: PLC0415
    import cases_release  # noqa: PLC0415
    import cases_services  # noqa: PLC0415
    import cases_visible  # noqa: PLC0415

    modules = (cases_host, cases_release, cases_services, cases_visible)
    return list(itertools.chain.from_iterable(module.CASES for module in modules))
