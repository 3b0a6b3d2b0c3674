"""Every error the engine raises on purpose, before or instead of a result.

    EngineError                  exit 1
    ├── ProjectError             exit 2   Pulumi.yaml or the stack's file is missing or wrong
    ├── UnsupportedError         exit 2   something the engine does not do, refused by name
    ├── PassphraseError          exit 3   the passphrase is not this stack's
    ├── StateError               exit 1   the state can't be read, or is not a state
    ├── LockedError              exit 1   another update holds the stack; says who
    ├── StackNotEmptyError       exit 1   the stack still has resources
    ├── StackNotFoundError       exit 6   no such stack in this backend
    └── CancelledError           exit 8   interrupted twice: running operations were abandoned

A run that starts and then fails raises nothing: its `Result` says so. No message carries a secret's value.
"""

from __future__ import annotations

__all__ = [
    "CancelledError",
    "EngineError",
    "LockedError",
    "PassphraseError",
    "ProjectError",
    "StackNotEmptyError",
    "StackNotFoundError",
    "StateError",
    "UnsupportedError",
]


class EngineError(Exception):
    """Base of the tree: a message, and a hint that is the next thing to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


class ProjectError(EngineError):
    """Pulumi.yaml or the stack's settings file is missing or wrong."""

    exit_code = 2


class UnsupportedError(EngineError):
    """Something this engine does not do; the message names it."""

    exit_code = 2


class PassphraseError(EngineError):
    """The passphrase does not open this stack's secrets."""

    exit_code = 3


class StateError(EngineError):
    """The stack's state can't be read, or breaks its own rules."""


class LockedError(EngineError):
    """Another update holds the stack."""


class StackNotEmptyError(EngineError):
    """The stack still has resources, so it is not removed."""


class StackNotFoundError(EngineError):
    """There is no such stack in this backend."""

    exit_code = 6


class CancelledError(EngineError):
    """The run was interrupted twice: what was running has been abandoned."""

    exit_code = 8
