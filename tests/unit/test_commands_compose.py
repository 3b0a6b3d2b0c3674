"""docker compose as argument lists, and the plan from a project's facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.commands import compose
from infra.commands.migrations import Revision, parse_applied, parse_current
from infra.commands.proxy import caddyfile
from infra.transport.remote.posture import posture

WORKLOAD = {
    "directory": "/home/deploy/app",
    "compose_file": "compose.yml",
    "env_file": ".env",
    "project": "erp",
    "variables": {"IMAGE_TAG": "staging-abc"},
    "secrets": ["PASSWORD"],
}
CONFINED = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "pids_limit": 9, "mem_limit": 1024}
SERVICE = {
    "image": "app:1",
    "build": True,
    "config": "c1",
    "depends": {},
    "health": True,
    "posture": posture(CONFINED, {}),
}
CONTAINER = {
    "id": "0123",
    "container": "erp-app-1",
    "state": "running",
    "health": "healthy",
    "exit_code": 0,
    "restarts": 0,
    "image": "app:1",
    "image_id": "sha256:1",
    "config": "c1",
}


def fact(**container: Any) -> dict[str, Any]:
    containers = {} if container.get("state") == "absent" else {"app": {**CONTAINER, **container}}
    return {"services": {"app": SERVICE}, "images": {"app:1": "sha256:1"}, "containers": containers}


def test_every_call_names_the_project_the_directory_and_the_env_file() -> None:
    assert compose.arguments(WORKLOAD) == [
        *("docker", "compose", "--project-directory", "/home/deploy/app", "--project-name", "erp"),
        *("--env-file", "/home/deploy/app/.env", "--file", "/home/deploy/app/compose.yml"),
    ]


def test_containers_are_made_with_the_labels_and_without_their_neighbours() -> None:
    words = compose.recreate_arguments(WORKLOAD, ["app", "db"])

    assert words[words.index("up") - 2 :] == [
        *("--file", "/var/lib/greenroom/erp.yml", "up", "--no-start", "--no-deps", "--no-build"),
        *("--pull", "never", "--force-recreate", "app", "db"),
    ]


@pytest.mark.parametrize(
    ("container", "why", "recreate"),
    [
        ({"state": "absent"}, "has no container", True),
        ({"config": "c0"}, "another configuration", True),
        ({"image_id": "sha256:0"}, "another image", True),
        ({"state": "exited"}, "is exited", False),
        ({"state": "paused"}, "is paused", False),
        ({"state": "dead"}, "is dead", True),
        ({"health": "unhealthy"}, "is unhealthy", True),
        ({"health": "starting"}, "still starting", False),
    ],
)
def test_a_service_that_differs_is_a_gap(container: dict[str, Any], why: str, *, recreate: bool) -> None:
    (gap,) = compose.gaps(fact(**container), ["app"])

    assert why in gap.why
    assert gap.recreate is recreate


@pytest.mark.parametrize("container", [{}, {"health": "none"}])
def test_a_service_that_is_as_wanted_is_none(container: dict[str, Any]) -> None:
    assert compose.gaps(fact(**container), ["app"]) == []


def test_the_closure_holds_what_is_needed_and_no_more() -> None:
    services = {
        name: {**SERVICE, "depends": dict.fromkeys(needs, "service_healthy")}
        for name, needs in {"app": ["db", "cache"], "db": [], "cache": ["db"], "web": ["app"]}.items()
    }

    assert list(compose.closure(services, ["app"])) == ["app", "cache", "db"]
    assert list(compose.closure(services, services["app"]["depends"])) == ["cache", "db"]


def test_the_override_of_confined_services_carries_digests_and_nothing_else() -> None:
    text = compose.override({"b": SERVICE, "a": {**SERVICE, "config": "c2"}})

    labels = {name: {"labels": {"greenroom.config": digest}} for name, digest in (("a", "c2"), ("b", "c1"))}
    assert json.loads(text) == {"services": labels}


def test_references_are_told_apart_by_who_makes_them() -> None:
    stack = {"services": {"app": SERVICE, "db": {**SERVICE, "image": "db:1", "build": False}}}

    assert compose.references(stack, built=True) == ["app:1"]
    assert compose.references(stack, built=False) == ["db:1"]


def test_what_is_shown_of_a_service_stays_the_same_while_nothing_happens() -> None:
    shown = compose.services_shown({"app": CONTAINER})["app"]

    assert shown == {
        "container": "erp-app-1",
        "state": "running",
        "health": "healthy",
        "image": "app:1",
        "config": "c1",
    }


@pytest.mark.parametrize(
    ("printed", "revision"),
    [
        ("abc123 (head)\n", Revision("abc123", is_head=True)),
        ("abc123\n", Revision("abc123", is_head=False)),
        ("", Revision("", is_head=False)),
        ("INFO  [alembic.runtime] Context impl\nabc_1 (head)\n", Revision("abc_1", is_head=True)),
        ("aaa (head)\nbbb\n", Revision("aaa,bbb", is_head=False)),
        ("aaa (head)\nbbb (head)\n", Revision("aaa,bbb", is_head=True)),
    ],
)
def test_alembic_tells_where_the_schema_stands(printed: str, revision: Revision) -> None:
    assert parse_current(printed) == revision


def test_alembic_tells_what_it_has_applied() -> None:
    printed = "INFO [x] Running upgrade  -> 0001, base\nINFO [x] Running upgrade 0001 -> add_sales, four tables\n"

    assert parse_applied(printed) == ["nothing -> 0001", "0001 -> add_sales"]
    assert parse_applied("nothing to do") == []


ROUTES = [{"path": "/tds-admin*", "port": 3001.0}, {"path": "/*", "port": 8002.0}]


def test_the_proxy_routes_what_is_declared_to_loopback() -> None:
    text = caddyfile(domain="staging.example.test", routes=ROUTES, tls="internal", email="")

    assert "staging.example.test {\n\ttls internal\n" in text
    assert "\thandle /tds-admin* {\n\t\treverse_proxy 127.0.0.1:3001 {" in text
    assert "\thandle /* {\n\t\treverse_proxy 127.0.0.1:8002 {" in text
    assert "skip_install_trust" in text
    assert "email" not in text
    assert text.count("{") == text.count("}")


def test_a_public_name_gets_its_certificate_by_acme() -> None:
    text = caddyfile(domain="staging.example.com", routes=ROUTES, tls="acme", email="ops@example.com")

    assert "email ops@example.com" in text
    assert "internal" not in text
