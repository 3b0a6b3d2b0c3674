"""Conformance scenario 46: the official CLI takes a stack over, finds it unchanged, and gives it back."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from enginelab.bench import CANARY, Bench
from enginelab.embedded import Embedded
from enginelab.official import Official, environment, is_available

from infra.cli.translation import Translator

if TYPE_CHECKING:
    from pathlib import Path

    from enginelab.bench import Driver

pytestmark = pytest.mark.skipif(not is_available(), reason="the official Pulumi CLI is not on PATH")

FAMILY = """
    a = Thing("a", {a})
    b = Thing("b", x=a.stamp)
    c = Thing("c", key=a.stamp)
    e = Thing("e", x=1, opts=options(depends_on=[a]))
    pulumi.export("stamp", b.stamp)
"""
RICH = f"""
    p = Source("p", token=pulumi.Output.secret("{CANARY}"))
    k = Group("k", x=1, opts=options(protect=True))
    a = Thing("a", x=1, n={{"k": [1, 2.5, True, "ä", {{}}]}}, opts=options(parent=k, provider=p))
    b = Thing("b", s=pulumi.Output.secret({{"k": ["{CANARY}"]}}), opts=options(depends_on=[k], deleted_with=a))
    c = Thing("c", key=a.stamp, autoname=True, opts=options(ignore_changes=["x"], retain_on_delete=True))
    t = Thing("t", text=pulumi.StringAsset("t"), opts=options(replace_on_changes=["text"], delete_before_replace=True))
    f = Thing("f", opts=options(id="found-1"))
    k.register_outputs({{"a": a.stamp}})
    pulumi.export("all", [a.stamp, b.s])
    pulumi.export("thing", a)
"""
MOVED = """
    k = Group("k")
    a = Thing("n", x=1, opts=options(parent=k, aliases=[pulumi.Alias(name="a", parent=pulumi.ROOT_STACK_RESOURCE)]))
    Thing("b", x=a.stamp)
"""
SERIES = {
    "1 create": [FAMILY.format(a="x=1")],
    "3 update": [FAMILY.format(a="x=1"), FAMILY.format(a="x=2")],
    "4 replace": [FAMILY.format(a="key=1"), FAMILY.format(a="key=2")],
    "5 delete first": [FAMILY.format(a="key=1, dbr=True"), FAMILY.format(a="key=2, dbr=True")],
    "7 remove": [FAMILY.format(a="x=1"), "pass"],
    "22 move": ['a = Thing("a", x=1)\nThing("b", x=a.stamp)', MOVED],
    "33 version": ['Thing("a", x=1)', 'Thing("a", x=1, opts=options(version="1.2.3"))'],
    "all kinds": [RICH],
}


def engines() -> tuple[Driver, Driver]:
    """Give both."""
    return Embedded(), Official()


def taken_over(bench: Bench, driver: Driver) -> None:
    """Let the other engine run the same program: nothing may change."""
    bench.driver = driver
    if driver.name == "official" and not (bench.home / "bin").exists():
        driver.prepare(bench)
    preview = bench.preview()
    assert preview.ok, preview
    assert {step.split()[0] for step in preview.steps} <= {"same", "read"}, preview
    report = bench.up()
    assert report.ok, report
    assert {step.split()[0] for step in report.steps} <= {"same", "read"}, report


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("first", [0, 1], ids=["to the CLI and back", "from the CLI and back"])
def test_46_a_stack_changes_hands_without_a_change(tmp_path: Path, series: str, first: int) -> None:
    mine, other = engines()[first], engines()[1 - first]
    bench = Bench(tmp_path / "lab", mine)
    bench.world.put("found-1", {"x": 5})
    for program in SERIES[series]:
        bench.good(program)
    before = bench.state.normal()
    taken_over(bench, other)
    assert sorted(map(str, bench.state.normal())) == sorted(map(str, before))
    taken_over(bench, mine)


@pytest.mark.parametrize("series", SERIES)
def test_both_write_the_same_state(tmp_path: Path, series: str) -> None:
    states = []
    for number, driver in enumerate(engines()):
        bench = Bench(tmp_path / f"lab{number}" / "lab", driver)
        bench.world.put("found-1", {"x": 5})
        for program in SERIES[series]:
            bench.good(program)
        label = [entry["inputs"].pop("label", "") for entry in bench.state.entries if "inputs" in entry]
        states.append(sorted(str(_unnamed(entry, label)) for entry in bench.state.normal()))
    assert states[0] == states[1]


def _unnamed(entry: dict[str, object], labels: list[str]) -> str:
    text = str(entry)
    for label in filter(None, labels):
        text = text.replace(label, "<label>")
    return text


@pytest.mark.parametrize("first", [0, 1], ids=["begun here", "begun by the CLI"])
def test_46_what_one_leaves_half_done_the_other_finishes(tmp_path: Path, first: int) -> None:
    mine, other = engines()[first], engines()[1 - first]
    bench = Bench(tmp_path / "lab", mine)
    bench.good('Thing("a", key=1, dbr=True)\nThing("b", key=1)')
    bench.script({"call": "Create", "name": "a", "error": "no"}, {"call": "Delete", "name": "b", "error": "no"})
    bench.bad('Thing("a", key=2, dbr=True)\nThing("b", key=1)')
    bench.script({"call": "Create", "name": "c", "partial": ["not well"]})
    bench.bad('Thing("b", key=1)\nThing("c", x=1)')
    bench.script()
    bench.driver = other
    if other.name == "official":
        other.prepare(bench)
    report = bench.good('Thing("a", key=2, dbr=True)\nThing("b", key=1)\nThing("c", x=1)')
    assert "update c" in report.steps
    assert bench.state.things == ["a", "b", "c"]
    assert len(bench.world.alive()) == 3


def test_a_look_through_the_cli_tells_what_a_look_through_this_engine_tells(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lab", Embedded())
    secret = f'pulumi.Output.secret("{CANARY}")'
    bench.good(f'a = Thing("a", x=1, n=[1, 2])\nThing("b", x=2)\nThing("c", s={secret}, opts=options(depends_on=[a]))')
    official = Official()
    official.prepare(bench)
    bench.world.drift("a-1", x=9)
    bench.world.put("b-1", None)
    before = bench.snapshot()

    mine = Embedded().engine(bench).look().steps
    translator = Translator(time.time(), lambda _event: None, only_reads=True)
    official.stack(bench).preview_refresh(on_event=translator, on_output=lambda _line: None)

    told = [{step.name: (step.op, step.diff, step.found) for step in steps} for steps in (mine, translator.steps)]
    assert {name: each[0] for name, each in told[0].items()} == {"a": "update", "b": "delete", "c": "same"}
    assert {name: each for name, each in told[1].items() if name in told[0]} == told[0]
    assert CANARY not in repr(told)
    assert bench.snapshot() == before, "a look has changed the backend"


def test_the_cli_reads_history_outputs_and_an_exported_deployment(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "lab", Embedded())
    bench.good(RICH.replace('f = Thing("f", opts=options(id="found-1"))', ""))
    Official().prepare(bench)
    for words in (["stack", "history", "--json"], ["stack", "output", "--json"], ["stack", "export"]):
        argv = ["pulumi", *words, "--stack", bench.stack]
        run = subprocess.run(argv, cwd=bench.root, env=environment(bench), capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert CANARY not in run.stdout
        assert run.stdout.startswith(("[", "{"))
