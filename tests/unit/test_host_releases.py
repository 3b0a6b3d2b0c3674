"""Images, migrations and the compose stack: what is planned from a project's model and from its containers."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hostfacts import DATABASE, IMAGES, MIGRATIONS, RUNNING, SERVICE, STACK, STACK_FACT

from infra.commands import compose
from infra.errors import StepError
from infra.host.images import ImagesProvider
from infra.host.migrations import MigrationsProvider
from infra.host.stack import ComposeStackProvider

FILES = ["--file", "/home/deploy/app/compose.yml", "--file", "/var/lib/greenroom/erp.yml"]


def test_compose_files_that_cannot_be_read_are_an_error_with_composes_words() -> None:
    fact = {"services": {}, "error": "IMAGE_TAG is not set", "command": "docker compose config", "images": {}}
    for provider, spec in ((ComposeStackProvider(), STACK), (ImagesProvider(), IMAGES)):
        with pytest.raises(StepError) as raised:
            provider.plan(spec, {"stack": fact})
        assert raised.value.code == "COMPOSE_INVALID"
        assert "IMAGE_TAG" in raised.value.evidence


def test_only_what_differs_is_made_anew_and_all_is_watched() -> None:
    old = {**STACK_FACT["containers"], "app": {**RUNNING, "config": "c0"}}
    plan = ComposeStackProvider().plan(STACK, {"stack": {**STACK_FACT, "containers": old}})

    assert [act.wire["do"] for act in plan] == ["write", "run", "start"]
    assert plan[1].wire["argv"][-2:] == ["--force-recreate", "app"]
    assert sorted(plan[2].wire["services"]) == ["app", "db"]


def test_a_stopped_service_is_started_and_not_made_anew() -> None:
    stopped = {**STACK_FACT["containers"], "app": {**RUNNING, "state": "exited"}}
    plan = ComposeStackProvider().plan(STACK, {"stack": {**STACK_FACT, "containers": stopped}})

    assert [act.wire["do"] for act in plan] == ["start"]


def test_migrations_bring_up_what_their_service_needs_and_not_the_service() -> None:
    plan = MigrationsProvider().plan(MIGRATIONS, {"stack": {**STACK_FACT, "containers": {}}})

    assert [act.wire["do"] for act in plan] == ["write", "run", "start", "run"]
    assert plan[1].wire["argv"][-1] == "db"
    assert sorted(plan[2].wire["services"]) == ["db"]
    script = "alembic upgrade head && echo '-- where the schema stands --' && alembic current"
    assert plan[3].wire["argv"][-4:] == ["app", "sh", "-c", script]


@pytest.mark.parametrize("containers", [STACK_FACT["containers"], {}], ids=["all is up", "nothing is up"])
@pytest.mark.parametrize("depends", [SERVICE["depends"], {}], ids=["depends", "depends on nothing"])
def test_migrations_run_under_the_override_file_of_the_release(
    containers: dict[str, Any], depends: dict[str, str]
) -> None:
    services = {"app": {**SERVICE, "depends": depends}, "db": DATABASE}
    plan = MigrationsProvider().plan(
        MIGRATIONS, {"stack": {**STACK_FACT, "services": services, "containers": containers}}
    )

    (written,) = (act.wire for act in plan if act.wire["do"] == "write")
    assert plan[0].wire == written
    assert written["path"] == "/var/lib/greenroom/erp.yml"
    assert base64.b64decode(written["content"]).decode() == compose.override(services)
    assert [*plan[-1].wire["argv"]][6:12] == ["--env-file", "/home/deploy/app/.env", *FILES]
    made = [name for act in plan[:-1] if act.wire["do"] == "run" for name in act.wire["argv"][-1:]]
    assert made == (["db"] if depends and not containers else [])


def test_migrations_that_leave_the_schema_short_of_the_head_are_a_failed_step() -> None:
    printed = "INFO Running upgrade  -> 0001, x\n-- where the schema stands --\n0001\n"
    with pytest.raises(StepError) as raised:
        MigrationsProvider().outputs(MIGRATIONS, {"migration": printed})
    assert raised.value.code == "MIGRATION_INCOMPLETE"


def test_migrations_tell_what_they_applied() -> None:
    printed = "INFO Running upgrade  -> 0001, x\n-- where the schema stands --\n0001 (head)\n"

    assert MigrationsProvider().outputs(MIGRATIONS, {"migration": printed}) == {
        "revision": "0001",
        "head": True,
        "applied": ["nothing -> 0001"],
    }


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"exit_status": 0, "stdout": "0001\n"}, "the schema is at revision 0001 instead of 0002"),
        ({"exit_status": 0, "stdout": ""}, "at revision none instead of 0002"),
        ({"exit_status": -1, "stdout": ""}, "unknown: service app can't tell"),
    ],
)
def test_a_schema_that_was_moved_by_hand_is_drift(seen: dict[str, Any], why: str) -> None:
    (act,) = MigrationsProvider().plan({**MIGRATIONS, "revision": "0002"}, {"current": seen})

    assert why in act.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "exited", "health": "unhealthy"}, "service app is exited, health unhealthy"),
        ({"config": "c9"}, "another configuration"),
        (None, "service app has no container"),
    ],
)
def test_drift_of_a_service_is_told_without_asking_compose(change: dict[str, Any] | None, why: str) -> None:
    provider = ComposeStackProvider()
    recorded = provider.outputs(STACK, {"stack": STACK_FACT})
    seen = {name: each for name, each in STACK_FACT["containers"].items() if change is not None or name != "app"}
    if change is not None:
        seen["app"] = {**RUNNING, **change}

    plan = provider.plan({**STACK, **recorded}, {"seen": {"silent": "", "containers": seen}})

    assert [why in act.why for act in plan] == [True]


def test_a_container_that_nobody_declared_is_drift() -> None:
    provider = ComposeStackProvider()
    recorded = provider.outputs(STACK, {"stack": STACK_FACT})
    seen = {**STACK_FACT["containers"], "miner": RUNNING}

    (act,) = provider.plan({**STACK, **recorded}, {"seen": {"silent": "", "containers": seen}})
    assert act.why == "service miner is not one of the project's"


def test_images_of_the_last_three_releases_stay() -> None:
    earlier = ["app:1", "app:2", "app:3"]
    spec = {**IMAGES, "earlier": earlier}

    (act,) = ImagesProvider().plan(spec, {"stack": STACK_FACT})
    assert act.wire["references"] == ["app:1"]
    assert ImagesProvider().outputs(spec, {"stack": STACK_FACT})["built"] == ["app:2", "app:3", "app:t"]
    assert ImagesProvider().plan(ImagesProvider().verified(spec), {"stack": STACK_FACT}) == []
