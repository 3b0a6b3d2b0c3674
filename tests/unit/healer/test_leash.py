"""What holds the healer: one at a time, on the controller and on the host; and a stop that counts within a second."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from infra.cli.halting import Halting
from infra.healing.lock import HealerBusyError, Holder, hold_probe, holder_of, is_ours_still, locked, our_name
from infra.transport.remote import holding

if TYPE_CHECKING:
    from pathlib import Path

HOLD = (
    "import pathlib, sys, time\n"
    "from infra.healing.lock import locked\n"
    "with locked(pathlib.Path(sys.argv[1]), stack='test'):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


def test_of_two_healers_one_runs_and_the_other_names_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(HealerBusyError) as caught, locked(tmp_path, stack="test"):
            pytest.fail("both hold it")
        said = caught.value.message
        assert f"process {first.pid} on " in said
        assert our_name().boot[:8] in said
        assert ", since 20" in said
        assert f"ps -p {first.pid}" in caught.value.hint
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    with locked(tmp_path, stack="test") as ours:
        assert ours.pid == os.getpid(), "a dead holder's lock is free"
    assert json.loads((tmp_path / "heal.lock").read_text())["pid"] == os.getpid()


def test_a_lock_whose_holder_has_not_written_its_name_is_held_all_the_same(tmp_path: Path) -> None:
    with locked(tmp_path, stack="test"):
        (tmp_path / "heal.lock").write_text("")
        with pytest.raises(HealerBusyError, match="has not yet given its name"), locked(tmp_path, stack="test"):
            pytest.fail("both hold it")


@pytest.mark.parametrize(
    "written", [{}, {"pid": "x"}, {"pid": 1}, {"pid": None, "started": 1, "boot": 2, "machine": 3}]
)
def test_what_is_no_holder_is_none(written: dict[str, object]) -> None:
    assert holder_of(written) is None


def _hold_on_host(directory: str, owner: Holder, answers: multiprocessing.Queue[dict[str, object]]) -> None:
    holding.DIRECTORY = directory
    answers.put(holding.hold_fact(hold_probe(owner)))
    time.sleep(60)


def test_on_the_host_the_lock_lives_as_long_as_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(holding, "_held", {})
    there = Holder(4711, "2026-11-24T18:00:00Z", "b00t", "elsewhere")
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[dict[str, object]] = context.Queue()
    other = context.Process(target=_hold_on_host, args=(str(tmp_path), there, answers), daemon=True)
    other.start()
    assert answers.get(timeout=30)["held"]
    refused = holding.hold_fact(hold_probe(our_name()))
    assert not refused["held"]
    assert holder_of(refused["owner"]) == there
    other.kill()
    other.join()
    assert holding.hold_fact(hold_probe(our_name()))["held"], "it went with its worker"
    assert holding.hold_fact(hold_probe(our_name()))["held"], "and is ours for good"
    holding._held["healer"].close()


def test_a_hold_that_a_cut_connection_of_ours_has_left_is_told_from_another_s() -> None:
    ours = our_name()
    earlier = {**vars(ours), "started": "2026-11-24T17:00:00Z"}
    assert is_ours_still({"held": False, "owner": earlier}, ours), "an earlier run of this process"
    assert not is_ours_still({"held": True, "owner": vars(ours)}, ours), "it is held as it should be"
    assert not is_ours_still({"held": False, "owner": {**earlier, "boot": "b00t"}}, ours)
    assert not is_ours_still({"held": False, "owner": {**earlier, "pid": ours.pid + 1}}, ours)
    assert not is_ours_still({"held": False, "owner": {}}, ours)


# ---- stopping


def test_a_stop_file_is_noticed_within_a_second_and_cancels_what_runs(tmp_path: Path) -> None:
    cancelled = threading.Event()
    said: list[str] = []
    with Halting(tmp_path / "stop", within_s=60, say=said.append) as halting:
        assert halting.halt is None
        with halting.cancelling(cancelled.set):
            (tmp_path / "stop").touch()
            began = time.monotonic()
            assert cancelled.wait(1.0)
            assert time.monotonic() - began < 1.0
        assert halting.halt is not None
        assert halting.halt.ending == "stopped"
        assert "stop file" in said[0]


def test_without_a_time_only_the_stop_file_counts_and_signals_keep_their_handlers(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Halting(tmp_path / "stop", say=lambda _: None) as halting:
        assert signal.getsignal(signal.SIGINT) is before
        halting.sleep(0.3)
        assert halting.halt is None
        (tmp_path / "stop").touch()
        halting.sleep(5.0)
        assert halting.halt is not None


def test_a_wait_ends_early_when_the_run_is_stopped(tmp_path: Path) -> None:
    with Halting(tmp_path / "stop", within_s=60, say=lambda _: None) as halting:
        threading.Timer(0.2, (tmp_path / "stop").touch).start()
        began = time.monotonic()
        halting.sleep(30.0)
        assert time.monotonic() - began < 1.2


def test_what_begins_after_the_stop_is_cancelled_at_once(tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    cancelled: list[int] = []
    with Halting(tmp_path / "stop", within_s=60, say=lambda _: None) as halting:
        assert halting.halt is not None
        with halting.cancelling(lambda: cancelled.append(1)):
            assert cancelled


def test_the_time_of_a_run_ends_it_as_exhausted(tmp_path: Path) -> None:
    with Halting(tmp_path / "stop", within_s=0.2, say=lambda _: None) as halting:
        halting.sleep(5.0)
        assert halting.halt is not None
        assert halting.halt.ending == "exhausted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_and_a_second_one_cancels_again(tmp_path: Path, number: signal.Signals) -> None:
    cancelled = threading.Semaphore(0)
    with Halting(tmp_path / "stop", within_s=60, say=lambda _: None) as halting, halting.cancelling(cancelled.release):
        os.kill(os.getpid(), number)
        assert cancelled.acquire(timeout=1.0)
        os.kill(os.getpid(), number)
        assert cancelled.acquire(timeout=1.0)
        assert halting.halt is not None
        assert number.name in halting.halt.why
    assert signal.getsignal(number) is not halting._signalled, "the former handler is back"


def test_a_proof_is_broken_into(tmp_path: Path) -> None:
    began = time.monotonic()
    with Halting(tmp_path / "stop", within_s=60, say=lambda _: None) as halting:
        threading.Timer(0.2, (tmp_path / "stop").touch).start()
        with pytest.raises(KeyboardInterrupt), halting.interrupting():
            time.sleep(30)
    assert time.monotonic() - began < 1.5
