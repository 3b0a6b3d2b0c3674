"""A small SSH server in this process, for tests: it runs commands here, and counts what a client let it see.

It speaks the real protocol (paramiko's server side), so that pinning, refusals and cuts are proved on the wire.
"""

from __future__ import annotations

__all__ = ["SshServer", "ssh_server"]

import contextlib
import io
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from infra.transport.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Generator

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

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Accept connections until `close`."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self._listener.close()
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
        return AUTH_SUCCESSFUL if key.get_base64() == self._login else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Accept sessions."""
        del kind, chanid
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
        channel.send_exit_status(process.wait())
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
