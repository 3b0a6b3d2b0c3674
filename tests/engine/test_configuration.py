"""Stack configuration as the program sees it, and what the program is told about its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enginelab.bench import CANARY

if TYPE_CHECKING:
    from enginelab.bench import Bench

SHOW = """
    import json
    from pulumi.runtime import config
    shown = {key: config.get_config(key) for key in KEYS}
    pulumi.export("shown", shown)
    pulumi.export("sealed", sorted(key for key in KEYS if config.is_config_secret(key)))
"""


def shown(bench: Bench, *keys: str) -> dict[str, object]:
    """Run a program that exports the raw configuration of some keys."""
    bench.good(f"KEYS = {keys!r}\n" + SHOW.replace("\n    ", "\n"))
    outputs = bench.state.outputs
    return {**outputs["shown"], "sealed": outputs["sealed"]}


def test_scalars_become_strings_and_structures_compact_json(bench: Bench) -> None:
    content = {"flag": True, "whole": 42, "part": 1.5, "text": "t", "list": [1, {"b": True}], "map": {"z": 1, "a": "ä"}}
    bench.configure({f"lab:{key}": value for key, value in content.items()})
    seen = shown(bench, *(f"lab:{key}" for key in content))
    assert seen["lab:flag"] == "true"
    assert seen["lab:whole"] == "42"
    assert seen["lab:part"] == "1.5"
    assert seen["lab:text"] == "t"
    assert str(seen["lab:list"]).replace('"1"', "1").replace('"true"', "true") == '[1,{"b":true}]'
    assert seen["lab:map"] in ('{"a":"ä","z":1}', '{"z":1,"a":"ä"}')


def test_keys_without_a_namespace_belong_to_the_project(bench: Bench) -> None:
    bench.configure({"word": "mine", "other:word": "theirs"})
    seen = shown(bench, "lab:word", "other:word")
    assert seen == {"lab:word": "mine", "other:word": "theirs", "sealed": []}


def test_a_sealed_leaf_makes_the_whole_key_secret(bench: Bench) -> None:
    sealed = {"secure": bench.cipher.encrypt(CANARY, b"nonce of 12b")}
    bench.configure({"lab:map": {"open": 1, "list": [sealed]}, "lab:flat": sealed})
    bench.good("""
        config = pulumi.Config()
        pulumi.export("map", config.require_secret_object("map"))
        pulumi.export("flat", config.require_secret("flat"))
        from pulumi.runtime.config import is_config_secret
        pulumi.export("sealed", [is_config_secret("lab:map"), is_config_secret("lab:flat")])
    """)
    outputs = bench.state.outputs
    assert outputs["sealed"] == [True, True]
    assert outputs["map"] == {"secret": {"open": 1, "list": [CANARY]}}
    assert outputs["flat"] == {"secret": CANARY}


def test_the_project_file_supplies_defaults(bench: Bench) -> None:
    config = {"plain": "default", "lab:full": {"value": "also"}, "typed": {"type": "integer", "default": 5}}
    bench.describe({"name": "lab", "runtime": "python", "config": config})
    bench.configure({"lab:plain": "own"})
    seen = shown(bench, "lab:plain", "lab:full", "lab:typed")
    assert seen == {"lab:plain": "own", "lab:full": "also", "lab:typed": "5", "sealed": []}


def test_the_program_knows_where_it_runs(bench: Bench) -> None:
    bench.good("""
        import os
        told = [pulumi.get_stack(), pulumi.get_project(), pulumi.get_organization(), pulumi.runtime.is_dry_run()]
        pulumi.export("told", told)
        pulumi.export("here", os.path.basename(os.getcwd()))
        pulumi.export("argv", len(__import__("sys").argv) > 0)
    """)
    assert bench.state.outputs["told"] == ["dev", "lab", "organization", False]
    assert bench.state.outputs["here"] == "project"


def test_the_program_may_live_in_a_folder(bench: Bench) -> None:
    folder = bench.root / "app"
    folder.mkdir()
    (bench.root / "lab.py").rename(folder / "lab.py")
    (folder / "__main__.py").write_text('import pulumi, os\nfrom lab import Thing\nThing("a", here=os.getcwd())\n')
    (bench.root / "__main__.py").unlink(missing_ok=True)
    bench.describe({"name": "lab", "runtime": "python", "main": "app"})
    bench.good(None, "create Stack, a")
    assert bench.state["a"]["inputs"]["here"] == str(folder)


def test_the_program_prints_to_the_user_not_to_the_state(bench: Bench) -> None:
    report = bench.good("""
        print("said by print")
        pulumi.log.info("said by log")
        pulumi.log.warn("warned by log")
    """)
    assert "said by print" in report.text
    assert "said by log" in report.text
    assert "warned by log" in report.text


def test_a_logged_error_is_shown_and_does_not_stop_the_run(bench: Bench) -> None:
    report = bench.good("""
        Thing("a", x=1)
        pulumi.log.error("this is wrong")
    """)
    assert "this is wrong" in report.text
    assert bench.state.things == ["a"]
