"""One fabric connection to one host: the host key is pinned before the first byte, and everything has a deadline.

While the connection is made, every phase of it (address, banner, key exchange, login) has to make progress; afterwards
keepalives have to be answered. Where that fails the socket is cut (`infra.transport.pulse`), which ends whatever waits.

fabric adds unknown host keys by itself, reads the user's own ssh and fabric configuration, and turns `env=` into a
command line that `ps` shows. All three are shut off here: only the endpoint's ed25519 key is accepted, no other
configuration is read, and secrets go by standard input or not at all.
"""

from __future__ import annotations

__all__ = ["CONNECT_TIMEOUT_S", "Link", "public_blob"]

import base64
import io
import logging
import shlex
import threading
import time
from typing import TYPE_CHECKING, Any

from infra.errors import AuthenticationError, UnreachableError
from infra.transport.endpoint import Endpoint, Outcome
from infra.transport.pulse import LiveSocket, Pulse, dial

if TYPE_CHECKING:
    from collections.abc import Sequence

    import paramiko

CONNECT_TIMEOUT_S = 10.0
"""How long a host may be silent while the connection is made."""
WHOLE_CONNECT_S = 3 * CONNECT_TIMEOUT_S
"""How long the making of a connection may take as a whole, however much there is to hear of it."""
_CHUNK = 1 << 15
logging.getLogger("paramiko").addHandler(logging.NullHandler())  # else a cut prints tracebacks; our errors tell of it
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
        try:
            live = dial(endpoint.host, endpoint.port, connect_timeout_s)
        except OSError as error:
            raise unreachable(endpoint, "connect", "connect", error) from error
        self._pulse = Pulse(live, silence_s=connect_timeout_s, within_s=WHOLE_CONNECT_S)
        try:
            self._connection: Any = self._open(live, WHOLE_CONNECT_S)
        except BaseException:
            self._pulse.stop()
            live.close()
            raise
        self._pulse.settle(self._connection.transport)

    @property
    def alive(self) -> bool:
        """Whether the transport below still stands; keepalives notice a dead peer."""
        transport = self._connection.transport
        return transport is not None and bool(transport.is_active())

    @property
    def verdict(self) -> str:
        """Why the connection was cut here; empty where it stands, or where the far end or the network cut it."""
        return self._pulse.verdict

    def start(self, command: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> paramiko.Channel:
        """Start a command line on a channel of its own; UnreachableError when it does not start within the deadline."""
        import paramiko  # noqa: PLC0415 (half the cost of a start that needs no host)

        try:
            channel: paramiko.Channel = self._connection.transport.open_session(timeout=timeout_s)
            alarm = threading.Timer(timeout_s, channel.close)  # paramiko waits for the answer without an end
            alarm.start()
            try:
                channel.exec_command(command)
            finally:
                alarm.cancel()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise unreachable(self.endpoint, "open a channel", command, error, self.verdict) from error
        return channel

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Outcome:
        """Run one command, quoted once, and wait for its end.

        Any exit status is returned, not raised. UnreachableError when the link is cut or the deadline passes.
        """
        command = shlex.join(argv)
        started = time.monotonic()
        channel = self.start(command)
        try:
            channel.settimeout(timeout_s)
            out, err = _exchange(channel, stdin, started + timeout_s)
            status = channel.recv_exit_status() if channel.status_event.wait(timeout_s) else -1
        except (TimeoutError, OSError, EOFError) as error:
            raise unreachable(self.endpoint, "run", command, error, self.verdict) from error
        finally:
            channel.close()
        if status < 0:
            raise unreachable(self.endpoint, "run", command, EOFError("the link was cut"), self.verdict)
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
        self._pulse.stop()
        self._connection.close()

    def _open(self, live: LiveSocket, within_s: float) -> Any:
        connection = _pinned(self.endpoint, live, within_s)
        try:
            connection.open()
        except Exception as error:  # noqa: BLE001 (closed, and raised again under its right name)
            named = self._named(error, connection.client.get_transport())
            connection.client.close()
            raise named from (None if named is error else error)
        return connection

    def _named(self, error: Exception, transport: Any) -> Exception:
        """Tell why a connection never was ready: refused, by us or by the host, or cut on the way."""
        import paramiko  # noqa: PLC0415
        from paramiko.ssh_exception import IncompatiblePeer  # noqa: PLC0415

        if isinstance(error, paramiko.BadHostKeyException):
            return refused(self.endpoint, "the host presents another key than the pinned one", "HOST_KEY_REFUSED")
        if isinstance(error, IncompatiblePeer):
            return refused(self.endpoint, "the host offers no key of the pinned kind", "HOST_KEY_REFUSED")
        # paramiko says the same of a login that was refused and of one that was cut off; a refusal clears the name.
        if isinstance(error, paramiko.AuthenticationException) and transport.auth_handler.username is None:
            return refused(self.endpoint, "the login key was refused", "LOGIN_REFUSED")
        if isinstance(error, paramiko.SSHException | OSError | EOFError):
            return unreachable(self.endpoint, _phase(transport), "connect", error, self._pulse.verdict)
        return error


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


def _pinned(endpoint: Endpoint, live: LiveSocket, within_s: float) -> Any:
    """Return a fabric connection, not yet open, that knows one host key and no other source of trust or settings."""
    import fabric  # noqa: PLC0415 (see the module docstring of infra.transport)
    import paramiko  # noqa: PLC0415

    connection = fabric.Connection(
        endpoint.host,
        user=endpoint.user,
        port=endpoint.port,
        config=fabric.Config(lazy=True, overrides={"load_ssh_configs": False}),
        connect_timeout=within_s,
        connect_kwargs={
            "sock": live,
            "pkey": paramiko.Ed25519Key.from_private_key(io.StringIO(endpoint.private_key)),
            "allow_agent": False,
            "look_for_keys": False,
            "banner_timeout": within_s,
            "auth_timeout": within_s,
            "channel_timeout": within_s,
            "disabled_algorithms": {"keys": _OTHER_HOST_KEYS},
        },
    )
    client: Any = connection.client
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    name = endpoint.host if endpoint.port == 22 else f"[{endpoint.host}]:{endpoint.port}"  # noqa: PLR2004 (ssh's port)
    client.get_host_keys().clear()
    client.get_host_keys().add(name, "ssh-ed25519", paramiko.Ed25519Key(data=public_blob(endpoint.host_key)))
    return connection


def _phase(transport: paramiko.Transport | None) -> str:
    """Name how far a connection came that was never ready."""
    if transport is None or not transport.remote_version:
        return "await the banner"
    return "log in" if transport.initial_kex_done else "exchange keys"


def refused(endpoint: Endpoint, why: str, code: str) -> AuthenticationError:
    """Build the error for a host that is not the one that was pinned, or that does not let us in."""
    return AuthenticationError(
        f"{endpoint}: {why}; nothing was sent",
        hint=f"ssh-keyscan -t ed25519 -p {endpoint.port} {endpoint.host}   # compare with: {endpoint.host_key.strip()}",
        host=str(endpoint),
        code=code,
    )


def unreachable(endpoint: Endpoint, phase: str, command: str, error: Exception, verdict: str = "") -> UnreachableError:
    """Build the error for a host that does not answer, or for a link that was cut."""
    return UnreachableError(
        phase=phase,
        host=str(endpoint),
        command=command,
        exit_status=None,
        evidence=verdict or f"{type(error).__name__}: {error}",
        code="HOST_UNREACHABLE",
        hint=f"nc -vz {endpoint.host} {endpoint.port}",
    )
