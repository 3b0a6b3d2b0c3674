"""Rotation as pure decisions: which acts in which order, what a verifier is, who reads a secret, what a list wants."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from infra.commands.environment import resolve, variables_listed
from infra.commands.references import substitute
from infra.deployment import _databases
from infra.errors import StepError
from infra.host.images import ImagesProvider
from infra.host.stack import ComposeStackProvider
from infra.settings import load_file
from infra.settings.templates import raw_in_url
from infra.transport.remote.database import _holds, _verifier
from infra.transport.remote.posture import posture
from infra.transport.remote.stack import _reads

ROOT = Path(__file__).parents[2]
REACH = {"machine": "1", "host": "192.0.2.1", "port": 22.0, "user": "root", "private_key": "P", "host_key": "K"}
ROLE = {"secret": "DB_PASSWORD", "service": "db", "role": "keeper", "name": "books", "superuser": ""}
WORKLOAD = {
    "directory": "/home/deploy/app",
    "compose_file": "compose.yml",
    "env_file": ".env",
    "project": "erp",
    "variables": {},
    "secrets": ["DB_PASSWORD"],
    "databases": [ROLE],
}
SERVICE = {"build": False, "health": True, "reads": ["DB_PASSWORD"], "posture": posture({}, {})}
SERVICES = {
    "app": {**SERVICE, "image": "app:1", "config": "new", "depends": {"db": "service_healthy"}},
    "db": {**SERVICE, "image": "db:1", "config": "new", "depends": {}},
    "cache": {**SERVICE, "image": "cache:1", "config": "c", "depends": {}, "reads": []},
}


def spec_and_facts(passwords: dict[str, str], config: str) -> tuple[dict[str, Any], dict[str, Any]]:
    def container(name: str) -> dict[str, Any]:
        image = SERVICES[name]["image"]
        known = {"id": name, "container": name, "state": "running", "health": "healthy", "image": image}
        return {**known, "image_id": f"sha256:{image}", "config": "c" if name == "cache" else config}

    images = {each["image"]: f"sha256:{each['image']}" for each in SERVICES.values()}
    stack = {
        "services": SERVICES,
        "images": images,
        "error": "",
        "containers": {name: container(name) for name in SERVICES},
    }
    spec = {"connection": REACH, "workload": WORKLOAD, "commit": "a" * 40, "environment": "e", "timeout_s": 60.0}
    return spec, {"stack": stack, "passwords": passwords}


def test_a_new_database_password_is_set_before_anything_that_uses_it_starts() -> None:
    spec, facts = spec_and_facts({"DB_PASSWORD": "differs"}, "old")
    steps = ComposeStackProvider().plan({**spec, "full": True}, facts)
    wires = [each.wire for each in steps]

    assert [each["do"] for each in wires] == ["write", "run", "start", "database_password", "start"]
    assert wires[1]["argv"][-2:] == ["app", "db"]
    assert list(wires[2]["services"]) == ["db"]
    assert wires[3]["role"] == ROLE
    assert set(wires[4]["services"]) == set(SERVICES)


def test_a_password_alone_out_of_step_makes_no_container_anew() -> None:
    spec, facts = spec_and_facts({"DB_PASSWORD": "differs"}, "new")
    assert [each.wire["do"] for each in ComposeStackProvider().plan(spec, facts)] == [
        "start",
        "database_password",
        "start",
    ]


@pytest.mark.parametrize("state", ["absent", "unknown", "differs"])
def test_what_is_not_known_to_match_is_looked_at_again_and_what_matches_is_left(state: str) -> None:
    provider = ComposeStackProvider()
    spec, facts = spec_and_facts({"DB_PASSWORD": state}, "new")
    assert provider.plan(spec, facts)
    assert provider.plan(spec, {**facts, "passwords": {"DB_PASSWORD": "matches"}}) == []


def test_a_password_changed_by_hand_is_drift_and_one_that_cannot_be_asked_for_is_none() -> None:
    spec, facts = spec_and_facts({"DB_PASSWORD": "differs"}, "new")
    containers = facts["stack"]["containers"]
    spec["services"] = ComposeStackProvider().outputs(spec, facts)["services"]
    seen = {"seen": {"silent": "", "containers": containers}}

    [found] = ComposeStackProvider().plan(spec, {**seen, "passwords": {"DB_PASSWORD": "differs"}})
    assert found.why == "keeper in db has another password than DB_PASSWORD"
    assert ComposeStackProvider().plan(spec, {**seen, "passwords": {"DB_PASSWORD": "absent"}}) == []


def test_a_stack_without_such_a_secret_asks_nothing_of_any_database() -> None:
    provider = ComposeStackProvider()
    plain = {"workload": {**WORKLOAD, "databases": []}}
    assert set(provider.probes({**plain, "full": True})) == {"stack"}
    assert set(provider.probes(plain)) == {"seen"}


def test_the_readers_come_from_the_model() -> None:
    spec, facts = spec_and_facts({"DB_PASSWORD": "matches"}, "new")
    assert ComposeStackProvider().outputs(spec, facts)["readers"] == {"DB_PASSWORD": ["app", "db"]}


def test_the_verifier_is_the_one_of_the_standard() -> None:
    """The exchange of RFC 7677, section 3: password `pencil`; the stored key as PostgreSQL writes it."""
    stored = (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
        "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert _verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096) == stored
    assert _holds(stored, "user", "pencil")
    assert not _holds(stored, "user", "pencils")


@pytest.mark.parametrize("stored", ["none", "", "SCRAM-SHA-256$x", "SCRAM-SHA-1$4096:AA==$x:y", "md5" + "0" * 32])
def test_what_is_no_verifier_of_the_password_does_not_hold(stored: str) -> None:
    assert not _holds(stored, "user", "pencil")


def test_an_md5_password_of_an_older_server_is_understood() -> None:
    stored = "md5" + hashlib.md5(b"penciluser", usedforsecurity=False).hexdigest()
    assert _holds(stored, "user", "pencil")


def test_a_reader_is_found_by_name_and_by_value_also_inside_a_url() -> None:
    secrets = {"A": "value/of$a-1", "B": "value-of-b-1", "C": "short", "D": "not-read-at-all"}
    body = {
        "environment": {"X": "redis://:value%2Fof%24a-1@h", "C": "short", "Y": "short-circuit"},
        "command": ["run", "--key=value-of-b-1"],
    }
    assert _reads(body, secrets) == ["A", "B", "C"]
    assert _reads({"environment": {"X": "value/of$$a-1"}}, secrets) == ["A"]
    assert _reads({"environment": {"Y": "short-circuit"}}, secrets) == []


def test_the_roles_of_a_stack_have_their_names_filled_in() -> None:
    assert _databases(load_file(ROOT / "Pulumi.local.yaml", root=ROOT)) == [
        {
            "secret": "POSTGRES_PASSWORD",
            "service": "tsh_postgres_staging",
            "role": "tsh_app_user",
            "name": "tsh_erp_staging",
            "superuser": "",
        }
    ]


def test_a_list_of_variables_is_read_with_its_lines() -> None:
    text = "# A=comment\n\nB=<CHANGE_ME>\n  export C='x'\nD: y\nB=again\nno variable\n#E=\n"
    assert variables_listed(text) == {"B": 3, "C": 4, "D": 5}


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_both_stacks_provide_what_the_reference_workload_lists(stack: str) -> None:
    settings = load_file(ROOT / f"Pulumi.{stack}.yaml", root=ROOT)
    template = (ROOT / "examples/tsh-erp" / str(settings.workload.env_template)).read_text()
    assert set(variables_listed(template)) == {*settings.environment, *settings.secrets}


IMAGES = {
    "connection": REACH,
    "workload": WORKLOAD,
    "commit": "a" * 40,
    "mode": "build",
    "release": {},
    "earlier": [],
    "template": {"path": "/home/deploy/app/.env.template", "provided": ["A", "B", "IMAGE_TAG"]},
}


def images_facts(listed: str | None) -> dict[str, Any]:
    _, facts = spec_and_facts({}, "new")
    return {"stack": facts["stack"], "template": {"exists": listed is not None, "content": listed or ""}}


def test_a_listed_variable_that_nobody_provides_is_refused_with_its_line() -> None:
    provider = ImagesProvider()
    assert set(provider.probes(IMAGES)) == {"stack", "template"}
    with pytest.raises(StepError) as raised:
        provider.plan(IMAGES, images_facts("A=\nIMAGE_TAG=\nB=\nNEW=\n"))
    assert (raised.value.code, raised.value.phase) == ("ENV_INCOMPLETE", "secrets")
    assert raised.value.evidence == "/home/deploy/app/.env.template:4: NEW: nobody provides it"
    with pytest.raises(StepError) as raised:
        provider.plan(IMAGES, images_facts(None))
    assert raised.value.code == "ENV_TEMPLATE_MISSING"


def test_a_provided_variable_that_is_not_listed_is_told_and_no_failure() -> None:
    facts = images_facts("A=\nIMAGE_TAG=\n")
    assert ImagesProvider().plan(IMAGES, facts) == []
    assert ImagesProvider().outputs(IMAGES, facts)["unlisted"] == ["B"]


def test_without_a_list_and_for_looking_only_none_is_asked_for() -> None:
    assert set(ImagesProvider().probes({**IMAGES, "template": None})) == {"stack"}
    assert set(ImagesProvider().probes({**IMAGES, "images": {"a": "b"}})) == {"present"}


def test_a_value_inside_a_url_is_percent_encoded_on_request_alone() -> None:
    values = {"URL": "db://u:{{ PASSWORD | url }}@h/{{ PASSWORD }}"}
    assert resolve(values, {"PASSWORD": "p/@ %é"})["URL"] == "db://u:p%2F%40%20%25%C3%A9@h/p/@ %é"
    assert substitute("x://{{ DOMAIN|url }}/{{ DOMAIN }}", {"DOMAIN": "a b"}) == "x://a%20b/a b"
    assert raw_in_url("db://u:{{ A | url }}@{{ B }}/{{ C }}") == ["B", "C"]
    assert raw_in_url("{{ SCHEME }}://{{ HOST }}") == ["HOST"]
    assert raw_in_url("plain {{ A }}") == []
