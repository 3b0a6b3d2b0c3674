"""One pinned connection: who is refused, and what a refused host gets to see."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import paramiko
import pytest

from infra.errors import AuthenticationError, StepError, UnreachableError
from infra.host.keys import new_key_pair
from infra.transport import Endpoint
from infra.transport.link import Link, public_blob
from infra.transport.pool import Pool
from infra.transport.testing import relay, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.transport.testing import SshServer

    Running = tuple[SshServer, Endpoint]

HOST = new_key_pair()
LOGIN = new_key_pair()
OTHER = new_key_pair()


@pytest.fixture
def server() -> Iterator[Running]:
    with ssh_server(host_key=HOST, login=LOGIN) as (running, endpoint):
        yield running, endpoint


@pytest.fixture
def link(server: Running) -> Iterator[Link]:
    opened = Link(server[1])
    yield opened
    opened.close()


def test_a_command_is_quoted_once_and_returns_its_streams_and_status(link: Link) -> None:
    outcome = link.run(["sh", "-c", 'printf %s "$1"; echo oops >&2; exit 3', "name", "a b'\"$HOME;`id`\n"])

    assert (outcome.exit_status, outcome.stdout, outcome.stderr) == (3, b"a b'\"$HOME;`id`\n", b"oops\n")
    assert not outcome.ok


def test_megabytes_go_in_and_come_out_unchanged(link: Link) -> None:
    content = os.urandom(2_000_000)

    assert link.run(["cat"], stdin=content).stdout == content


def test_standard_input_never_becomes_a_part_of_the_command(server: Running, link: Link) -> None:
    link.run(["cat"], stdin=b"hunter2-canary")

    assert "hunter2-canary" not in "".join(server[0].commands)


def test_a_file_is_written_with_its_mode_before_the_name_appears(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "secret file"
    path.write_text("old")

    link.put(b"new\n", str(path), mode=0o600, owner=str(os.getuid()))

    assert path.read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret file"]


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(link: Link, tmp_path: Path) -> None:
    with pytest.raises(StepError) as raised:
        link.put(b"x", str(tmp_path / "missing" / "file"), mode=0o600, owner=str(os.getuid()))

    assert raised.value.code == "WRITE_FAILED"
    assert not list(tmp_path.iterdir())


def test_a_command_that_outlives_its_deadline_is_an_error(link: Link) -> None:
    started = time.monotonic()
    with pytest.raises(UnreachableError):
        link.run(["sleep", "30"], timeout_s=0.5)
    assert time.monotonic() - started < 5


def test_a_link_that_is_cut_says_so(server: Running, link: Link) -> None:
    threading.Timer(0.3, server[0].cut).start()

    with pytest.raises(UnreachableError):
        link.run(["sleep", "30"], timeout_s=20)
    assert not link.alive


@pytest.mark.parametrize("impostor", ["another ed25519 key", "another kind of key"])
def test_an_impostor_is_refused_before_any_login(impostor: str) -> None:
    pair = OTHER if impostor == "another ed25519 key" else _ecdsa_pair()
    with ssh_server(host_key=pair, login=LOGIN, pinned=HOST[0]) as (server, endpoint):
        with pytest.raises(AuthenticationError) as raised:
            Link(endpoint)

        assert server.connections == 1
        assert server.logins == []
        assert server.commands == []
        assert LOGIN[1] not in str(raised.value)
        assert "ssh-keyscan" in raised.value.hint


def test_a_login_key_that_is_refused_is_tried_once() -> None:
    with ssh_server(host_key=HOST, login=LOGIN) as (server, endpoint):
        wrong = Endpoint(endpoint.host, endpoint.port, endpoint.user, endpoint.host_key, OTHER[1])
        with pytest.raises(AuthenticationError):
            Link(wrong)
        assert server.logins == ["root"]


def test_a_login_that_is_cut_off_in_the_middle_is_no_refusal() -> None:
    with ssh_server(host_key=HOST, login=LOGIN) as (_, endpoint):
        with relay(endpoint) as (whole, through):
            Link(through).close()
            logged_in = len(whole.passages[0].down)
        with relay(endpoint, cut=("down", logged_in - 20)) as (_, through):
            with pytest.raises(UnreachableError, match="log in failed"):
                Link(through)
            Link(through).close()


def test_the_users_own_ssh_settings_and_known_hosts_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    with ssh_server(host_key=OTHER, login=LOGIN, pinned=HOST[0]) as (_, endpoint):
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{endpoint.port} {OTHER[0]}\n")
        (folder / "config").write_text("Host *\n  StrictHostKeyChecking no\n  Port 1\n")
        monkeypatch.setenv("HOME", str(tmp_path))

        with pytest.raises(AuthenticationError):
            Link(endpoint)


def test_a_host_where_nothing_listens_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError) as raised:
        Link(Endpoint("127.0.0.1", port, "root", HOST[0], LOGIN[1]), connect_timeout_s=2)
    assert raised.value.code == "HOST_UNREACHABLE"
    assert raised.value.exit_status is None


def test_a_host_that_accepts_and_says_nothing_is_unreachable_within_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint("127.0.0.1", silent.getsockname()[1], "root", HOST[0], LOGIN[1])
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            Link(endpoint, connect_timeout_s=1)
        assert time.monotonic() - started < 6


def test_an_endpoint_never_prints_its_private_key() -> None:
    endpoint = Endpoint("host", 22, "root", HOST[0], LOGIN[1])

    assert LOGIN[1] not in f"{endpoint} {endpoint!r}"


@pytest.mark.parametrize("line", ["", "ssh-rsa AAAA", "ssh-ed25519", "ssh-ed25519 ***"])
def test_only_an_ed25519_public_key_can_be_pinned(line: str) -> None:
    with pytest.raises(ValueError, match=r"ed25519|base64|padding"):
        public_blob(line)


def test_the_pool_opens_one_connection_for_all_threads(server: Running) -> None:
    running, endpoint = server
    pool = Pool()
    threads = [threading.Thread(target=pool.link, args=(endpoint,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert running.connections == 1
    pool.close()


def test_the_pool_opens_anew_after_a_cut(server: Running) -> None:
    running, endpoint = server
    pool = Pool()
    first = pool.link(endpoint)
    running.cut()
    deadline = time.monotonic() + 5
    while first.alive and time.monotonic() < deadline:
        time.sleep(0.02)

    assert pool.link(endpoint) is not first
    pool.close()


def test_the_pool_remembers_a_host_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pool, endpoint = Pool(), Endpoint("127.0.0.1", port, "root", HOST[0], LOGIN[1])
    with pytest.raises(UnreachableError) as first:
        pool.link(endpoint)
    with pytest.raises(UnreachableError) as second:
        pool.link(endpoint)
    assert first.value is second.value


def test_the_pool_waits_for_a_host_that_is_still_booting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pool = Pool()
    started = time.monotonic()
    with pytest.raises(UnreachableError):
        pool.link(Endpoint("127.0.0.1", port, "root", HOST[0], LOGIN[1]), patience_s=0.6)
    assert 0.5 < time.monotonic() - started < 5


def _ecdsa_pair() -> tuple[str, str]:
    key = paramiko.ECDSAKey.generate()
    sink = io.StringIO()
    key.write_private_key(sink)
    return f"{key.get_name()} {key.get_base64()}", sink.getvalue()
