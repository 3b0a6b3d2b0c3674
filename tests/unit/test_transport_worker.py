"""The worker at the far end of a real SSH connection (to this machine): calls, failures, progress, cuts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.errors import StepError, UnreachableError
from infra.host.keys import new_key_pair
from infra.transport.code import Code
from infra.transport.link import Link
from infra.transport.testing import ssh_server
from infra.transport.worker import Worker, worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.transport.testing import SshServer

    FarEnd = tuple[SshServer, Link]
    Call = Callable[..., dict[str, Any]]

HOST = new_key_pair()
LOGIN = new_key_pair()


@pytest.fixture(scope="module")
def far_end() -> Iterator[FarEnd]:
    with ssh_server(host_key=HOST, login=LOGIN) as (server, endpoint):
        link = Link(endpoint)
        yield server, link
        link.close()


@pytest.fixture
def call(far_end: FarEnd) -> Call:
    def make(**request: Any) -> dict[str, Any]:
        defaults = {"subject": "test", "phase": "test", "probes": {}}
        return worker(far_end[1]).call(**{**defaults, **request})

    return make


def act(*argv: str, **options: Any) -> dict[str, Any]:
    return {"do": "run", "argv": list(argv), **options}


def test_many_questions_take_one_round_trip(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")

    facts = call(
        probes={
            "file": {"kind": "file", "path": str(tmp_path / "file"), "content": True},
            "none": {"kind": "file", "path": str(tmp_path / "none")},
            "root": {"kind": "user", "name": "root"},
            "says": {"kind": "command", "argv": ["echo", "a  b"]},
        }
    )

    assert facts["file"]["content"] == "text"
    assert not facts["none"]["exists"]
    assert facts["root"]["uid"] == 0
    assert facts["says"]["stdout"] == "a  b\n"


def test_the_connection_carries_one_worker_whatever_the_number_of_calls(call: Call, far_end: FarEnd) -> None:
    threads = [threading.Thread(target=call, kwargs={"acts": [act("sleep", "0.2")], "lock": f"l{n}"}) for n in range(6)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert time.monotonic() - started < 1.2  # side by side, not one after the other
    assert sum("python3" in command for command in far_end[0].commands) == 1


def test_a_failed_act_names_its_code_command_status_and_evidence(call: Call) -> None:
    with pytest.raises(StepError) as raised:
        call(phase="build", acts=[act("sh", "-c", "echo cause >&2; exit 7", code="IMAGE_BUILD_FAILED", hint="less x")])

    error = raised.value
    assert (error.phase, error.code, error.exit_status, error.hint) == ("build", "IMAGE_BUILD_FAILED", 7, "less x")
    assert error.evidence == "cause"
    assert error.command == "sh -c 'echo cause >&2; exit 7'"


def test_acts_after_a_failed_one_are_not_performed(call: Call, tmp_path: Path) -> None:
    with pytest.raises(StepError):
        call(acts=[act("false"), act("touch", str(tmp_path / "never"))])

    assert not list(tmp_path.iterdir())


def test_an_act_past_its_deadline_is_killed_with_all_it_started(call: Call, tmp_path: Path) -> None:
    mark = tmp_path / "late"
    with pytest.raises(StepError) as raised:
        call(acts=[act("sh", "-c", f"(sleep 1.5; touch {mark}) & wait", timeout_s=0.3)])
    time.sleep(1.6)

    assert raised.value.exit_status == 124
    assert not mark.exists()


def test_a_program_that_is_not_there_is_status_127(call: Call) -> None:
    with pytest.raises(StepError) as raised:
        call(acts=[act("no-such-program")])
    assert raised.value.exit_status == 127


def test_what_acts_say_arrives_as_progress_lines(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    call(subject="baseline", acts=[act("true", say="install git")])

    assert capfd.readouterr().err == "baseline: install git\n"


def test_secrets_of_the_env_file_are_masked_in_everything_that_leaves(
    call: Call, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    env = tmp_path / ".env"
    env.write_text('PASSWORD="p@ss w\\"rd$1"\nLEVEL="staging"\n')
    leak = 'postgresql://u:p@ss w"rd$1@db p%40ss%20w%22rd%241 staging'
    with pytest.raises(StepError) as raised:
        call(
            acts=[act("sh", "-c", 'echo "$0"; exit 1', leak, say=f"say {leak}")],
            redact={"path": str(env), "names": ["PASSWORD"]},
        )

    everything = str(raised.value) + raised.value.command + capfd.readouterr().err
    assert 'p@ss w"rd$1' not in everything
    assert "p%40ss%20w%22rd%241" not in everything
    assert "staging" in everything


def test_two_requests_under_one_lock_take_turns(call: Call, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo begin >>{log}; sleep 0.2; echo end >>{log}"
    threads = [threading.Thread(target=call, kwargs={"acts": [act("sh", "-c", script)]}) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert log.read_text().split() == ["begin", "end"] * 3


def test_a_lock_that_stays_taken_is_an_error_with_its_name(call: Call) -> None:
    holder = threading.Thread(target=call, kwargs={"acts": [act("sleep", "1.5")], "lock": "busy"})
    holder.start()
    time.sleep(0.4)
    with pytest.raises(StepError) as raised:
        call(acts=[act("true")], lock="busy", timeout_s=0.3)
    holder.join()

    assert raised.value.code == "HOST_BUSY"


def test_acts_side_by_side_all_end_before_a_failure_is_told(call: Call, tmp_path: Path) -> None:
    slow = act("sh", "-c", f"sleep 0.3; touch {tmp_path}/done")
    with pytest.raises(StepError) as raised:
        call(acts=[{"do": "together", "acts": [slow, act("false", code="PULL_FAILED")]}])

    assert raised.value.code == "PULL_FAILED"
    assert (tmp_path / "done").exists()


def test_a_worker_that_cannot_start_tells_what_it_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.transport.worker.code", lambda: Code("import nonsense_module", b"{}"))
    with ssh_server(host_key=HOST, login=LOGIN) as (_, endpoint):
        far = Worker(Link(endpoint))
        with pytest.raises(UnreachableError) as raised:
            far.call(subject="s", phase="p", probes={})
        assert "nonsense_module" in raised.value.evidence


def test_no_secret_is_in_the_command_line_that_starts_the_worker(far_end: FarEnd, call: Call, tmp_path: Path) -> None:
    call(acts=[{"do": "write", "path": str(tmp_path / "f"), "content": "c2VjcmV0", "owner": "0", "mode": "0600"}])

    assert "c2VjcmV0" not in "".join(far_end[0].commands)
