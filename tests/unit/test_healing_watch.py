"""The watch's loop: how soon it hands a fault over, what it tells, how it ends, and that it sees a deployment."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from looks import HARD, SOFT, look

from infra.cli.session import Session
from infra.cli.sight import StackSight
from infra.cli.watch import ended_by_signals
from infra.errors import GreenroomError
from infra.healing.watch import LINES_A_MINUTE, Logbook, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.healing.detector import Look
    from infra.healing.model import Failure


class Scene:
    """A stack whose looks are given, on a clock that waiting moves."""

    def __init__(self, see: Callable[[float], Look], *, until: float) -> None:
        self.now, self.until, self.see = 1000.0, 1000.0 + until, see
        self.spans: list[float] = []

    def services(self) -> tuple[str, ...]:
        return ("app", "db")

    def look(self, span_s: float) -> Look:
        self.spans.append(span_s)
        return self.see(self.now)

    def wait(self, seconds: float, /) -> bool:
        self.now += seconds
        return self.now >= self.until

    def clock(self) -> float:
        return self.now


def watched(scene: Scene, *, heals: bool = True) -> tuple[list[tuple[float, Failure]], list[str]]:
    handed: list[tuple[float, Failure]] = []
    lines: list[str] = []

    def heal(failure: Failure) -> str:
        handed.append((scene.now - 1000.0, failure))
        return "healed: incident 1"

    Watch(scene, Logbook(lines.append, scene.clock), heal if heals else None).run()
    return handed, lines


@pytest.mark.parametrize(("fault", "median"), [(HARD[0][1], 2.5), (SOFT[0][1], 4.0)])
def test_the_median_fault_is_handed_over_within_five_seconds(fault: dict[str, Any], median: float) -> None:
    delays: list[float] = []
    for tenth in range(50):
        begins = 1020.0 + tenth / 10

        def see(now: float, begins: float = begins) -> Look:
            return look(now, **(fault if now >= begins else {}))

        (first, _), *_ = watched(Scene(see, until=60.0))[0]
        delays.append(first - (begins - 1000.0))

    assert sorted(delays)[25] <= median
    assert max(delays) <= 6.0


def test_watching_goes_on_after_a_healing_that_failed_in_itself() -> None:
    def heal(_failure: Failure) -> str:
        raise GreenroomError("another healer works on this stack\nsecond line")

    lines: list[str] = []
    scene = Scene(lambda now: look(now, **HARD[0][1]), until=30.0)
    Watch(scene, Logbook(lines.append, scene.clock), heal).run()

    assert "not healed: another healer works on this stack" in lines
    assert len(scene.spans) > 4


def test_without_healing_it_tells_and_hands_nothing_over() -> None:
    handed, lines = watched(Scene(lambda now: look(now, **HARD[0][1]), until=50.0), heals=False)

    assert handed == []
    assert lines.count("alarm: service app") == 1


def test_events_are_asked_for_since_the_look_before_and_not_over_a_healing() -> None:
    scene = Scene(lambda now: look(now, **(HARD[0][1] if 1010.0 <= now < 1015.0 else {})), until=30.0)
    watched(scene)

    assert scene.spans[:3] == [0.0, 5.0, 5.0]
    assert scene.spans[3] == 0.0, "what the healer did is no event"


def test_the_log_is_bounded_in_length_and_in_number() -> None:
    lines: list[str] = []
    now = [1000.0]
    log = Logbook(lines.append, lambda: now[0])
    for number in range(500):
        log.note(f"line {number}\n" + "x" * 1000)
    now[0] += 61
    log.note("the next minute")

    assert len(lines) == LINES_A_MINUTE + 2
    assert max(map(len, lines)) <= 300
    assert lines[-2:] == ["480 more lines in the minute before", "the next minute"]


def test_a_signal_ends_a_wait_at_once_and_for_good_whoever_handles_it_meanwhile() -> None:
    with ended_by_signals() as told:
        assert not told(0.0)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        assert told(30.0)
        assert time.monotonic() - began < 1.0
        assert told(0.0)
    with ended_by_signals() as told:
        before = signal.signal(signal.SIGTERM, lambda *_: None)  # as a healer does for its own time
        os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
        assert told(0.0)


def test_a_look_that_hangs_does_not_keep_the_watch_from_ending() -> None:
    hanging = threading.Event()

    def see(_now: float) -> Look:
        hanging.wait(20.0)
        return look()

    scene = Scene(see, until=1e9)
    ended = threading.Thread(target=watched, args=(scene,), daemon=True)
    ended.start()
    time.sleep(0.2)
    scene.until = 0.0
    ended.join(1.0)
    assert not ended.is_alive()
    hanging.set()


# ---- the engine's lock


def test_a_deployment_is_seen_by_its_lock_and_a_lock_without_its_process_means_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    sight = StackSight(Session("local", as_json=False, assume_yes=True), wait=lambda _seconds: False)
    lock = tmp_path / ".pulumi" / "locks" / "organization" / "greenroom" / "local" / "1.json"
    lock.parent.mkdir(parents=True)

    def seen(**content: object) -> str:
        lock.write_text(json.dumps(content))
        return sight.look(0.0).busy

    here = socket.gethostname()
    assert seen(pid=os.getpid(), hostname=here).startswith("a deployment runs (process ")
    assert seen(pid=2**22 + 1, hostname=here) == "the stack is not deployed"
    assert seen(pid=1, hostname="elsewhere") == "a deployment runs (process 1 on elsewhere)"
    os.utime(lock, (time.time() - 7200, time.time() - 7200))
    assert sight.look(0.0).busy == "the stack is not deployed"
