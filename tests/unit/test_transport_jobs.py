"""Jobs at the far end of a real SSH connection (to this machine): wherever the link is cut, acts take effect once.

They share this machine's records of jobs and look at all of them: these tests never run beside each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from farjobs import eventually, far_end, once, once_there

from infra.commands import acts
from infra.errors import AuthenticationError, HostRestartedError, StepError, UnreachableError
from infra.host.keys import new_key_pair
from infra.host.resource import HostProvider
from infra.transport.code import code
from infra.transport.link import Link
from infra.transport.pool import close_all
from infra.transport.remote.jobs import DIRECTORY
from infra.transport.session import Session
from infra.transport.testing import relay
from infra.transport.worker import Worker, worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.transport import Endpoint
    from infra.transport.testing import SshServer

OTHER = new_key_pair()
LOCK = "tests-of-jobs"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the records of jobs are root's")


@pytest.fixture(autouse=True)
def nothing_runs() -> None:
    """Wait for what an earlier test has left running: a job outlives its connection, and has the lock to its end."""
    lock = Path(DIRECTORY).parent / f"{LOCK}.lock"
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@pytest.fixture
def server() -> Iterator[tuple[SshServer, Endpoint]]:
    with far_end() as running:
        yield running


def ask(far: Worker, *acts: dict[str, Any], **request: Any) -> dict[str, Any]:
    probes = {"says": {"kind": "command", "argv": ["echo", "the answer"]}}
    return far.call(**{"subject": "s", "phase": "p", "probes": probes, "acts": acts, "lock": LOCK, **request})


def until_the_end(session: Session, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for event in session.ask(request, time.monotonic() + 20):
        yield event
        if event["event"] in {"done", "failed"}:
            return


def _worker_of(far: Worker) -> int:
    probe = {"kind": "command", "argv": ["sh", "-c", "echo $PPID"]}
    return int(far.call(subject="s", phase="p", probes={"who": probe})["who"]["stdout"])


def test_a_link_cut_in_the_middle_costs_a_line_and_the_answer_comes_all_the_same(
    server: tuple[SshServer, Endpoint], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    running, endpoint = server
    once_there(tmp_path / "log", running.cut)

    assert ask(Worker(Link(endpoint)), once(tmp_path / "log", seconds=1))["says"]["stdout"] == "the answer\n"
    assert (tmp_path / "log").read_text().split() == ["begin", "end"]
    assert running.connections == 2
    assert "runs on; connecting again" in capfd.readouterr().err


@pytest.mark.parametrize("way", ["up", "down"])
def test_wherever_the_bytes_end_the_step_takes_effect_once(
    server: tuple[SshServer, Endpoint], tmp_path: Path, way: str
) -> None:
    with relay(server[1]) as (whole, endpoint):
        ask(Worker(Link(endpoint)), once(tmp_path / "whole"))
        close_all()
    length = len(getattr(whole.passages[0], way))
    handshake = 2500
    offsets = [handshake + (length - handshake) * part // 7 for part in range(1, 8)]
    for offset in offsets:
        log = tmp_path / f"cut-{offset}"
        with relay(server[1], cut=(way, offset)) as (cutting, endpoint):
            facts = ask(Worker(Link(endpoint)), once(log))
            assert facts["says"]["stdout"] == "the answer\n"
            assert log.read_text().split() == ["begin", "end"], f"cut at byte {offset} {way}"
            assert len(getattr(cutting.passages[0], way)) <= offset
            close_all()
    assert len(offsets) == 7


def test_progress_is_told_once_however_often_the_link_is_cut(
    server: tuple[SshServer, Endpoint], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    running, endpoint = server
    for number in (1, 3):
        once_there(tmp_path / f"log-{number}", running.cut)

    ask(Worker(Link(endpoint)), *(once(tmp_path / f"log-{n}", seconds=0.7, say=f"step {n}") for n in range(4)))

    said = [line for line in capfd.readouterr().err.splitlines() if "step" in line]
    assert said == [f"s: step {n}" for n in range(4)]
    assert running.connections == 3


def test_a_worker_that_is_killed_is_started_anew_and_the_job_is_found(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    running, endpoint = server
    far = Worker(Link(endpoint))
    parent = _worker_of(far)
    once_there(tmp_path / "log", lambda: os.kill(parent, signal.SIGKILL))

    assert ask(far, once(tmp_path / "log", seconds=0.8))["says"]["stdout"] == "the answer\n"
    assert (tmp_path / "log").read_text().split() == ["begin", "end"]
    assert running.connections == 1


def _children(pid: int) -> list[int]:
    return [int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]


def test_a_look_starts_no_process_for_jobs_and_one_serves_them_all(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    far = Worker(Link(server[1]))
    parent = _worker_of(far)
    assert _children(parent) == []

    ask(far, once(tmp_path / "first"))
    starters = _children(parent)
    ask(far, once(tmp_path / "second"))
    assert len(starters) == 1
    assert _children(parent) == starters
    far.link.close()
    assert eventually(lambda: not Path(f"/proc/{starters[0]}").exists()), "it ends with the conversation"


def test_where_what_starts_jobs_was_killed_that_is_told_and_the_next_job_has_a_new_one(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    far = Worker(Link(server[1]))
    ask(far, once(tmp_path / "first"))
    (starter,) = _children(_worker_of(far))
    os.kill(starter, signal.SIGKILL)

    with pytest.raises(StepError) as raised:
        ask(far, once(tmp_path / "second"))
    assert raised.value.code == "JOB_NOT_FOLLOWED"
    assert not (tmp_path / "second").exists()
    ask(far, once(tmp_path / "third"))
    assert (tmp_path / "third").read_text().split() == ["begin", "end"]


def test_a_job_that_is_killed_is_told_and_never_started_again(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    def kill() -> None:
        newest = max(Path(DIRECTORY).glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)
        os.kill(json.loads(newest.read_text().splitlines()[0])["pid"], signal.SIGKILL)

    once_there(tmp_path / "log", kill)
    with pytest.raises(StepError) as raised:
        ask(Worker(Link(server[1])), once(tmp_path / "log", seconds=2))

    assert raised.value.code == "JOB_DIED"
    assert "greenroom up" in raised.value.hint
    time.sleep(0.3)
    assert (tmp_path / "log").read_text().split().count("begin") == 1


def test_the_same_request_twice_at_once_is_one_job(server: tuple[SshServer, Endpoint], tmp_path: Path) -> None:
    request = {"job": os.urandom(8).hex(), "seen": 0, "deadline_s": 20, "lock": "twice", "probes": {}}
    request |= {"acts": [once(tmp_path / "log", seconds=0.4, say="at it")]}
    link = Link(server[1])
    sessions = [Session(link, code()) for _ in range(4)]
    with ThreadPoolExecutor() as threads:
        told = list(threads.map(lambda session: [e["event"] for e in until_the_end(session, request)], sessions))

    assert told == [["began", "say", "done"]] * 4
    assert (tmp_path / "log").read_text().split() == ["begin", "end"]
    link.close()


def test_a_late_copy_of_a_request_that_was_answered_starts_nothing(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    request = {"job": os.urandom(8).hex(), "seen": 0, "deadline_s": 20, "lock": "late", "probes": {}}
    request |= {"acts": [once(tmp_path / "log")]}
    session = Session(Link(server[1]), code())

    def answer() -> dict[str, Any]:
        *_, last = until_the_end(session, request)
        return last

    assert answer()["event"] == "done"
    assert answer()["event"] == "done", "an answer is kept until it was acknowledged"
    session.acknowledge(str(request["job"]))
    assert answer()["code"] == "JOB_DIED"
    assert (tmp_path / "log").read_text().split() == ["begin", "end"]
    session.link.close()


def test_a_job_past_its_deadline_is_stopped_with_all_it_started(
    server: tuple[SshServer, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.transport.worker._STOP_GRACE_S", 0.3)
    slow = {"do": "run", "argv": ["sh", "-c", f"(sleep 2; touch {tmp_path}/late) & wait"], "timeout_s": 30}
    with pytest.raises(StepError) as raised:
        ask(Worker(Link(server[1])), slow, once(tmp_path / "next"), timeout_s=0.5)
    time.sleep(2)

    assert raised.value.code == "JOB_DEADLINE"
    assert not list(tmp_path.iterdir())


def test_a_host_that_restarted_in_the_middle_is_told_and_not_asked_again(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    running, endpoint = server
    era = Path(DIRECTORY) / ".era"

    def restart() -> None:
        era.unlink()  # as a restart does, with all the records
        running.cut()

    once_there(tmp_path / "log", restart)
    with pytest.raises(HostRestartedError) as raised:
        ask(Worker(Link(endpoint)), once(tmp_path / "log", seconds=1))

    assert raised.value.code == "HOST_RESTARTED"
    assert "its record of the job is gone" in raised.value.evidence
    time.sleep(1)
    assert (tmp_path / "log").read_text().split().count("begin") == 1


class _Marks(HostProvider):
    """A resource that wants one file, and takes its time after making it."""

    subject = "marks"

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {"file": {"kind": "file", "path": spec["path"]}}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        script = f"echo begin >>{spec['log']}; touch {spec['path']}; sleep 2"
        return [] if facts["file"]["exists"] else [acts.run("the mark is missing", ["sh", "-c", script])]


def test_a_resource_plans_anew_when_the_host_restarted_in_the_middle(
    server: tuple[SshServer, Endpoint], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the cut-off job made is found by the second look, and not made again."""
    running, endpoint = server
    names = ("host", "port", "user", "host_key", "private_key", "machine")
    spec = {"connection": {name: getattr(endpoint, name) for name in names}}
    spec |= {"path": str(tmp_path / "mark"), "log": str(tmp_path / "log")}

    def restart() -> None:
        (Path(DIRECTORY) / ".era").unlink()
        assert eventually((tmp_path / "mark").exists)
        running.cut()

    once_there(tmp_path / "log", restart)
    outs = _Marks().create(spec).outs

    assert outs is not None
    assert outs["drift"] == []
    assert (tmp_path / "log").read_text().split() == ["begin"]
    assert "the host restarted in the middle; looking at it anew" in capfd.readouterr().err


def test_a_host_that_stays_away_is_an_error_that_names_the_job_and_what_comes_next(
    server: tuple[SshServer, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.transport.worker._ANSWER_GRACE_S", 1.0)
    once_there(tmp_path / "log", server[0].close)
    started = time.monotonic()
    with pytest.raises(UnreachableError) as raised:
        ask(Worker(Link(server[1])), once(tmp_path / "log", seconds=1), phase="stack", timeout_s=2)

    error = raised.value
    assert time.monotonic() - started < 8
    assert (error.phase, error.code) == ("stack", "LINK_LOST")
    assert str(server[1]) in str(error)
    job = error.command.removeprefix("job ")
    assert f"job {job} runs on" in error.evidence
    assert f"waits for job {job}" in error.hint
    assert eventually(lambda: (tmp_path / "log").read_text().split() == ["begin", "end"])


def test_another_host_at_the_address_is_refused_when_the_call_connects_again(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    running, endpoint = server

    def replace() -> None:
        running.present(OTHER[1])
        running.offered.clear()
        running.cut()

    once_there(tmp_path / "log", replace)
    with pytest.raises(AuthenticationError, match=r"another key.*nothing was sent; job [0-9a-f]+ runs on"):
        ask(Worker(Link(endpoint)), once(tmp_path / "log", seconds=1))
    assert running.offered == []


def test_the_request_and_its_secrets_are_nowhere_but_in_memory_while_the_job_runs(
    server: tuple[SshServer, Endpoint], tmp_path: Path
) -> None:
    canary = f"canary-{os.urandom(8).hex()}"
    acts = [{"do": "run", "argv": ["sh", "-c", f"cat >{tmp_path}/place; sleep 1"], "stdin": canary}]
    thread = threading.Thread(target=ask, args=(Worker(Link(server[1])), *acts))
    thread.start()
    assert eventually((tmp_path / "place").exists)

    job = max(Path(DIRECTORY).glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)
    assert job.stat().st_mode & 0o777 == 0o600
    assert job.parent.stat().st_mode & 0o777 == 0o700
    assert job.parent.parent.stat().st_mode & 0o777 == 0o700
    places = ["/run/greenroom", "/tmp/greenroom"]  # noqa: S108
    found = subprocess.run(["grep", "-rls", canary, *places], capture_output=True, text=True, check=False)
    assert found.stdout == ""
    seen = [content for name in ("cmdline", "environ") for content in _of_every_process(name)]
    assert seen
    assert not any(canary.encode() in each for each in seen)
    thread.join()
    assert (tmp_path / "place").read_text() == canary


def _of_every_process(name: str) -> Iterator[bytes]:
    for path in Path("/proc").glob(f"[0-9]*/{name}"):
        with contextlib.suppress(OSError):  # some end meanwhile
            yield path.read_bytes()


def test_an_acknowledged_result_is_gone_from_the_host(server: tuple[SshServer, Endpoint], tmp_path: Path) -> None:
    before = set(Path(DIRECTORY).glob("[0-9a-f]*"))
    ask(worker(Link(server[1])), once(tmp_path / "log"))
    (record,) = set(Path(DIRECTORY).glob("[0-9a-f]*")) - before

    assert eventually(lambda: len(record.read_text().splitlines()) == 1)
    assert json.loads(record.read_text())["event"] == "began"


def test_a_job_costs_little_on_the_host(server: tuple[SshServer, Endpoint]) -> None:
    far = Worker(Link(server[1]))
    ask(far)

    def seconds(*acts: dict[str, Any]) -> float:
        started = time.monotonic()
        far.call(subject="s", phase="p", probes={}, acts=acts, lock="cost")
        return time.monotonic() - started

    nothing = {"do": "directory", "path": "/", "keep": True, "owner": "0", "mode": "0755"}
    asked = min(seconds() for _ in range(20))
    until, least = time.monotonic() + 20.0, seconds(nothing)
    while least - asked >= 0.03 and time.monotonic() < until:  # a busy machine takes time from any one of them
        least = min(least, seconds(nothing))
    assert least - asked < 0.03
