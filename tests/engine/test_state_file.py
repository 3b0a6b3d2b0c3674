"""The backend's files: layout, history, backups, atomic writes, and that reading and writing lose nothing."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from enginelab.protocol import SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

    from enginelab.bench import Bench

REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
ONE = 'Thing("a", x=1)'
MANY = """
    last = Thing("t0", x=0)
    for number in range(1, 12):
        last = Thing(f"t{number}", x=last.stamp)
"""


def history(bench: Bench) -> list[dict[str, Any]]:
    """Read the history's entries, oldest first."""
    folder = bench.backend / ".pulumi" / "history" / bench.project / bench.stack
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.history.json"))]


def files(folder: Path) -> set[str]:
    """Name the files of a folder with digits blotted out, without the CLI's side files."""
    return {
        re.sub(r"\d{6,}", "N", path.name) for path in folder.rglob("*") if path.is_file() and path.suffix != ".attrs"
    }


def test_the_layout_is_the_file_backends(bench: Bench) -> None:
    bench.good(ONE)
    bench.good(ONE)
    pulumi = bench.backend / ".pulumi"
    assert yaml.safe_load((pulumi / "meta.yaml").read_text()) == {"version": 1}
    assert files(pulumi / "stacks") == {"dev.json", "dev.json.bak"}
    assert files(pulumi / "history" / "lab" / "dev") == {"dev-N.history.json", "dev-N.checkpoint.json"}
    assert files(pulumi / "backups" / "lab" / "dev") >= {"dev.N.json"}
    document = json.loads(bench.state.text)
    assert document["checkpoint"]["stack"] == "organization/lab/dev"


def test_the_backup_is_a_state_of_its_own(bench: Bench) -> None:
    bench.good(ONE)
    bench.good('Thing("b", x=1)')
    backup = json.loads(bench.state_path.with_name("dev.json.bak").read_text())
    assert backup["version"] == 3
    assert backup["checkpoint"]["stack"] == "organization/lab/dev"


def test_every_operation_but_preview_enters_history(bench: Bench) -> None:
    bench.good(ONE)
    bench.preview("pass")
    bench.refresh()
    bench.bad("raise pulumi.RunError('no')")
    bench.destroy()
    kinds = [(entry["kind"], entry["result"]) for entry in history(bench)]
    assert kinds == [("update", "succeeded"), ("refresh", "succeeded"), ("update", "failed"), ("destroy", "succeeded")]
    first = history(bench)[0]
    assert first["resourceChanges"]["create"] == 2
    assert first["startTime"] <= first["endTime"]
    assert isinstance(first["message"], str)
    assert isinstance(first["environment"], dict)


def test_history_keeps_the_configuration_with_its_secrets_sealed(bench: Bench) -> None:
    sealed = bench.cipher.encrypt("canary-7f3a", b"nonce of 12b")
    bench.configure({"lab:open": "shown", "lab:sealed": {"secure": sealed}})
    bench.good(ONE)
    config = history(bench)[0]["config"]
    assert "shown" in json.dumps(config["lab:open"])
    assert sealed in json.dumps(config["lab:sealed"])


def test_a_checkpoint_of_history_is_the_state_of_then(bench: Bench) -> None:
    bench.good(ONE)
    folder = bench.backend / ".pulumi" / "history" / "lab" / "dev"
    (checkpoint,) = folder.glob("*.checkpoint.json")
    then = json.loads(checkpoint.read_text())["checkpoint"]["latest"]["resources"]
    assert then == bench.state.latest["resources"]


def test_a_reader_never_sees_half_a_state(bench: Bench) -> None:
    bench.good("pass")
    seen: set[int] = set()
    broken: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.001):
            text = bench.state_path.read_text()
            try:
                seen.add(len(json.loads(text)["checkpoint"]["latest"].get("resources") or []))
            except ValueError as error:
                broken.append(f"{error}: {text[:80]}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        bench.good(MANY)
    finally:
        stop.set()
        watcher.join()
    assert not broken
    assert len(seen) > 3, "The state is written while the run goes on"


def test_a_run_without_changes_writes_the_same_entries_with_the_same_ciphertexts(embedded_bench: Bench) -> None:
    bench = embedded_bench  # the CLI seals anew, which is as good but no use to anyone who keeps states
    bench.good('Thing("a", x=pulumi.Output.secret("canary-7f3a"), n={"b": [1, 2.5, True, "ä"], "a": {}})')
    before = bench.state.latest["resources"]
    bench.good()
    assert bench.state.latest["resources"] == before


def test_ciphertexts_are_kept_when_other_things_change(embedded_bench: Bench) -> None:
    bench = embedded_bench
    program = 'Thing("a", x={}, s=pulumi.Output.secret("canary-7f3a"))'
    bench.good(program.format(1))
    before = _raw(bench, "a")["inputs"]["s"]
    bench.good(program.format(2))
    assert _raw(bench, "a")["inputs"]["s"] == before


def test_numbers_keep_their_kind(bench: Bench) -> None:
    bench.good('Thing("a", whole=1.0, big=9007199254740991, part=0.1, small=-0.5, zero=0)')
    assert '"whole": 1.0' not in bench.state.text
    assert bench.state["a"]["inputs"] == {"whole": 1, "big": 9007199254740991, "part": 0.1, "small": -0.5, "zero": 0}


def test_what_only_a_provider_understands_is_kept(bench: Bench) -> None:
    keys = {"__meta": '{"schema_version":"1"}', "__defaults": [], "__pulumi_raw_state_delta": {"obj": {}}}
    bench.script({"call": "Create", "name": "a", "outputs": keys})
    bench.good(ONE)
    bench.script()
    report = bench.good('Thing("a", x=2)', "same Stack", "update a")
    update = report.call("Update", "a")
    assert {key: update["olds"][key] for key in keys} == keys
    bench.script({"call": "Diff", "name": "a", "changes": 1})
    bench.good('Thing("a", x=3)', "same Stack, a")


def test_unknown_fields_of_an_entry_do_not_stop_a_run(bench: Bench) -> None:
    bench.good(ONE)

    def add(latest: dict[str, Any]) -> None:
        latest["resources"][-1]["sourcePosition"] = "project:///__main__.py#4"

    bench.edit(add)
    bench.good(None, "same Stack, a")


def test_a_component_says_that_it_is_not_custom(bench: Bench) -> None:
    bench.good('Group("k", x=1)')
    raw = _raw(bench, "k")
    assert raw["custom"] is False
    assert raw["inputs"] == {"x": 1}


def test_component_outputs_are_stored(bench: Bench) -> None:
    program = """
        k = Group("k")
        a = Thing("a", x=1, opts=options(parent=k))
        k.register_outputs({{"stamp": a.stamp, "n": {n}, "s": pulumi.Output.secret("canary-7f3a")}})
    """
    bench.good(program.format(n=1))
    assert bench.state["k"]["outputs"] == {"stamp": "stamp of a-1", "n": 1, "s": {"secret": "canary-7f3a"}}
    bench.good(program.format(n=2), "same Stack, k, a")
    assert bench.state["k"]["outputs"]["n"] == 2


@pytest.mark.parametrize("accepts", [False, True])
def test_a_resource_as_an_input_is_a_reference(bench: Bench, accepts: bool) -> None:  # noqa: FBT001 - a parameter
    bench.script(acceptResources=accepts)
    report = bench.good("""
        a = Thing("a", x=1)
        k = Group("k")
        Thing("b", thing=a, group=k)
    """)
    a, k = bench.state["a"], bench.state["k"]
    news = report.call("Create", "b")["news"]
    reference = {SIGNATURE: REFERENCE, "urn": a["urn"], "id": "a-1"}
    if accepts:
        assert {key: news["thing"][key] for key in reference} == reference
        assert news["group"]["urn"] == k["urn"]
    else:
        assert news == {"thing": "a-1", "group": k["urn"]}
    stored = _raw(bench, "b")["inputs"]["thing"]
    assert stored == "a-1" if not accepts else {key: stored[key] for key in reference} == reference
    bench.good(None, "same Stack, a, b, k")


def test_an_asset_travels_with_its_hash(bench: Bench) -> None:
    program = 'Thing("a", text=pulumi.StringAsset("hello"), file=pulumi.FileAsset("note.txt"))'
    (bench.root / "note.txt").write_text("hello")
    report = bench.good(program)
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    news = report.call("Create", "a")["news"]
    assert news["text"] == {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "hash": digest, "text": "hello"}
    assert news["file"]["hash"] == digest
    bench.good(None, "same Stack, a")
    (bench.root / "note.txt").write_text("other")
    bench.good(None, "same Stack", "update a")


def _raw(bench: Bench, name: str) -> dict[str, Any]:
    entries = bench.state.latest["resources"]
    names = [str(entry["urn"]).split("::", 3)[3] for entry in entries]
    number = 0 if name == "Stack" else names.index(name)
    raw: dict[str, Any] = entries[number]
    return raw
