"""Who answers at an address: an impostor is refused before it is told anything, and nobody is asked twice."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from infra.errors import AuthenticationError, UnreachableError
from infra.host.keys import new_key_pair
from infra.transport.link import Link
from infra.transport.pool import Pool
from infra.transport.testing import NEWKEYS, packets_up, relay, ssh_server

HOST = new_key_pair()
LOGIN = new_key_pair()
OTHER = new_key_pair()
TRANSPORT = Path(__file__).parents[2] / "infra" / "transport"
BOUNDED = {"acquire", "create_connection", "get", "join", "open_session", "start_client", "wait"}
"""Calls that wait, and wait for ever unless they are told how long."""


def _ecdsa_pair() -> tuple[str, str]:
    key = paramiko.ECDSAKey.generate()
    sink = io.StringIO()
    key.write_private_key(sink)
    return f"{key.get_name()} {key.get_base64()}", sink.getvalue()


@pytest.mark.parametrize("impostor", ["another ed25519 key", "another kind of key"])
def test_an_impostor_is_sent_nothing_after_the_exchange_of_keys(impostor: str) -> None:
    pair = OTHER if impostor == "another ed25519 key" else _ecdsa_pair()
    with ssh_server(host_key=pair, login=LOGIN, pinned=HOST[0]) as (server, endpoint):
        with relay(endpoint) as (wire, through), pytest.raises(AuthenticationError, match="nothing was sent"):
            Link(through)
        time.sleep(0.2)

        (passage,) = wire.passages
        packets = list(packets_up(bytes(passage.up)))
        assert packets, "the relay saw the conversation"
        assert len(passage.up) == packets[-1][1], "not one byte was encrypted for the impostor"
        assert LOGIN[0].split()[1].encode() not in passage.up
        assert server.offered == []


def test_the_proof_can_fail_a_trusted_host_is_sent_more() -> None:
    with ssh_server(host_key=HOST, login=LOGIN) as (server, endpoint), relay(endpoint) as (wire, through):
        link = Link(through)
        link.run(["true"])
        link.close()

        up = bytes(wire.passages[0].up)
        kinds = list(packets_up(up))
        assert kinds[-1][0] == NEWKEYS
        assert len(up) > kinds[-1][1]
        assert server.offered[:2] == ["login by key", "channel session"]


def test_another_machine_at_a_known_address_is_refused() -> None:
    with ssh_server(host_key=HOST, login=LOGIN) as (server, endpoint):
        pool = Pool()
        pool.link(endpoint).run(["true"])
        server.present(OTHER[1])  # the droplet is gone, and another has its address
        server.cut()
        server.offered.clear()
        with pytest.raises(AuthenticationError, match="another key"):
            _again(pool, endpoint)
        assert server.offered == []
        pool.close()


def _again(pool: Pool, endpoint: object) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        pool.link(endpoint)  # type: ignore[arg-type]
        time.sleep(0.02)


@pytest.mark.parametrize("refusal", ["host key", "login"])
def test_a_refusal_is_remembered_and_nobody_asks_again(refusal: str) -> None:
    host_key, login = (OTHER, LOGIN) if refusal == "host key" else (HOST, OTHER)
    with ssh_server(host_key=host_key, login=login, pinned=HOST[0]) as (server, there):
        pool = Pool()
        endpoint = there if refusal == "host key" else type(there)("127.0.0.1", there.port, "root", HOST[0], LOGIN[1])
        for patience_s in (0.0, 0.0, 5.0, 5.0):
            with pytest.raises(AuthenticationError):
                pool.link(endpoint, patience_s=patience_s)
        assert server.connections == 1
        assert server.logins == ([] if refusal == "host key" else ["root"])

        pool.forget(endpoint)
        with pytest.raises(AuthenticationError):
            pool.link(endpoint)
        assert server.connections == 2


WATCHED = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from infra.errors import AuthenticationError
from infra.transport import Endpoint
from infra.transport.link import Link
endpoint = Endpoint(**json.loads(sys.stdin.read()))
try:
    Link(endpoint)
    said = "let in"
except AuthenticationError as error:
    said = error.message
print(json.dumps([said, opened]))
"""


def test_known_hosts_and_ssh_settings_of_user_and_machine_are_not_even_opened(tmp_path: Path) -> None:
    """Both ways round: a known_hosts that vouches for an impostor, and one that denies the right host."""
    (tmp_path / ".ssh").mkdir()
    for presented, expected in ((OTHER, "another key"), (HOST, "let in")):
        with ssh_server(host_key=presented, login=LOGIN, pinned=HOST[0]) as (_, endpoint):
            (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{endpoint.port} {OTHER[0]}\n")
            (tmp_path / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n  Port 1\n")
            told = {name: getattr(endpoint, name) for name in ("host", "port", "user", "host_key", "private_key")}
            ran = subprocess.run(
                [sys.executable, "-c", WATCHED],
                input=json.dumps(told),
                env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
                cwd=TRANSPORT.parents[1],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
        said, opened = json.loads(ran.stdout)
        assert expected in said
        assert opened, "the hook sees what is opened"
        assert not [path for path in opened if "known_hosts" in path or "ssh_config" in path or "/.ssh" in path]


def test_opening_one_host_never_waits_for_another() -> None:
    pool = Pool()
    with ssh_server(host_key=HOST, login=LOGIN) as (_, endpoint), relay(endpoint) as (hole, away):
        hole.swallowing |= {"up", "down"}
        with ThreadPoolExecutor() as threads:
            waiting = threads.submit(pool.link, away)
            time.sleep(0.2)
            started = time.monotonic()
            pool.link(endpoint)
            assert time.monotonic() - started < 3
            assert not waiting.done()
            hole.close()
            with pytest.raises(UnreachableError, match="await the banner failed"):
                waiting.result(15)
        pool.close()


def test_every_wait_on_the_controllers_side_has_an_end() -> None:
    endless = [
        f"{path.name}:{call.lineno}: {ast.unparse(call)}"
        for path in sorted(TRANSPORT.glob("*.py"))
        if path.name != "testing.py"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in BOUNDED
        if not call.args and not call.keywords
    ]
    assert endless == []
    assert _sees_endless("queue.get()")
    assert _sees_endless("thread.join()")


def _sees_endless(text: str) -> bool:
    call = ast.parse(text).body[0].value  # type: ignore[attr-defined]
    return call.func.attr in BOUNDED and not call.args and not call.keywords
