"""Conformance scenario 43: dynamic providers, whose code is part of the resource."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from enginelab.bench import CANARY, Bench

if TYPE_CHECKING:
    from pathlib import Path

    from enginelab.bench import Driver

MODULE = """
import json, os, pathlib
from pulumi import dynamic

LOG = pathlib.Path(os.environ["LAB_LOG"])

def log(*line):
    with LOG.open("a") as stream:
        stream.write(json.dumps(line) + "\\n")

class Maker(dynamic.ResourceProvider):
    def check(self, olds, news):
        return dynamic.CheckResult(news, [])
    def diff(self, id, olds, news):
        keys = [key for key in ("x", "key") if olds.get(key) != news.get(key)]
        return dynamic.DiffResult(changes=bool(keys), replaces=[key for key in keys if key == "key"])
    def create(self, props):
        log("create", int(props.get("x")))
        return dynamic.CreateResult("made", {"x": props.get("x"), "key": props.get("key"), "token": props.get("token")})
    def read(self, id, props):
        log("read", id)
        return dynamic.ReadResult(id, {**props, "x": 99})
    def update(self, id, olds, news):
        log("update", int(news.get("x")))
        return dynamic.UpdateResult({"x": news.get("x"), "key": news.get("key"), "token": news.get("token")})
    def delete(self, id, props):
        log("delete", id, int(props.get("x")))

class Made(dynamic.Resource):
    def __init__(self, name, opts=None, **props):
        super().__init__(Maker(), name, {"x": None, "key": None, "token": None, **props}, opts)
"""
INLINE = """
    from pulumi import dynamic

    class Maker(dynamic.ResourceProvider):
        def create(self, props):
            return dynamic.CreateResult("made", {{"x": {value}}})
        {diff}

    class Made(dynamic.Resource):
        def __init__(self, name, opts=None, **props):
            super().__init__(Maker(), name, {{"x": None, **props}}, opts)

    Made("m", y=1)
"""
OWN_DIFF = "def diff(self, id, olds, news): return dynamic.DiffResult(changes=False)"
REPLACED = ("create-replacement m", "replace m", "delete-replaced m")


def using_module(bench: Bench, call: str = 'Made("m", x=1)') -> str:
    """Put the provider into a module of the project and give a program that uses it."""
    bench.environment["LAB_LOG"] = str(bench.home / "dynamic.log")
    (bench.root / "making.py").write_text(MODULE)
    return f"from making import Made\n{call}"


def log(bench: Bench) -> list[str]:
    """Read what the dynamic provider did."""
    path = bench.home / "dynamic.log"
    return path.read_text().splitlines() if path.exists() else []


def test_43_a_dynamic_resource_lives_its_whole_life(bench: Bench) -> None:
    bench.good(using_module(bench), "create Stack, m")
    bench.good(None, "same Stack, m")
    bench.good(using_module(bench, 'Made("m", x=2)'), "same Stack", "update m")
    bench.good(using_module(bench, 'Made("m", x=2, key=1)'), "same Stack", *REPLACED)
    bench.good("pass", "same Stack", "delete m")
    deleted = '["delete", "made", 2]'
    assert log(bench) == ['["create", 1]', '["update", 2]', '["create", 2]', deleted, deleted]


def test_43_outputs_keep_the_provider(bench: Bench) -> None:
    bench.good(using_module(bench))
    entry = bench.state["m"]
    assert entry["type"] == "pulumi-python:dynamic:Resource"
    assert set(entry["outputs"]) >= {"__provider", "x"}
    assert set(entry["inputs"]["__provider"]) == {"secret"}
    assert set(entry["outputs"]["__provider"]) == {"secret"}


def test_43_a_preview_makes_nothing(bench: Bench) -> None:
    bench.good("pass")
    report = bench.preview(using_module(bench))
    assert report.ok, report
    assert report.did("same Stack", "create m")
    bench.good()
    assert bench.preview(using_module(bench, 'Made("m", x=2)')).did("same Stack", "update m")
    assert log(bench) == ['["create", 1]']


def test_43_a_refresh_reads_outputs_and_up_mends_them(bench: Bench) -> None:
    bench.good(using_module(bench))
    report = bench.refresh()
    assert report.ok, report
    assert "update m" in report.steps
    assert bench.state["m"]["outputs"]["x"] == 99
    assert bench.state["m"]["inputs"]["x"] == 1
    bench.good(None, "same Stack", "update m")
    assert bench.state["m"]["outputs"]["x"] == 1


def test_43_secrets_pass_through(bench: Bench) -> None:
    bench.good(using_module(bench, f'Made("m", x=1, token=pulumi.Output.secret("{CANARY}"))'))
    assert bench.state["m"]["inputs"]["token"] == {"secret": CANARY}
    assert bench.state["m"]["outputs"]["token"] == {"secret": CANARY}


def test_43_changed_code_in_the_program_is_an_update(bench: Bench) -> None:
    bench.good(INLINE.format(value=1, diff=""), "create Stack, m")
    bench.good(None, "same Stack, m")
    report = bench.good(INLINE.format(value=2, diff=""), "same Stack", "update m")
    assert "__provider" in str(report.details.get("update m", {}))


def test_43_an_own_diff_may_say_that_nothing_changed(bench: Bench) -> None:
    bench.good(INLINE.format(value=1, diff=OWN_DIFF))
    bench.good(INLINE.format(value=2, diff=OWN_DIFF), "same Stack, m")


def test_43_another_checkout_path_shows_for_code_in_the_program_only(tmp_path: Path, driver: Driver) -> None:
    first = Bench(tmp_path / "one", driver)
    program = using_module(first) + INLINE.format(value=1, diff="").replace("\n    ", "\n").replace('"m"', '"inline"')
    first.good(program)
    moved = tmp_path / "elsewhere"
    shutil.move(first.root, moved)
    first.root = moved
    first.good(None, "same Stack, m", "update inline")


def test_43_dynamic_providers_get_the_whole_configuration(bench: Bench) -> None:
    bench.configure({"lab:greeting": "hello", "other:key": "there"})
    bench.environment["LAB_LOG"] = str(bench.home / "dynamic.log")
    bench.good("""
        import os
        from pulumi import dynamic

        class Maker(dynamic.ResourceProvider):
            def configure(self, req):
                self.seen = [req.config.get("greeting"), req.config.get("other:key")]
            def create(self, props):
                return dynamic.CreateResult("made", {"seen": self.seen})

        class Made(dynamic.Resource):
            def __init__(self, name):
                super().__init__(Maker(), name, {"seen": None})

        pulumi.export("seen", Made("m").seen)
    """)
    assert bench.state.outputs == {"seen": ["hello", "there"]}
