"""One update at a time: the lock in the CLI's own form, and who holds it."""

from __future__ import annotations

import getpass
import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from enginelab.bench import Bench


def foreign(bench: Bench) -> Path:
    """Put a lock where another program would have put it."""
    folder = bench.backend / ".pulumi" / "locks" / "organization" / bench.project / bench.stack
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "7d0b1f60-1f3e-4a53-9a5e-000000000001.json"
    holder = {"pid": 4242, "username": "alma", "hostname": "elsewhere", "timestamp": "2026-01-02T03:04:05.678Z"}
    lock.write_text(json.dumps(holder))
    return lock


def test_the_lock_says_who_holds_it(bench: Bench) -> None:
    bench.script({"call": "Create", "name": "a", "gate": "go"})
    run = bench.spawn('Thing("a", x=1)')
    run.until_called("Create a")
    (lock,) = bench.locks
    assert lock.parent == bench.backend / ".pulumi" / "locks" / "organization" / "lab" / "dev"
    content = json.loads(lock.read_text())
    assert content["pid"] == run.process.pid
    assert content["username"] == getpass.getuser()
    assert content["hostname"] == socket.gethostname()
    assert content["timestamp"][:2] == "20"
    bench.world.open_gate("go")
    assert run.wait() == 0, run.text
    bench.inspect()


def test_a_second_update_is_refused_and_the_first_goes_on(bench: Bench) -> None:
    bench.script({"call": "Create", "name": "a", "gate": "go"})
    run = bench.spawn('Thing("a", x=1)')
    run.until_called("Create a")
    for operation in ("up", "refresh", "destroy"):
        report = bench.driver.run(bench, operation)
        assert not report.ok
        assert str(run.process.pid) in report.text
        assert report.asked == []
    bench.world.open_gate("go")
    assert run.wait() == 0, run.text
    assert bench.state.things == ["a"]


def test_two_at_once_never_both_work(bench: Bench) -> None:
    bench.good("pass")
    bench.script({"call": "Create", "delay_s": 0.3})
    runs = [bench.spawn('Thing("a", x=1)'), bench.spawn()]
    for run in runs:
        run.wait()
    created = [entry for entry in bench.world.entries() if entry["call"] == "Create" and entry["phase"] == "begin"]
    assert len(created) <= 1
    bench.inspect()


@pytest.mark.parametrize("operation", ["up", "refresh", "destroy"])
def test_a_foreign_lock_is_respected_and_its_holder_named(bench: Bench, operation: str) -> None:
    bench.good('Thing("a", x=1)')
    lock = foreign(bench)
    before = bench.snapshot()
    report = bench.driver.run(bench, operation)
    assert not report.ok
    assert report.asked == []
    for word in ("4242", "alma", "elsewhere"):
        assert word in report.text
    assert lock.exists()
    assert bench.snapshot() == before


def test_a_preview_neither_takes_nor_minds_a_lock(bench: Bench) -> None:
    bench.good('Thing("a", x=1)')
    foreign(bench)
    report = bench.driver.run(bench, "preview")
    assert report.ok, report
    assert len(bench.locks) == 1


def test_a_failed_run_gives_the_lock_back(bench: Bench) -> None:
    bench.bad("raise pulumi.RunError('no')")
    assert bench.locks == []


def test_stacks_do_not_lock_each_other(bench: Bench) -> None:
    lock = foreign(bench)
    other = lock.parents[1] / "another"
    lock.parent.rename(other)
    bench.program('Thing("a", x=1)')
    report = bench.driver.run(bench, "up")
    assert report.ok, report
    assert [path.name for path in other.iterdir()] == [lock.name]
