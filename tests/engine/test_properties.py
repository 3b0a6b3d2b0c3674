"""Laws that hold for any program: what is declared is what exists, a second run changes nothing, values survive.

Examples are few and always the same, because each is a handful of real runs; `LAB_EXAMPLES=100` looks further, at
random.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enginelab.bench import Bench
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from enginelab.bench import Driver

FAR = int(os.environ.get("LAB_EXAMPLES", "0"))
SIZE = 6
slow = settings(
    max_examples=FAR or 5,
    derandomize=not FAR,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Node:
    """One resource of a generated program; it refers to earlier ones only."""

    number: int
    is_group: bool
    parent: int | None
    x_from: int | None
    key_from: int | None
    after: frozenset[int]
    x: int
    key: int
    dbr: bool

    def line(self, known: dict[int, Node]) -> str:
        """Give the program's line."""
        made = f"options(parent={self._name(self.parent, known)}, depends_on=[{self._after(known)}])"
        if self.is_group:
            return f't{self.number} = Group("t{self.number}", opts={made})'
        values = {"x": self._value(self.x_from, self.x, known), "key": self._value(self.key_from, self.key, known)}
        arguments = ", ".join(f"{key}={value}" for key, value in values.items())
        return f't{self.number} = Thing("t{self.number}", {arguments}, dbr={self.dbr}, opts={made})'

    def _name(self, number: int | None, known: dict[int, Node]) -> str:
        return f"t{number}" if number in known else "None"

    def _value(self, source: int | None, own: int, known: dict[int, Node]) -> str:
        return f"t{source}.stamp" if source in known and not known[source].is_group else str(own)

    def _after(self, known: dict[int, Node]) -> str:
        return ", ".join(f"t{number}" for number in self._things(known))

    def _things(self, known: dict[int, Node]) -> list[int]:
        """Give the earlier ones without groups: depending on a group means its children, which may come later."""
        return [number for number in sorted(self.after) if number in known and not known[number].is_group]


@st.composite
def estates(draw: st.DrawFn) -> list[Node]:
    """Make a program: some of six resources, each leaning on earlier ones."""
    nodes = []
    for number in sorted(draw(st.sets(st.integers(0, SIZE - 1), min_size=1))):
        earlier = st.none() | st.integers(0, max(number - 1, 0))
        nodes.append(
            Node(
                number,
                is_group=draw(st.integers(0, 4)) == 0,
                parent=draw(earlier),
                x_from=draw(earlier),
                key_from=draw(earlier),
                after=draw(st.frozensets(st.integers(0, max(number - 1, 0)), max_size=2)),
                x=draw(st.integers(0, 1)),
                key=draw(st.integers(0, 1)),
                dbr=draw(st.booleans()),
            )
        )
    return nodes


def program(nodes: list[Node]) -> str:
    """Write a program down."""
    known: dict[int, Node] = {}
    lines = []
    for node in nodes:
        lines.append(node.line(known))
        known[node.number] = node
    return "\n".join(lines)


@slow
@given(series=st.lists(estates(), min_size=2, max_size=3))
def test_what_is_declared_is_what_exists(driver: Driver, series: list[list[Node]]) -> None:
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home) / "lab", driver)
        for nodes in series:
            note(program(nodes))
            bench.good(program(nodes))
            assert bench.state.things == sorted(f"t{node.number}" for node in nodes)
            ids = sorted(entry["id"] for entry in bench.state.entries if entry["type"].startswith("testprovider:"))
            assert ids == bench.world.alive()
        again = bench.good()
        assert {step.split()[0] for step in again.steps} == {"same"}
        assert again.called()
        assert bench.refresh().ok
        assert bench.destroy().ok
        assert bench.world.alive() == []


@slow
@given(
    first=estates(), second=estates(), broken=st.sampled_from(["Create", "Update", "Delete"]), number=st.integers(0, 5)
)
def test_a_failure_can_always_be_mended(
    driver: Driver, first: list[Node], second: list[Node], broken: str, number: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home) / "lab", driver)
        note(program(first))
        bench.good(program(first))
        note(program(second))
        bench.script({"call": broken, "name": f"t{number}", "error": "not now"})
        bench.up(program(second))
        bench.script()
        bench.good()
        assert bench.state.things == sorted(f"t{node.number}" for node in second)
        ids = sorted(entry["id"] for entry in bench.state.entries if entry["type"].startswith("testprovider:"))
        assert ids == bench.world.alive()


scalars = (
    st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=64)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=6).filter(
    lambda key: not key.startswith("_")
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


def bare(value: Any) -> Any:
    """Write a number as JSON's one kind of number."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@slow
@given(contents=st.lists(values, min_size=12, max_size=12), sealed=st.integers(0, 11))
def test_values_survive_the_way_to_the_provider_and_into_the_state(
    driver: Driver, contents: list[Any], sealed: int
) -> None:
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home) / "lab", driver)
        arguments = {f"v{number}": repr(value) for number, value in enumerate(contents)}
        arguments[f"v{sealed}"] = f"pulumi.Output.secret({arguments[f'v{sealed}']})"
        spelt = ", ".join(f"{key}={value}" for key, value in arguments.items())
        report = bench.good(f'Thing("a", {spelt})')
        expected = {f"v{number}": bare(value) for number, value in enumerate(contents)}
        assert bare(report.call("Create", "a")["news"]) == expected
        stored = bench.state["a"]["inputs"]
        assert stored[f"v{sealed}"].keys() == {"secret"}
        stored[f"v{sealed}"] = stored[f"v{sealed}"]["secret"]
        assert bare(stored) == expected
        bench.good(None, "same Stack, a")
