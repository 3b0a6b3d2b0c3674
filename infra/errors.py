"""Every error that Greenroom raises on purpose.

    GreenroomError            exit 1
    ├── ConfigurationError    exit 2   bad or missing settings and secrets, all named at once
    ├── AuthenticationError   exit 3   a credential or a host key was refused
    ├── StepError             exit 4   a step on a host failed: phase, host, command, exit status, evidence
    │   └── UnreachableError  exit 4   the host did not answer, or the link was cut
    │       └── HostRestartedError     the host restarted in the middle of a step
    └── VerificationError     exit 20  the stack is up, but its proof failed

Each says what failed, where, why, and the next command to type. No message carries a secret: commands are given as
they were planned, without their standard input, and evidence is the bounded tail of what the step printed.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "GreenroomError",
    "HostRestartedError",
    "Problem",
    "StepError",
    "UnreachableError",
    "VerificationError",
]

from dataclasses import dataclass

EVIDENCE_LIMIT = 4000


class GreenroomError(Exception):
    """Base of the tree: a message, and a hint that is the next command to type."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration file."""

    where: str
    """The file, or the source, that holds the key."""
    key: str
    found: str
    """What is wrong; never a secret's value."""
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.found}; expected {self.expected}"


class ConfigurationError(GreenroomError):
    """Settings or secrets are unusable; all problems are named at once."""

    exit_code = 2

    def __init__(self, problems: list[Problem], *, hint: str = "") -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)


class AuthenticationError(GreenroomError):
    """A credential or a host key was refused. Where a host is meant it is named, with a code that tells which."""

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", host: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.host, self.code = host, code


class StepError(GreenroomError):
    """A step on a host failed. Healing reads the fields, never the prose."""

    exit_code = 4

    def __init__(
        self,
        *,
        phase: str,
        host: str,
        command: str,
        exit_status: int | None,
        evidence: str,
        code: str,
        hint: str,
    ) -> None:
        self.phase = phase
        self.host = host
        self.command = command
        self.exit_status = exit_status
        self.evidence = evidence[-EVIDENCE_LIMIT:]
        self.code = code
        status = "no answer" if exit_status is None else f"exit status {exit_status}"
        tail = "\n".join(f"  | {line}" for line in self.evidence.splitlines()[-15:])
        super().__init__(f"{phase} failed on {host} [{code}]: {command}: {status}\n{tail}".rstrip(), hint=hint)


class UnreachableError(StepError):
    """The host did not answer, or the link to it was cut."""


class HostRestartedError(UnreachableError):
    """The host restarted in the middle of a step: nobody can tell how far that came, so it has to be planned anew."""


class VerificationError(GreenroomError):
    """The stack is up, but its proof failed."""

    exit_code = 20
