"""Both ends of a bad day, for tests: an SSH server that notes what it is offered, and a relay that counts and cuts.

The server speaks the real protocol (paramiko's server side) and runs commands on this machine, so that pinning,
refusals and cuts are proved on the wire. The relay passes TCP on to any server, and keeps what went each way.
"""

from __future__ import annotations

__all__ = ["NEWKEYS", "Passage", "Relay", "SshServer", "packets_up", "relay", "ssh_server"]

import contextlib
import dataclasses
import io
import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from infra.transport.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

NEWKEYS = 21
"""The packet that turns encryption on (RFC 4253, section 7.3)."""
_CHUNK = 1 << 15


class SshServer(paramiko.ServerInterface):
    """One listening server with one host key and one accepted login key."""

    def __init__(self, host_key: str, login: str) -> None:
        self._host_key = _parse(host_key)
        self._login = login.split()[1]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.transports: list[paramiko.Transport] = []
        self.connections = 0
        self.logins: list[str] = []
        self.commands: list[str] = []
        self.offered: list[str] = []
        """Whatever a client asked for after the keys were exchanged, by kind: the proof that it asked for nothing."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Accept connections until `close`."""
        threading.Thread(target=self._accept, daemon=True).start()

    def present(self, host_key: str) -> None:
        """Present another host key (private, in text) from the next connection on."""
        self._host_key = _parse(host_key)

    def close(self) -> None:
        """Stop listening and cut every connection."""
        _stop_listening(self._listener)
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as a broken network would."""
        for transport in self.transports:
            transport.close()

    def get_allowed_auths(self, username: str) -> str:
        """Offer public keys only."""
        del username
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Count the login, and accept the one key."""
        self.logins.append(username)
        self.offered.append("login by key")
        return AUTH_SUCCESSFUL if key.get_base64() == self._login else AUTH_FAILED

    def check_auth_none(self, username: str) -> int:
        """Note a login without anything, and refuse it."""
        del username
        self.offered.append("login by nothing")
        return AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        """Note a login by password, and refuse it."""
        del username, password
        self.offered.append("login by password")
        return AUTH_FAILED

    def check_global_request(self, kind: str, msg: paramiko.Message) -> bool:
        """Note a request about the connection, and refuse it; a refusal is an answer to a keepalive."""
        del msg
        self.offered.append(f"request {kind}")
        return False

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Accept sessions."""
        del chanid
        self.offered.append(f"channel {kind}")
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run the command on this machine."""
        self.commands.append(command.decode())
        threading.Thread(target=_execute, args=(channel, command.decode()), daemon=True).start()
        return True

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection)
            transport.add_server_key(self._host_key)
            self.transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=self, event=threading.Event())


def _stop_listening(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept, which would take one more connection
    listener.close()


def _parse(text: str) -> Any:
    kinds: list[Any] = [paramiko.Ed25519Key, paramiko.ECDSAKey]
    for kind in kinds:
        with contextlib.suppress(paramiko.SSHException):
            return kind.from_private_key(io.StringIO(text))
    raise ValueError("Neither an ed25519 nor an ECDSA key")


def _execute(channel: paramiko.Channel, command: str) -> None:
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None  # noqa: S101 (Popen was asked for pipes)
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    threads = [
        threading.Thread(target=_pump_in, args=(channel, process.stdin), daemon=True),
        threading.Thread(target=_pump_out, args=(process.stdout, channel.sendall), daemon=True),
        threading.Thread(target=_pump_out, args=(process.stderr, channel.sendall_stderr), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    with contextlib.suppress(OSError, EOFError):
        channel.send_exit_status(process.wait() % 256)
        channel.close()


def _pump_in(channel: paramiko.Channel, sink: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := channel.recv(_CHUNK):
            sink.write(chunk)
            sink.flush()
    with contextlib.suppress(OSError):
        sink.close()


def _pump_out(source: Any, send: Any) -> None:
    with source, contextlib.suppress(OSError, EOFError):
        while chunk := source.read1(_CHUNK):
            send(chunk)


@contextlib.contextmanager
def ssh_server(
    *, host_key: tuple[str, str], login: tuple[str, str], pinned: str = ""
) -> Generator[tuple[SshServer, Endpoint]]:
    """Run a server with (public, private) key pairs; yield it and an endpoint that pins its key, or `pinned`."""
    server = SshServer(host_key[1], login[0])
    server.start()
    endpoint = Endpoint("127.0.0.1", server.port, "root", pinned or host_key[0], login[1])
    try:
        yield server, endpoint
    finally:
        server.close()


class Passage:
    """One connection through a relay: the bytes that went up to the server and down from it."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.up, self.down = bytearray(), bytearray()
        self.ended = threading.Event()
        self._sockets = (near, far)

    def close(self) -> None:
        """End the connection on both sides."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.ended.set()


class Relay:
    """Passes connections on to one server. The first is cut after `cut` bytes in a direction, `up` or `down`."""

    def __init__(self, host: str, port: int, *, cut: tuple[str, int] = ("", 0)) -> None:
        self._target = (host, port)
        self._cut = cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.passages: list[Passage] = []
        self.swallowing: set[str] = set()
        """The directions in which bytes vanish at present, as in a black hole: the connection stands."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Accept connections until `close`."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and end every connection."""
        _stop_listening(self._listener)
        for passage in self.passages:
            passage.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            first = not self.passages
            passage = Passage(near, far)
            self.passages.append(passage)
            for way, source, sink, kept in (("up", near, far, passage.up), ("down", far, near, passage.down)):
                limit = self._cut[1] if first and way == self._cut[0] else sys.maxsize
                pump = (passage, source, _Tap(way, sink, kept, limit))
                threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _pump(self, passage: Passage, source: socket.socket, tap: _Tap) -> None:
        with contextlib.suppress(OSError):
            while tap.left and (chunk := source.recv(min(_CHUNK, tap.left))):
                if tap.way not in self.swallowing:
                    tap.sink.sendall(chunk)
                    tap.kept.extend(chunk)
        passage.close()


@dataclasses.dataclass
class _Tap:
    """One direction of a passage, and how much may go through it."""

    way: str
    sink: socket.socket
    kept: bytearray
    limit: int

    @property
    def left(self) -> int:
        return self.limit - len(self.kept)


@contextlib.contextmanager
def relay(endpoint: Endpoint, *, cut: tuple[str, int] = ("", 0)) -> Generator[tuple[Relay, Endpoint]]:
    """Run a relay to an endpoint; yield it and the endpoint as it is reached through it."""
    running = Relay(endpoint.host, endpoint.port, cut=cut)
    running.start()
    try:
        yield running, dataclasses.replace(endpoint, host="127.0.0.1", port=running.port)
    finally:
        running.close()


def packets_up(stream: bytes) -> Iterator[tuple[int, int]]:
    """Yield kind and end of each packet that a client sent in the clear: up to the one that turns encryption on."""
    at = stream.index(b"\n") + 1
    while at < len(stream):
        length, _, kind = struct.unpack_from(">IBB", stream, at)
        at += 4 + length
        yield kind, at
        if kind == NEWKEYS:
            return
