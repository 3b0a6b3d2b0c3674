"""Records of jobs on the host: which requests leave none, and how long one is kept.

Nothing here makes a record on this machine or looks at those it has, so that it may run beside the tests of jobs.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from farjobs import eventually, far_end, once, once_there

from infra.transport.code import code
from infra.transport.link import Link
from infra.transport.remote.jobs import reap
from infra.transport.session import Session
from infra.transport.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.transport import Endpoint
    from infra.transport.testing import SshServer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the records of jobs are root's")


@pytest.fixture
def server() -> Iterator[tuple[SshServer, Endpoint]]:
    with far_end() as running:
        yield running


def test_half_a_request_is_none(server: tuple[SshServer, Endpoint], tmp_path: Path) -> None:
    session = Session(Link(server[1]), code())
    session.era()
    request = {"id": 1, "job": os.urandom(8).hex(), "seen": 0, "deadline_s": 20, "acts": [once(tmp_path / "log")]}
    session._send(json.dumps(request).encode())  # whole but for the end of its line
    session._channel.shutdown_write()

    assert eventually(lambda: not session.alive)
    assert not (tmp_path / "log").exists()
    session.link.close()


def test_what_only_asks_is_asked_again(server: tuple[SshServer, Endpoint], tmp_path: Path) -> None:
    running, endpoint = server
    once_there(tmp_path / "asked", running.cut)
    probe = {"kind": "command", "argv": ["sh", "-c", f"touch {tmp_path}/asked; sleep 0.8; echo there"]}

    facts = Worker(Link(endpoint)).call(subject="s", phase="p", probes={"slow": probe})
    assert facts["slow"]["stdout"] == "there\n"
    assert running.connections == 2


def test_records_end_by_age_and_by_count_but_never_while_they_may_be_asked_for(tmp_path: Path) -> None:
    now = time.time()
    for number in range(700):
        record = tmp_path / f"{number:08x}"
        record.write_text("{}\n")
        age_s = {0: 90_000, 1: 90_000}.get(number, 7_000 - number * 10)
        os.utime(record, (now - age_s, now - age_s))
    (tmp_path / ".era").symlink_to("era")
    held = (tmp_path / f"{1:08x}").open("rb")
    fcntl.flock(held, fcntl.LOCK_EX)
    reap(str(tmp_path), now)
    held.close()

    left = {int(path.name, 16) for path in tmp_path.iterdir() if path.name != ".era"}
    assert 0 not in left, "a day old"
    assert 1 in left, "it still runs"
    assert left - {1} == set(range(200, 700)), "the newest 500; the others were older than an hour"
    assert (tmp_path / ".era").is_symlink()
