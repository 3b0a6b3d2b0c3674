"""What must be known to reach a host without trusting anything on the way, and what a command there came to."""

from __future__ import annotations

__all__ = ["Endpoint", "Outcome"]

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Endpoint:
    """An address, a login and the one host key that is accepted there."""

    host: str
    port: int
    user: str
    host_key: str
    """The public host key as sshd prints it: `ssh-ed25519 AAAA...`."""
    private_key: str = field(repr=False)
    """The login's private key in OpenSSH's own format; never printed."""
    machine: str = ""
    """The droplet's id: tells two machines apart that had the same address one after the other."""

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Outcome:
    """What a remote command came to."""

    argv: tuple[str, ...]
    exit_status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command exited with status 0."""
        return self.exit_status == 0

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")
