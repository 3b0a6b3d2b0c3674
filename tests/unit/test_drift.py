"""Drift, four ways: which layer a finding belongs to, what is offered, and what adopting writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.errors import ConfigurationError, GreenroomError
from infra.host.findings import Finding
from infra.ops.adoption import adopt, offered, written
from infra.ops.drift import LAYERS, Drift, in_program, in_state, in_world, ordered
from infra.settings import load_file
from localcloud.engine.events import PropertyDiff, Step

ROOT = Path(__file__).parents[2]
COMMIT = "b" * 40


def step(name: str, kind: str, op: str = "refresh", *diff: PropertyDiff, found: dict[str, Any] | None = None) -> Step:
    token = kind if ":" in kind else f"pulumi-python:dynamic/greenroom:{kind}"
    return Step(f"urn:pulumi:local::greenroom::{token}::{name}", token, name, op, tuple(diff), found=found)  # type: ignore[arg-type]  # any op will do


def host_step(name: str, *findings: Finding, reachable: bool = True) -> Step:
    told = [each.wire for each in findings]
    return step(
        name, "EnvFile", found={"findings": told, "drift": [each["what"] for each in told], "reachable": reachable}
    )


def no_inputs() -> dict[str, frozenset[str]]:
    raise AssertionError("nothing in the cloud differs")


FIREWALL = step(
    "firewall",
    "digitalocean:index/firewall:Firewall",
    "update",
    PropertyDiff("inboundRules[3].portRange", "add", None, "5432"),
    PropertyDiff("inboundRules[3].protocol", "add", None, "tcp"),
    PropertyDiff("pendingChanges", "update", [], ["x"]),
    found={"id": "f"},
)
DROPLET = step(
    "droplet",
    "digitalocean:index/droplet:Droplet",
    "update",
    PropertyDiff("size", "update", "s-2vcpu-4gb", "s-4vcpu-8gb"),
    PropertyDiff("vcpus", "update", 2, 4),
    PropertyDiff("status", "update", "active", "off"),
    found={"id": "1"},
)


def test_a_quiet_world_has_no_findings() -> None:
    quiet = [host_step("env-file"), step("tag", "digitalocean:index/tag:Tag", "same", found={"name": "x"})]
    assert in_world(quiet, no_inputs) == []


def test_a_host_s_findings_are_the_host_layer_whether_the_state_has_them_already_or_not() -> None:
    finding = Finding("/x has mode 0644", "0600", "0644", "2026-11-24T10:00:00Z")
    (found,) = in_world([host_step("env-file", finding)], no_inputs)
    assert (found.layer, found.resource, found.what) == ("host", "env-file", "/x has mode 0644")
    assert (found.expected, found.found, found.since) == ("0600", "0644", "2026-11-24T10:00:00Z")


def test_a_host_that_does_not_answer_is_one_finding_however_many_resources_it_has() -> None:
    lost = [host_step(name, Finding("h does not answer"), reachable=False) for name in ("baseline", "proxy")]
    (found,) = in_world(lost, no_inputs)
    assert found.what == "h does not answer; not asked: baseline, proxy"


def test_of_a_cloud_resource_the_inputs_that_differ_are_told_and_its_status() -> None:
    inputs = {FIREWALL.urn: frozenset({"inboundRules", "name"}), DROPLET.urn: frozenset({"size", "name"})}
    found = in_world([FIREWALL, DROPLET], lambda: inputs)
    assert {each.layer for each in found} == {"digitalocean"}
    assert [(each.resource, each.property) for each in found] == [
        ("firewall", "inboundRules"),
        ("droplet", "size"),
        ("droplet", "status"),
    ]
    assert found[0].found == {"inboundRules[3].portRange": "5432", "inboundRules[3].protocol": "tcp"}


def test_what_is_gone_is_a_finding_of_the_cloud() -> None:
    (found,) = in_world([step("record", "digitalocean:index/dnsRecord:DnsRecord", "delete")], no_inputs)
    assert (found.layer, found.expected, found.found) == ("digitalocean", "present", "missing")


def test_a_preview_s_differences_are_the_program_layer_and_its_deletions_the_state_s() -> None:
    steps = [
        step("new", "EnvFile", "create"),
        step("env-file", "EnvFile", "update", PropertyDiff("recipe", "update", "a", "b")),
        step("only-drifted", "EnvFile", "update"),
        step("behind-it", "ComposeStack", "update", PropertyDiff("environment", "update", "a", "[unknown]")),
        step("old", "EnvFile", "delete"),
    ]
    assert [(each.resource, each.property, each.expected, each.found) for each in in_program(steps)] == [
        ("new", "", "present", "missing"),
        ("env-file", "recipe", "b", "a"),
    ]
    (left,) = in_state(steps, [], [], {steps[-1].urn: "2026-11-24T10:00:00Z"})
    assert (left.layer, left.resource, left.since) == ("state", "old", "2026-11-24T10:00:00Z")


def test_a_state_s_own_troubles_are_named() -> None:
    urn = "urn:pulumi:local::greenroom::a:b:C$digitalocean:index/droplet:Droplet::droplet"
    cut, left = in_state([], [("creating", urn)], [(urn, "digitalocean:index/droplet:Droplet")], {})
    assert cut.what == "a run was cut short while creating droplet"
    assert (cut.type, left.type) == ("Droplet", "Droplet")
    assert left.what == "the replaced droplet is still to be deleted"


def found_of(kind: str, name: str, where: str, found: Any, *, layer: str = "digitalocean", what: str = "x") -> Drift:
    return Drift(layer, name, kind, where, what, "before", found, None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.parametrize(
    ("finding", "key", "line"),
    [
        (found_of("Droplet", "droplet", "size", "s-4vcpu-8gb"), "droplet.size", "    size: s-4vcpu-8gb"),
        (found_of("Volume", "volume", "size", 10.0), "volume.sizeGib", "    sizeGib: 10"),
        (found_of("MonitorAlert", "cpu", "value", 95), "alerts.cpuPercent", "    cpuPercent: 95"),
        (
            found_of("Checkout", "checkout", "", COMMIT, layer="host", what="/x is at another commit"),
            "workload.commit",
            f"    commit: {COMMIT}",
        ),
    ],
)
def test_what_a_setting_says_can_be_adopted(project: Path, finding: Drift, key: str, line: str) -> None:
    before = (project / "Pulumi.local.yaml").read_text()
    (offer,) = adopt(offered([finding], stack="local"), [finding.resource], root=project, stack="local")

    after = (project / "Pulumi.local.yaml").read_text()
    assert (offer.file, offer.key) == ("Pulumi.local.yaml", key)
    assert line in after.splitlines()
    assert len(set(after.splitlines()) - set(before.splitlines())) == 1, "comments and order survive"
    load_file(project / "Pulumi.local.yaml", root=project)


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (found_of("Firewall", "firewall", "inboundRules", {}), "infra/cloud declares it"),
        (found_of("EnvFile", "env-file", "", "set", layer="host"), "a value never leaves the host"),
        (found_of("Baseline", "baseline", "", "absent", layer="host"), "infra/host declares it"),
        (found_of("Checkout", "checkout", "", "edited", layer="host"), "infra/host declares it"),
        (found_of("Droplet", "droplet", "", "present", layer="state"), "declare it in the program"),
        (found_of("Droplet", "droplet", "size", "x", layer="program"), "greenroom up makes it so"),
    ],
)
def test_what_no_setting_says_is_refused_with_the_reason(project: Path, finding: Drift, reason: str) -> None:
    before = (project / "Pulumi.local.yaml").read_text()
    with pytest.raises(ConfigurationError, match=re.escape(reason)):
        adopt(offered([finding], stack="local"), [finding.resource], root=project, stack="local")
    assert (project / "Pulumi.local.yaml").read_text() == before


def test_an_unknown_resource_is_refused_and_a_value_that_the_settings_refuse_is_taken_back(project: Path) -> None:
    before = (project / "Pulumi.local.yaml").read_text()
    with pytest.raises(ConfigurationError, match="--adopt nothing: no finding"):
        adopt([], ["nothing"], root=project, stack="local")
    bad = offered([found_of("Droplet", "droplet", "size", "no-such-size")], stack="local")
    with pytest.raises(ConfigurationError, match=re.escape("droplet.size")):
        adopt(bad, ["droplet"], root=project, stack="local")
    assert (project / "Pulumi.local.yaml").read_text() == before


def test_a_section_in_one_line_is_left_to_its_author(project: Path) -> None:
    path = project / "Pulumi.local.yaml"
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    at = lines.index("  greenroom:droplet:\n")
    path.write_text(
        "".join(
            [
                *lines[:at],
                "  greenroom:droplet: {region: fra1, size: s-2vcpu-4gb, image: debian-13-x64}\n",
                *lines[at + 4 :],
            ]
        )
    )
    load_file(path, root=project)

    resized = offered([found_of("Droplet", "droplet", "size", "s-4vcpu-8gb")], stack="local")
    with pytest.raises(GreenroomError, match="is no section of its own lines"):
        adopt(resized, ["droplet"], root=project, stack="local")


def test_a_key_is_set_inside_its_own_section_only() -> None:
    text = "config:\n  greenroom:a:\n    # kept\n    size: 1  # why\n  greenroom:b:\n    size: 2\n"
    assert written(text, "b.size", "3") == text.replace("size: 2", "size: 3")
    assert written(text, "a.size", "3") == text.replace("size: 1", "size: 3")
    assert yaml.safe_load(written(text, "b.more", "x"))["config"]["greenroom:b"] == {"more": "x", "size": 2}
    with pytest.raises(ValueError, match="greenroom:c is no section"):
        written(text, "c.x", "1")


def test_findings_stand_in_the_order_of_the_layers() -> None:
    mixed = [found_of("X", "b", "", "", layer=layer) for layer in reversed(LAYERS)]
    assert [each.layer for each in ordered(mixed)] == list(LAYERS)


def test_the_documented_schema_describes_the_document() -> None:
    text = (ROOT / "docs" / "drift.md").read_text(encoding="utf-8")
    schema = json.loads(re.search(r"```json\n(\{.*?\n\})\n```", text, re.DOTALL)[1])  # type: ignore[index]  # it is there
    jsonschema.Draft202012Validator.check_schema(schema)
    world = in_world([FIREWALL, host_step("env-file", Finding("x", "a", "b"))], dict)
    document = {
        "schema": "greenroom/drift/1",
        "stack": "local",
        "checked_at": "2026-11-24T10:00:00Z",
        "seconds": 1.5,
        "layers": dict.fromkeys(LAYERS, 0),
        "findings": [each.document() for each in offered(world, stack="local")],
        "adopted": [],
    }
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "findings": [{"layer": "moon"}]}, schema)
