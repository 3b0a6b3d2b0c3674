"""When a look is an alarm, and when it is none: on a clock that only the tests move."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.app import greenroom
from infra.cli.session import Session
from infra.cli.sight import StackSight
from infra.cli.watch import ended_by_signals
from infra.errors import ConfigurationError, GreenroomError
from infra.healing.detector import Detector, Look, Sign, signs_of
from infra.healing.watch import LINES_A_MINUTE, Logbook, Watch, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.healing.detector import Alarm
    from infra.healing.model import Failure

ROOT = Path(__file__).parents[2]
WALL = "2026-11-24T18:00:00.000Z"


def container(**changes: Any) -> dict[str, Any]:
    well = {"state": "running", "health": "healthy", "exit_code": 0, "oom": False, "frozen": False, "since": None}
    return {**well, **changes}


def vitals(**changes: Any) -> dict[str, Any]:
    units = {name: {"active": "active"} for name in ("docker.service", "containerd.service", "caddy.service")}
    well: dict[str, Any] = {
        "engine": "",
        "services": {"app": container(), "db": container(health="none")},
        "events": [],
        "units": units,
        "proxy": True,
        "certificate": {"verdict": "good", "text": "valid until tomorrow"},
        "disks": {"/": {"percent": 40.0, "inodes_percent": 3.0}},
    }
    return {**well, **changes}


def look(at: float = 0.0, *, answers: dict[str, int] | None = None, **changes: Any) -> Look:
    own = {name: changes.pop(name) for name in ("busy", "unreachable", "offline") if name in changes}
    services = {name: changes.pop(name) for name in ("app", "db") if name in changes}
    facts = vitals(**changes)
    facts["services"] = {name: each for name, each in {**facts["services"], **services}.items() if each}
    return Look(at, WALL, vitals=facts, answers=answers or {"/health": 200}, **own)


def watcher() -> Detector:
    return Detector(("app", "db"))


def keys(alarm: Alarm | None) -> list[str]:
    return [each.key for each in alarm.signs] if alarm else []


HARD = [
    ("service app", {"app": container(state="exited", health="none", exit_code=137)}),
    ("service app", {"app": None}),
    ("service app", {"app": container(frozen=True)}),
    ("service app", {"app": container(state="paused")}),
    ("service app", {"app": container(health="unhealthy")}),
    ("memory app", {"events": [{"what": "oom", "service": "app", "exit_code": 0}]}),
    ("unit docker.service", {"units": {"docker.service": {"active": "failed"}}}),
    ("certificate", {"certificate": {"verdict": "expired", "text": "certificate has expired"}}),
]
SOFT = [
    ("path /health", {"answers": {"/health": 502}}),
    ("path /health", {"answers": {"/health": 0}}),
    ("service app", {"app": container(state="restarting")}),
    ("death app", {"events": [{"what": "die", "service": "app", "exit_code": 1}]}),
    ("unit caddy.service", {"proxy": False}),
    ("engine", {"engine": "Docker engine: 0: no answer"}),
    ("disk /", {"disks": {"/": {"percent": 97.0, "inodes_percent": 3.0}}}),
    ("disk /", {"disks": {"/": {"percent": 40.0, "inodes_percent": 99.0}}}),
    ("certificate", {"certificate": {"verdict": "early", "text": "certificate is not yet valid"}}),
    ("host", {"unreachable": "connect: timed out"}),
]


@pytest.mark.parametrize(("key", "fault"), HARD)
def test_a_hard_fact_is_believed_at_once(key: str, fault: dict[str, Any]) -> None:
    detector = watcher()
    assert detector.observe(look(0.0)).alarm is None

    assert key in keys(detector.observe(look(5.0, **fault)).alarm)


@pytest.mark.parametrize(("key", "fault"), SOFT)
def test_a_soft_one_only_when_it_is_seen_twice_running(key: str, fault: dict[str, Any]) -> None:
    detector = watcher()
    first = detector.observe(look(0.0, **fault))
    assert first.alarm is None
    assert first.suspicious, "the next look must not wait"
    assert detector.observe(look(1.0)).alarm is None
    assert detector.observe(look(2.0, **fault)).alarm is None

    assert keys(detector.observe(look(3.0, **fault)).alarm) == [key]


def test_a_deployment_is_no_alarm_and_what_was_seen_before_it_no_longer_counts() -> None:
    detector = watcher()
    detector.observe(look(0.0, answers={"/health": 502}))

    assert detector.observe(Look(1.0, WALL, busy="a deployment runs")).lines[0].startswith("a deployment runs;")
    assert detector.observe(Look(2.0, WALL, busy="1 lock")).lines == ()
    assert detector.observe(look(3.0, answers={"/health": 502})).alarm is None


def test_a_service_that_starts_excuses_the_paths_behind_it_but_not_for_ever() -> None:
    detector = watcher()
    starting: dict[str, Any] = {"app": container(health="starting"), "answers": {"/health": 502}}
    for at in range(0, 180, 5):
        assert detector.observe(look(float(at), **starting)).alarm is None

    assert "service app" in keys(detector.observe(look(180.0, **starting)).alarm)


def test_a_network_that_is_gone_here_is_nobody_s_fault() -> None:
    detector = watcher()
    detector.observe(look(0.0))
    gone = Look(5.0, WALL, unreachable="no route", offline=True)

    assert detector.observe(gone).lines == ("this machine has no network; nothing counts until it has",)
    assert [detector.observe(gone) for _ in range(10)][-1].lines == ()
    assert detector.observe(look(60.0)).lines == ("watching",)


def test_what_was_handed_over_is_quiet_for_a_while_then_told_again_and_anew_after_it_was_well() -> None:
    detector = watcher()
    fault: dict[str, Any] = {"app": container(state="exited")}
    alarm = detector.observe(look(0.0, **fault)).alarm
    assert alarm is not None
    detector.handed_over(alarm, 0.0)

    assert [at for at in range(1, 300) if keys(handing(detector, look(float(at), **fault)))] == [60, 180]
    detector.observe(look(301.0))
    assert keys(detector.observe(look(302.0, **fault)).alarm) == ["service app"]


def handing(detector: Detector, seen: Look) -> Alarm | None:
    alarm = detector.observe(seen).alarm
    if alarm:
        detector.handed_over(alarm, seen.at)
    return alarm


def test_each_change_is_one_line_however_often_it_is_seen() -> None:
    detector = watcher()
    lines = [line for at in range(20) for line in detector.observe(look(float(at), answers={"/health": 502})).lines]
    lines += detector.observe(look(20.0)).lines

    assert lines.count("/health answers 502") == 1
    assert lines[-1] == "over: /health answers 502"


@given(st.lists(st.sampled_from([None, *(fault for _, fault in [*HARD, *SOFT])]), max_size=20))
def test_whatever_is_seen_a_stack_that_is_well_twice_has_no_alarm_and_no_sign(faults: list[Any]) -> None:
    detector = watcher()
    for at, fault in enumerate(faults):
        handing(detector, look(float(at), **(fault or {})))

    change = [detector.observe(look(1000.0 + at)) for at in range(2)][-1]

    assert change.alarm is None
    assert not change.suspicious
    assert list(signs_of(look(), ("app", "db"))) == []


def test_the_failure_is_of_the_earliest_stage_and_began_when_the_host_says_so() -> None:
    detector = watcher()
    since = "2026-11-24T17:59:55Z"
    units = {"docker.service": {"active": "failed", "since": since}, "caddy.service": {"active": "active"}}
    alarm = detector.observe(look(answers={"/health": 0}, units=units)).alarm
    assert alarm is not None

    failure = failure_of(alarm)

    assert (failure.stage, failure.code, failure.resource) == ("bootstrap", "NOT_HEALTHY", "unit docker.service")
    assert failure.at == since.replace("Z", "+00:00").replace("+00:00", "Z")
    old = Sign("service app", "x", "compose", hard=True, since="2026-11-20T00:00:00Z")
    assert failure_of(type(alarm)((old,), WALL)).at == WALL, "that long ago it was another fault"


# ---- the loop


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


# ---- the systemd unit


def printed(stack: str = "staging") -> Any:
    return CliRunner().invoke(greenroom, ["watch", "--print-unit", "-s", stack])


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    result = printed()
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_unit_names_this_stack_and_carries_no_secret(unit: str, tmp_path: Path) -> None:
    assert "watch --stack staging" in unit
    assert f"GREENROOM_HOME={tmp_path}" in unit
    assert "EnvironmentFile=-/etc/greenroom/staging.env" in unit
    assert "PASSPHRASE=" not in unit


def test_the_unit_is_put_where_only_root_may_write_and_gives_up_on_what_a_person_has_to_mend(unit: str) -> None:
    assert "| sudo tee /etc/systemd/system/greenroom-watch-staging.service" in unit
    assert "> /etc/systemd" not in unit
    assert "\nRestartPreventExitStatus=2 6\n" in unit


def test_the_unit_finds_the_state_where_it_is_now(unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PULUMI_BACKEND_URL" not in unit
    assert f"\nReadWritePaths={tmp_path}\nPrivateTmp" in unit
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "tsh-erp", tmp_path / "examples" / "tsh-erp", ignore=lambda *_: ["dashboard"])
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file://state/here")
    elsewhere = printed().stdout
    assert f"\nEnvironment=PULUMI_BACKEND_URL=file://{tmp_path}/state/here\n" in elsewhere
    assert f"\nReadWritePaths={tmp_path} {tmp_path}/state/here\nPrivateTmp" in elsewhere


@pytest.mark.usefixtures("unit")
def test_a_unit_for_a_state_that_no_watch_can_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    with pytest.raises(ConfigurationError, match=r"PULUMI_BACKEND_URL: s3; expected file://DIRECTORY"):
        greenroom.main(["watch", "--print-unit", "-s", "staging"], standalone_mode=False)


@pytest.mark.usefixtures("unit")
def test_a_local_stack_gets_no_unit_as_it_could_not_start_its_cloud() -> None:
    with pytest.raises(
        ConfigurationError, match=r"Pulumi\.local\.yaml: cloud: local; expected a stack on Digital"
    ) as told:
        greenroom.main(["watch", "--print-unit", "-s", "local"], standalone_mode=False)
    assert told.value.hint.startswith("greenroom watch -s local")


@pytest.mark.parametrize("given", ["official", "embedded"])
def test_the_unit_says_which_engine_it_uses_whichever_one_deploys(
    unit: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\nEnvironment=GREENROOM_ENGINE=embedded\nEnvironmentFile=" in unit
    monkeypatch.setenv("GREENROOM_ENGINE", given)
    result = printed()
    assert result.stdout == unit
    assert ("uses the embedded engine" in result.stderr) == (given == "official")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("backend", ["", "state"])
def test_the_unit_is_one_for_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / backend}" if backend else "")
    path = tmp_path / "greenroom-watch-staging.service"
    path.write_text(printed().stdout)

    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", str(path)]
    judged = subprocess.run(exposed, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert judged.returncode == 0, judged.stdout[-200:]


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
