"""Reading another stack's outputs: by the engine itself, with no provider process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from enginelab.bench import CANARY, SALT

if TYPE_CHECKING:
    from enginelab.bench import Bench

GIVER = f"""
    pulumi.export("plain", {{"k": [1, 2]}})
    pulumi.export("hidden", pulumi.Output.secret("{CANARY}"))
"""
TAKER = """
    other = pulumi.StackReference("{name}")
    Thing("a", x=other.get_output("plain"), s=other.require_output("hidden"))
"""


@pytest.fixture
def second(embedded_bench: Bench) -> Bench:
    """Give a laboratory whose first stack has outputs and whose second is to be deployed."""
    embedded_bench.good(GIVER)
    embedded_bench.stack = "second"
    settings = {"encryptionsalt": SALT, "config": {}}
    (embedded_bench.root / "Pulumi.second.yaml").write_text(yaml.safe_dump(settings))
    return embedded_bench


@pytest.mark.parametrize("name", ["organization/lab/dev", "dev"])
def test_outputs_are_read_with_their_marks(second: Bench, name: str) -> None:
    report = second.good(TAKER.format(name=name))
    assert f"read {name}" in report.steps
    inputs = {key: value for key, value in second.state["a"]["inputs"].items() if key in "xs"}
    assert inputs == {"x": {"k": [1, 2]}, "s": {"secret": CANARY}}
    assert second.preview().steps.count("same a") == 1


@pytest.mark.parametrize("name", ["organization/lab/nowhere", "somebody/lab/dev", "organization/dev"])
def test_a_stack_that_is_not_there_is_named(second: Bench, name: str) -> None:
    report = second.bad(TAKER.format(name=name))
    assert name in report.text
    assert not report.calls_of("Create", "a")
