"""The sources of given secrets, behind one small interface, and the gathering that names every bad one at once."""

from __future__ import annotations

__all__ = ["ConfigSource", "EnvironmentSource", "Found", "Secret", "SecretError", "SecretSource", "gather", "look"]

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from infra.errors import ConfigurationError, GreenroomError, Problem
from infra.secret.strength import weakness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from infra.secret.rules import Rule

Reason = Literal[
    "ACCESS_DENIED",
    "CREDENTIALS_EXPIRED",
    "NOT_CONFIGURED",
    "NOT_FOUND",
    "NO_CREDENTIALS",
    "NO_SUCH_KEY",
    "NO_TEXT",
    "UNREACHABLE",
]

_READERS = 8


class Secret:
    """A value that prints as stars; `reveal` is the one way to it. `changed` tells when it was set, where known."""

    __slots__ = ("_value", "changed")

    def __init__(self, value: str, changed: datetime | None = None) -> None:
        self._value = value
        self.changed = changed

    def reveal(self) -> str:
        """Give the value to whoever has to have it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)


class SecretError(GreenroomError):
    """A source did not give a secret: which one, from where, why (a stable code and words), and what to type next."""

    exit_code = 2

    def __init__(self, name: str, source: str, reason: Reason, why: str, *, hint: str) -> None:
        self.name, self.source, self.reason, self.why = name, source, reason, why
        super().__init__(f"{source}: {name}: {why} [{reason}]", hint=hint)


class SecretSource(Protocol):
    """Somewhere that secrets are kept."""

    @property
    def where(self) -> str:
        """What to call the source in an error."""
        ...

    def read(self, name: str) -> Secret | None:
        """Return the secret of that name, or None where there is none; SecretError where that can't be told."""
        ...

    def advice(self, name: str) -> str:
        """Say how a value is put there."""
        ...


@dataclass(frozen=True)
class ConfigSource:
    """Encrypted values of the stack's configuration, decrypted by the engine."""

    stack: str
    values: Mapping[str, str]
    """Names without their namespace."""

    @property
    def where(self) -> str:
        """Name the stack file."""
        return f"Pulumi.{self.stack}.yaml"

    def read(self, name: str) -> Secret | None:
        """Look the name up in the configuration."""
        return Secret(self.values[name]) if name in self.values else None

    def advice(self, name: str) -> str:
        """Name the command that encrypts a value."""
        return f"greenroom secrets set {name} -s {self.stack}"


@dataclass(frozen=True)
class EnvironmentSource:
    """Variables of the process that runs Greenroom, as CI systems hand secrets over."""

    values: Mapping[str, str]

    @property
    def where(self) -> str:
        """Name the source."""
        return "environment"

    def read(self, name: str) -> Secret | None:
        """Look the variable up."""
        return Secret(self.values[name]) if name in self.values else None

    def advice(self, name: str) -> str:
        """Name the variable."""
        return f"the variable {name} in the environment"


@dataclass(frozen=True)
class Found:
    """What looking for one secret has brought: the value, or what is wrong, or both for a value that is no good."""

    secret: Secret | None
    problem: Problem | None
    hint: str = ""
    """The next command to type, where there is a problem."""


def look(rules: Mapping[str, Rule], sources: Mapping[str, SecretSource]) -> dict[str, Found]:
    """Read every secret of `sources` (name to its source), side by side, and judge each by its rule. Never raises."""
    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        asked = {name: pool.submit(_judged, name, rules[name], source) for name, source in sources.items()}
        return {name: each.result() for name, each in asked.items()}


def gather(rules: Mapping[str, Rule], sources: Mapping[str, SecretSource]) -> dict[str, Secret]:
    """Read every secret of `sources`; what a `Rule` says of each has to hold.

    Raises one ConfigurationError that names all that are missing, refused by their source, empty, placeholders, too
    short or of the wrong characters, and where each is to be set; never a value.
    """
    found = look(rules, sources) if sources else {}
    wrong = [each for each in found.values() if each.problem]
    if wrong:
        raise ConfigurationError([each.problem for each in wrong if each.problem], hint=wrong[0].hint)
    return {name: each.secret for name, each in found.items() if each.secret}


def _judged(name: str, rule: Rule, source: SecretSource) -> Found:
    try:
        secret = source.read(name)
    except SecretError as error:
        return Found(None, Problem(error.source, name, f"{error.why} [{error.reason}]", rule.expected), error.hint)
    wrong = "nothing" if secret is None else weakness(secret.reveal(), rule)
    if wrong is None:
        return Found(secret, None)
    advice = source.advice(name)
    return Found(secret, Problem(source.where, name, wrong, f"{rule.expected}: {advice}"), advice)
