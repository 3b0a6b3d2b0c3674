"""One fabric connection to one host: the host key is pinned before the first byte, and everything has a deadline.

fabric adds unknown host keys by itself, reads the user's own ssh and fabric configuration, and turns `env=` into a
command line that `ps` shows. All three are shut off here: only the endpoint's ed25519 key is accepted, no other
configuration is read, and secrets go by standard input or not at all.
"""

from __future__ import annotations

__all__ = ["CONNECT_TIMEOUT_S", "Link", "public_blob"]

import base64
import io
import shlex
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from infra.errors import AuthenticationError, UnreachableError
from infra.transport.endpoint import Endpoint, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    import paramiko

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 5
DEAD_AFTER_MS = 15_000
_CHUNK = 1 << 15
_OTHER_HOST_KEYS = [
    *("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-dss"),
]


def public_blob(line: str) -> bytes:
    """Return the key material of a `ssh-ed25519 AAAA...` line; ValueError when it is none."""
    parts = line.split()
    if len(parts) < 2 or parts[0] != "ssh-ed25519":  # noqa: PLR2004 (type and material)
        raise ValueError(f"Not an ed25519 public key: {line[:40]!r}")
    return base64.b64decode(parts[1], validate=True)


class Link:
    """An open connection. Thread-safe: each command has a channel of its own.

    Raises UnreachableError when the host does not answer or the link is cut, AuthenticationError when the host key is
    not the pinned one or the login is refused; both before any command or secret is sent.
    """

    def __init__(self, endpoint: Endpoint, *, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._connection: Any = _connect(endpoint, connect_timeout_s)

    @property
    def alive(self) -> bool:
        """Whether the transport below still stands; keepalives notice a dead peer."""
        transport = self._connection.transport
        return transport is not None and bool(transport.is_active())

    def channel(self, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Channel:
        """Open a session channel; UnreachableError when the link is down."""
        import paramiko  # noqa: PLC0415 (half the cost of a start that needs no host)

        try:
            with self._lock:
                return self._connection.transport.open_session(timeout=timeout_s)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise unreachable(self.endpoint, "open a channel", error) from error

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Outcome:
        """Run one command, quoted once, and wait for its end.

        Any exit status is returned, not raised. UnreachableError when the link is cut or the deadline passes.
        """
        command = shlex.join(argv)
        started = time.monotonic()
        channel = self.channel()
        try:
            channel.settimeout(timeout_s)
            channel.exec_command(command)
            out, err = _exchange(channel, stdin, started + timeout_s)
            status = channel.recv_exit_status() if channel.status_event.wait(timeout_s) else -1
        except (TimeoutError, OSError, EOFError) as error:
            raise unreachable(self.endpoint, command, error) from error
        finally:
            channel.close()
        if status < 0:
            raise unreachable(self.endpoint, command, EOFError("the link was cut"))
        return Outcome(tuple(argv), status, out, err, time.monotonic() - started)

    def put(self, content: bytes, path: str, *, mode: int, owner: str, timeout_s: float = 60.0) -> None:
        """Write a file atomically: owner and mode are right before the name appears. The content goes by stdin."""
        script = (
            'umask 077; t=$(mktemp -- "$(dirname -- "$1")/.greenroom.XXXXXX"); trap \'rm -f -- "$t"\' EXIT; cat >"$t"; '
            'chown -- "$2" "$t"; chmod -- "$3" "$t"; sync -- "$t"; mv -fT -- "$t" "$1"; sync -- "$(dirname -- "$1")"'
        )
        argv = ["bash", "-euo", "pipefail", "-c", script, "put", path, owner, f"{mode:04o}"]
        outcome = self.run(argv, stdin=content, timeout_s=timeout_s)
        if not outcome.ok:
            raise UnreachableError(
                phase="put",
                host=str(self.endpoint),
                command=f"write {path}",
                exit_status=outcome.exit_status,
                evidence=outcome.stderr.decode(errors="replace"),
                code="WRITE_FAILED",
                hint=f"ls -ld {shlex.quote(path)} on the host",
            )

    def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        self._connection.close()


def _exchange(channel: paramiko.Channel, stdin: bytes, deadline: float) -> tuple[bytes, bytes]:
    feeder = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
    feeder.start()
    out, err = io.BytesIO(), io.BytesIO()
    drain = threading.Thread(target=_drain, args=(channel.recv_stderr, err), daemon=True)
    drain.start()
    while chunk := channel.recv(_CHUNK):
        out.write(chunk)
        if time.monotonic() > deadline:
            raise TimeoutError("deadline passed")
    drain.join(max(0.1, deadline - time.monotonic()))
    feeder.join(max(0.1, deadline - time.monotonic()))
    return out.getvalue(), err.getvalue()


def _feed(channel: paramiko.Channel, stdin: bytes) -> None:
    try:
        if stdin:
            channel.sendall(stdin)
        channel.shutdown_write()
    except OSError:
        return  # the reading side sees the same end, and says so


def _drain(receive: Any, sink: io.BytesIO) -> None:
    try:
        while chunk := receive(_CHUNK):
            sink.write(chunk)
    except OSError:
        return  # as above


def _connect(endpoint: Endpoint, timeout_s: float) -> Any:
    import fabric  # noqa: PLC0415 (see the module docstring of infra.transport)
    import paramiko  # noqa: PLC0415
    from paramiko.ssh_exception import IncompatiblePeer  # noqa: PLC0415

    pinned = paramiko.Ed25519Key(data=public_blob(endpoint.host_key))
    config = fabric.Config(lazy=True, overrides={"load_ssh_configs": False})
    connection = fabric.Connection(
        endpoint.host,
        user=endpoint.user,
        port=endpoint.port,
        config=config,
        connect_timeout=timeout_s,
        connect_kwargs={
            "pkey": paramiko.Ed25519Key.from_private_key(io.StringIO(endpoint.private_key)),
            "allow_agent": False,
            "look_for_keys": False,
            "banner_timeout": timeout_s,
            "auth_timeout": timeout_s,
            "channel_timeout": timeout_s,
            "disabled_algorithms": {"keys": _OTHER_HOST_KEYS},
        },
    )
    client: Any = connection.client
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    name = endpoint.host if endpoint.port == 22 else f"[{endpoint.host}]:{endpoint.port}"  # noqa: PLR2004 (ssh's port)
    client.get_host_keys().clear()
    client.get_host_keys().add(name, "ssh-ed25519", pinned)
    try:
        connection.open()
        transport: Any = connection.transport
        transport.set_keepalive(KEEPALIVE_S)
        # Unanswered keepalives end the connection; without this a black hole is noticed after a quarter of an hour.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
    except paramiko.BadHostKeyException as error:
        connection.close()
        raise refused(endpoint, "the host presents another key than the pinned one") from error
    except paramiko.AuthenticationException as error:
        connection.close()
        raise refused(endpoint, "the login key was refused") from error
    except paramiko.SSHException as error:
        connection.close()
        if isinstance(error, IncompatiblePeer):
            raise refused(endpoint, "the host offers no key of the pinned kind") from error
        raise unreachable(endpoint, "connect", error) from error
    except (OSError, EOFError, socket.gaierror) as error:
        connection.close()
        raise unreachable(endpoint, "connect", error) from error
    return connection


def refused(endpoint: Endpoint, why: str) -> AuthenticationError:
    """Build the error for a host that is not the one that was pinned, or that does not let us in."""
    return AuthenticationError(
        f"{endpoint}: {why}; nothing was sent",
        hint=f"ssh-keyscan -t ed25519 -p {endpoint.port} {endpoint.host}   # compare with: {endpoint.host_key.strip()}",
    )


def unreachable(endpoint: Endpoint, command: str, error: Exception) -> UnreachableError:
    """Build the error for a host that does not answer, or for a link that was cut."""
    return UnreachableError(
        phase="connect",
        host=str(endpoint),
        command=command,
        exit_status=None,
        evidence=f"{type(error).__name__}: {error}",
        code="HOST_UNREACHABLE",
        hint=f"nc -vz {endpoint.host} {endpoint.port}",
    )
