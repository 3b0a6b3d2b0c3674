"""The env file: written and compared by a keyed digest, so that no value is anywhere else."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hostfacts import ABSENT, ENV, FILE

from infra.host.env_file import EnvFileProvider


def env_outputs(inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Give what the provider would return after it has written the file."""
    provider = EnvFileProvider()
    spec = provider.prepared(inputs, olds)
    facts = {"file": {**FILE, "digest": spec["expected"]}}
    assert provider.plan(spec, facts) == []
    kept = {name: value for name, value in spec.items() if name not in provider.withheld}
    return {**kept, **provider.outputs(spec, facts), "drift": [], "reachable": True}


def test_the_env_files_outputs_hold_no_value_and_no_bare_digest() -> None:
    outputs = env_outputs(ENV, {})
    text = str({name: value for name, value in outputs.items() if name != "key"})

    assert "canary-secret" not in text
    content = 'A="1"\nTOKEN="canary-secret"\n'
    assert hashlib.sha256(content.encode()).hexdigest() not in text
    assert outputs["names"] == ["A", "TOKEN"]


def test_the_env_files_key_stays_so_that_the_same_values_are_no_change() -> None:
    provider, outputs = EnvFileProvider(), env_outputs(ENV, {})

    assert not provider.diff("id", outputs, ENV).changes
    assert env_outputs(ENV, outputs) == outputs


@pytest.mark.parametrize(
    "change",
    [{"secrets": {"TOKEN": "other"}}, {"values": {"A": 2.0}}, {"recipe": "s"}, {"owner": "root"}, {"path": "/x/y"}],
)
def test_another_value_is_a_change_that_is_seen_without_rendering(change: dict[str, Any]) -> None:
    assert EnvFileProvider().diff("id", env_outputs(ENV, {}), {**ENV, **change}).changes


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (ABSENT, "is missing"),
        ({**FILE, "digest": "other"}, "another content"),
        ({**FILE, "mode": "0644"}, "mode 0644"),
        ({**FILE, "owner": "root"}, "belongs to root"),
    ],
)
def test_an_env_file_that_was_touched_is_written_anew(found: dict[str, Any], why: str) -> None:
    provider = EnvFileProvider()
    spec = provider.prepared(ENV, {})
    facts = {"file": {"digest": spec["expected"], **found}}

    (act,) = provider.plan(spec, facts)
    assert why in act.why
    assert (act.wire["mode"], act.wire["owner"]) == ("0600", "deploy")
    assert "canary-secret" not in repr(act)
