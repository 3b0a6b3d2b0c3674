"""The connection to a droplet that boots, under real faults: cut anywhere, swallowed, slowed, and taken over.

The link is cut at 12 places here; `GREENROOM_CUTS=100 pytest tests/emulator/test_transport_droplet.py -k cut` runs the
full matrix (80 s on two cores).
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from machinelab import MachineLab
from toxilab import Toxiproxy, toxiproxy

from infra.errors import AuthenticationError, HostRestartedError, UnreachableError
from infra.host.keys import new_key_pair
from infra.transport import Endpoint, say
from infra.transport.link import Link
from infra.transport.pool import Pool, close_all, pool
from infra.transport.testing import Relay, relay
from infra.transport.worker import worker
from localcloud.machines import MachineError, images
from localcloud.machines.engine import ensure_docker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.droplet, pytest.mark.timeout(900)]

CUTS = int(os.environ.get("GREENROOM_CUTS", "12"))
NOTICED_S, RESUMED_S = 20.0, 10.0
UNREACHED = 200
"""The last bytes of an answer vary with how events fell into packets: a cut behind them would be none."""


class Droplet:
    """One booted machine, and a way to it that is none of those under test."""

    def __init__(self, lab: MachineLab) -> None:
        self._machines = lab.machines
        self._name = lab.machines.names.droplet(1)
        host_key = " ".join((lab.home / "host_key.pub").read_text().split()[:2])
        self.endpoint = Endpoint(lab.private(1), 22, "root", host_key, lab.key.read_text())

    def shell(self, script: str) -> str:
        argv = ["docker", "exec", self._name, "bash", "-c", script]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout

    def restart(self) -> None:
        self._machines.reboot(1)

    def lines(self, path: str) -> list[str]:
        return self.shell(f"cat {path} 2>/dev/null || true").split()

    def forget_code(self) -> None:
        """Have the next conversation begin like a droplet's first: the worker's code is sent, and can be cut too."""
        self.shell("rm -rf /run/greenroom/worker")

    def await_file(self, path: str) -> None:
        self.shell(f"for i in $(seq 300); do test -e {path} && exit 0; sleep 0.05; done; exit 1")


@pytest.fixture(scope="module")
def droplet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Droplet]:
    try:
        ensure_docker(print)
        absent = images.missing()
    except MachineError as error:
        pytest.skip(f"needs a Docker engine: {error}")
    if absent:
        pytest.skip(f"needs the local cloud's images: {', '.join(image.reference for image in absent)}")
    lab = MachineLab(tmp_path_factory.mktemp("wire"), label=f"wire{os.getpid():x}"[:12])
    try:
        lab.machines.create(lab.spec(1))
        lab.await_boot(lab.private(1))
        yield Droplet(lab)
    finally:
        close_all()
        lab.machines.sweep()


@pytest.fixture(scope="module")
def faults() -> Iterator[Toxiproxy]:
    with toxiproxy() as running:
        yield running


def once(path: str, *, seconds: float = 0.1) -> dict[str, Any]:
    """Return an act whose effects can be counted, and whose output is the result."""
    script = f"echo begin >>{path}; sleep {seconds}; echo end >>{path}; echo the result"
    return {"do": "run", "argv": ["sh", "-c", script], "keep": "printed", "say": "at it"}


def step(endpoint: Endpoint, path: str, *, seconds: float = 0.1) -> dict[str, Any]:
    """Perform the act over the pool's connection; the answer is long enough to be cut in the middle."""
    far = worker(pool.link(endpoint, patience_s=30))
    long = {"kind": "command", "argv": ["seq", "2000"]}
    acts = [once(path, seconds=seconds)]
    return far.call(
        subject="s", phase="p", probes={"long": long}, acts=acts, lock=path.rpartition("/")[2], timeout_s=120
    )


def expect_whole(facts: dict[str, Any]) -> None:
    assert facts["printed"] == "the result"
    assert facts["long"]["stdout"].split() == [str(number) for number in range(1, 2001)]


# ---- cuts


def test_wherever_the_link_is_cut_the_step_takes_effect_once_and_its_result_arrives(
    droplet: Droplet, faults: Toxiproxy
) -> None:
    for way, stream in (("up", "upstream"), ("down", "downstream")):
        through = faults.proxy(f"whole-{way}", droplet.endpoint)
        droplet.forget_code()
        with relay(through) as (wire, endpoint):
            expect_whole(step(endpoint, f"/root/whole-{way}"))
            length = len(getattr(wire.passages[0], way))
            pool.forget(endpoint)
        count = CUTS // 2
        last = length - UNREACHED
        for offset in (1 + (last - 1) * number // (count - 1) for number in range(count)):
            _cut_at(droplet, faults, way, stream, offset)


def _cut_at(droplet: Droplet, faults: Toxiproxy, way: str, stream: str, offset: int) -> None:
    name = f"cut-{way}-{offset}"
    through = faults.proxy(name, droplet.endpoint)
    faults.spoil(name, "limit_data", stream, bytes=offset)
    droplet.forget_code()
    with relay(through) as (wire, endpoint):
        mending = threading.Thread(target=_mend_after_the_cut, args=(wire, faults, name, stream))
        mending.start()
        expect_whole(step(endpoint, f"/root/{name}"))
        mending.join(30)
        assert len(wire.passages) > 1, f"{name} cut nothing"
        first = wire.passages[0]
        assert len(first.up) >= offset if way == "up" else len(first.down) <= offset, f"{name} was cut elsewhere"
        assert droplet.lines(f"/root/{name}") == ["begin", "end"], name
        pool.forget(endpoint)
    faults.remove(name)


def _mend_after_the_cut(wire: Relay, faults: Toxiproxy, name: str, stream: str) -> None:
    deadline = time.monotonic() + 25
    while not (wire.passages and wire.passages[0].ended.wait(0.01)) and time.monotonic() < deadline:
        time.sleep(0.01)
    faults.mend(name, "limit_data", stream)


# ---- black holes


def _vanish(faults: Toxiproxy, name: str, streams: tuple[str, ...]) -> None:
    for stream in streams:
        faults.spoil(name, "timeout", stream, timeout=0)


def _seconds_until_dead(link: Link) -> float:
    started = time.monotonic()
    while link.alive and time.monotonic() - started < NOTICED_S + 10:
        time.sleep(0.05)
    return time.monotonic() - started


def test_a_black_hole_in_the_middle_of_a_step_is_noticed_and_the_step_resumed(
    droplet: Droplet, faults: Toxiproxy
) -> None:
    """In each direction alone and in both, side by side; the way opens again in the middle of a try to connect."""

    def swallow(case: tuple[str, tuple[str, ...], float]) -> tuple[str, float, float]:
        name, streams, seconds = case
        endpoint = faults.proxy(name, droplet.endpoint)
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(step, endpoint, f"/root/{name}", seconds=seconds)
            droplet.await_file(f"/root/{name}")
            link = pool.link(endpoint)
            _vanish(faults, name, streams)
            noticed_s = _seconds_until_dead(link)
            time.sleep(2.5)
            for stream in streams:
                faults.mend(name, "timeout", stream)
            back = time.monotonic()
            expect_whole(answer.result(60))
            resumed_s = time.monotonic() - back
        assert droplet.lines(f"/root/{name}") == ["begin", "end"]
        return name, noticed_s, resumed_s

    both = ("upstream", "downstream")
    # Where only the way up is gone, an answer would still come down: that step takes longer than the hole.
    cases = [("hole-up", both[:1], 20.0), ("hole-down", both[1:], 3.0), ("hole", both, 3.0)]
    with ThreadPoolExecutor(3) as threads:
        for name, noticed_s, resumed_s in threads.map(swallow, cases):
            say(name, f"noticed after {noticed_s:.1f} s, resumed {resumed_s:.1f} s after the way was open")
            assert noticed_s <= NOTICED_S, name
            assert resumed_s <= RESUMED_S, name


def test_a_dead_link_is_noticed_by_whoever_waits_and_when_nobody_does(droplet: Droplet, faults: Toxiproxy) -> None:
    """Also where packets are dropped on the way, so that not even the kernel gets an answer."""

    def wait(link: Link) -> float:
        started = time.monotonic()
        with pytest.raises(UnreachableError, match=r"no sign of life|the link was cut|TimeoutError"):
            link.run(["sleep", "120"], timeout_s=110)
        return time.monotonic() - started

    endpoint = faults.proxy("idle", droplet.endpoint)
    idle, waiting, dropped = Link(endpoint), Link(endpoint), Link(droplet.endpoint)
    own = dropped._connection.transport.sock.getsockname()[1]
    with ThreadPoolExecutor(3) as threads:
        told = threads.submit(wait, waiting)
        told_too = threads.submit(wait, dropped)
        time.sleep(0.5)
        _vanish(faults, "idle", ("upstream", "downstream"))
        droplet.shell(f"iptables -I INPUT -p tcp --dport 22 --sport {own} -j DROP")
        assert _seconds_until_dead(idle) <= NOTICED_S
        assert told.result(60) <= NOTICED_S
        assert told_too.result(60) <= NOTICED_S
    droplet.shell(f"iptables -D INPUT -p tcp --dport 22 --sport {own} -j DROP")
    for link in (idle, waiting, dropped):
        link.close()


# ---- many at once


def test_many_hosts_are_reached_side_by_side_and_a_dead_one_holds_up_nobody(
    droplet: Droplet, faults: Toxiproxy
) -> None:
    slow = [faults.proxy(f"slow-{number}", droplet.endpoint) for number in range(5)]
    for number in range(5):
        faults.spoil(f"slow-{number}", "latency", "downstream", latency=300)
    dead = faults.proxy("dead", droplet.endpoint)
    _vanish(faults, "dead", ("upstream", "downstream"))
    hosts = Pool()
    started = time.monotonic()
    hosts.link(slow[0])
    alone_s = time.monotonic() - started
    with ThreadPoolExecutor(8) as threads:
        gone = threads.submit(hosts.link, dead)
        started = time.monotonic()
        links = list(threads.map(hosts.link, slow))
        together_s = time.monotonic() - started
        assert not gone.done()
        with pytest.raises(UnreachableError):
            gone.result(40)
    say("many", f"one host at 300 ms: {alone_s:.2f} s, four more side by side: {together_s:.2f} s")
    assert len({id(link) for link in links}) == 5
    assert together_s < 2 * alone_s + 1
    assert [link.run(["echo", "up"]).text for link in links] == ["up\n"] * 5
    hosts.close()


# ---- identity


def test_a_real_server_with_another_key_is_refused_before_any_login(droplet: Droplet) -> None:
    """The address of a droplet that is gone, given to another one: here to a second sshd."""
    droplet.shell(
        "ssh-keygen -q -t ed25519 -N '' -f /root/other_key; mkdir -p /run/sshd;"
        "/usr/sbin/sshd -p 2222 -h /root/other_key -E /root/other.log -o LogLevel=DEBUG1 -o PidFile=/root/other.pid"
    )
    endpoint = droplet.endpoint
    with (
        relay(replace(endpoint, port=2222)) as (wire, through),
        pytest.raises(AuthenticationError, match="another key"),
    ):
        Link(through)
    time.sleep(0.5)
    log = droplet.shell("cat /root/other.log; kill $(cat /root/other.pid)")

    assert len(wire.passages) == 1
    assert "KEX" in log or "kex" in log, "the log tells how far it came"
    assert "userauth" not in log
    assert "Accepted" not in log
    assert "channel_open" not in log


def test_a_wrong_login_key_is_tried_once_and_does_not_lock_us_out(droplet: Droplet) -> None:
    wrong = replace(droplet.endpoint, private_key=new_key_pair()[1])
    since = droplet.shell("date '+%F %T'").strip()
    hosts = Pool()
    for _ in range(10):
        with pytest.raises(AuthenticationError, match="login key was refused"):
            hosts.link(wrong, patience_s=5)
    time.sleep(0.5)
    tries = droplet.shell(
        f"journalctl -u ssh* --since '{since}' --no-pager -o cat | grep -c 'authenticating user root'"
    )

    assert int(tries) == 1
    hosts.link(droplet.endpoint).run(["true"])
    hosts.close()


# ---- restarts


def test_a_droplet_that_restarts_in_the_middle_of_a_step_is_told_and_the_step_not_repeated(droplet: Droplet) -> None:
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(step, droplet.endpoint, "/root/restart", seconds=60)
        droplet.await_file("/root/restart")
        droplet.restart()
        with pytest.raises(HostRestartedError, match="its record of the job is gone"):
            answer.result(90)

    assert droplet.lines("/root/restart") == ["begin"]
    expect_whole(step(droplet.endpoint, "/root/afterwards"))
