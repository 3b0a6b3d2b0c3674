"""The official CLI's events in the embedded engine's words: what a read found, what differs, what is left out."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from infra.cli.translation import Translator
from infra.ops.drift import in_program, in_world
from localcloud.engine.events import PropertyDiff
from localcloud.engine.values import SECRET, SIGNATURE, UNKNOWN_STRING

ENV_FILE = "urn:pulumi:s::greenroom::greenroom:release:Release$pulumi-python:dynamic/greenroom:EnvFile::env-file"
FIREWALL = "urn:pulumi:s::greenroom::digitalocean:index/firewall:Firewall::firewall"
PROVIDER = "urn:pulumi:s::greenroom::pulumi:providers:digitalocean::default_4_84_1"
HIDDEN = {SIGNATURE: SECRET, "ciphertext": "[secret]"}
FINDING = {"what": "mode 0644", "expected": "0600", "found": "0644", "since": None}


def _event(kind: str, op: str, urn: str, **more: Any) -> EngineEvent:
    """Build an event as the CLI writes it into its log."""
    kinds = urn.split("::")[2].rpartition("$")[2]
    states = {side: {"type": kinds, "urn": urn, "id": "1", **more.pop(side, {})} for side in ("old", "new")}
    metadata = {"op": op, "urn": urn, "type": kinds, "provider": "", **states, **more}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata, "planning": True}})


def _told(*events: EngineEvent, only_reads: bool = False) -> Translator:
    translator = Translator(time.time(), lambda _event: None, only_reads=only_reads)
    for event in events:
        translator(event)
    return translator


def _update(urn: str, **more: Any) -> Translator:
    return _told(_event("resourcePreEvent", "update", urn, **more), _event("resOutputsEvent", "update", urn, **more))


def _read(urn: str, became: str, **more: Any) -> tuple[EngineEvent, EngineEvent]:
    return _event("resourcePreEvent", "refresh", urn), _event("resOutputsEvent", became, urn, **more)


@pytest.mark.parametrize("became", ["update", "same"])
def test_a_look_tells_what_was_read_whether_it_differs_or_not(became: str) -> None:
    """Where a refresh has taken it into the state already, a host's finding is no difference any more."""
    looked = _told(*_read(ENV_FILE, became, new={"outputs": {"findings": [FINDING], "drift": ["x"]}}), only_reads=True)

    (step,) = looked.steps
    assert step.op == became
    (finding,) = in_world(looked.steps, dict)
    assert (finding.layer, finding.resource, finding.what) == ("host", "env-file", "mode 0644")


def test_what_a_look_does_not_find_any_more_is_gone() -> None:
    start, end = _read(FIREWALL, "delete")
    end.res_outputs_event.metadata.new = None  # type: ignore[union-attr]
    (finding,) = in_world(_told(start, end, only_reads=True).steps, dict)
    assert (finding.layer, finding.what) == ("digitalocean", "firewall is gone")


def test_in_an_update_a_read_is_a_step_of_its_own_beside_the_update_that_mends() -> None:
    update = {"new": {"outputs": {"findings": []}}}
    run = _told(
        *_read(ENV_FILE, "update", new={"outputs": {"findings": [FINDING]}}),
        _event("resourcePreEvent", "update", ENV_FILE, **update),
        _event("resOutputsEvent", "update", ENV_FILE, **update),
    )
    assert [step.op for step in run.steps] == ["refresh", "update"]
    assert run.changes == {"refresh": 1, "update": 1}


def test_items_of_a_set_are_told_by_what_they_are_not_by_the_plugins_numbers() -> None:
    """The plugin says that item 1 was added; in its own order, which is neither the program's nor the event's."""
    http, https, postgres = ({"portRange": port} for port in ("80", "443", "5432"))
    looked = _told(
        *_read(
            FIREWALL,
            "update",
            old={"inputs": {"inboundRules": [http, https]}, "outputs": {"inboundRules": [http, https]}},
            new={"inputs": {"inboundRules": [http, https]}, "outputs": {"inboundRules": [https, http, postgres]}},
            diffs=["inboundRules"],
            detailedDiff={"inboundRules[1]": {"diffKind": "add", "inputDiff": False}},
        ),
        only_reads=True,
    )
    assert looked.steps[0].diff == (PropertyDiff("inboundRules", "update", [], [postgres]),)


def test_an_update_is_compared_with_what_was_given_and_a_value_with_what_came_of_it() -> None:
    states = {
        "old": {"inputs": {"name": "a"}, "outputs": {"name": "a", "size": 1}},
        "new": {"inputs": {"name": "a", "size": 2}, "outputs": {"name": "a", "size": 1}},
    }
    detail = {"diffs": ["size"], "detailedDiff": {"size": {"diffKind": "update-replace", "inputDiff": False}}}
    assert _update(FIREWALL, **states, **detail).steps[0].diff == (PropertyDiff("size", "update-replace", 1, 2),)


def test_where_the_provider_says_only_that_something_differs_the_inputs_tell_what() -> None:
    old = {"inputs": {"values": {"LEVEL": "INFO", "N": 1}, "secrets": HIDDEN, "digest": "abc"}}
    new = {"inputs": {"values": {"LEVEL": "DEBUG", "N": 1}, "secrets": HIDDEN, "digest": UNKNOWN_STRING}}
    steps = _update(ENV_FILE, old=old, new=new).steps
    assert steps[0].diff == (
        PropertyDiff("values.LEVEL", "update", "INFO", "DEBUG"),
        PropertyDiff("digest", "update", "abc", "[unknown]"),
    )
    assert [each.property for each in in_program(steps)] == ["values"]


def test_another_secret_is_named_though_events_mask_it() -> None:
    state = {"inputs": {"secrets": {"TOKEN": HIDDEN}, "path": "/x"}}
    (finding,) = in_program(_update(ENV_FILE, old=state, new=state).steps)
    assert finding.what == "env-file: another secret value is declared"
    assert (finding.expected, finding.found) == ("[secret]", "[secret]")


def test_an_update_that_a_look_explains_is_no_finding_of_the_program() -> None:
    state = {"inputs": {"secrets": {"TOKEN": HIDDEN}}}
    drifted = {**state, "outputs": {"findings": [FINDING]}}
    assert in_program(_update(ENV_FILE, old=drifted, new=state).steps) == []


def test_a_provider_that_nobody_declared_is_not_counted() -> None:
    assert _update(PROVIDER).steps == []
    declared = PROVIDER.replace("default_4_84_1", "mine")
    assert [step.name for step in _update(declared).steps] == ["mine"]
