"""The sources of given secrets, behind one small interface, and the gathering that names every missing one at once."""

from __future__ import annotations

__all__ = ["ConfigSource", "EnvironmentSource", "Secret", "SecretSource", "gather"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from infra.errors import ConfigurationError, Problem
from infra.secret.strength import weakness

if TYPE_CHECKING:
    from collections.abc import Mapping


class Secret:
    """A value that prints as stars; `reveal` is the one way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value to whoever has to have it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)


class SecretSource(Protocol):
    """Somewhere that secrets are kept."""

    @property
    def where(self) -> str:
        """What to call the source in an error."""
        ...

    def read(self, name: str) -> Secret | None:
        """Return the secret of that name, or None where there is none."""
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


def gather(wanted: Mapping[str, int], sources: Mapping[str, SecretSource]) -> dict[str, Secret]:
    """Read every secret of `sources` (name to its source); `wanted` gives the shortest length believed.

    Raises one ConfigurationError that names all that are missing, empty, placeholders or too short, and where each
    is to be set; never a value.
    """
    found: dict[str, Secret] = {}
    problems: list[Problem] = []
    for name, source in sources.items():
        secret = source.read(name)
        wrong = "nothing" if secret is None else weakness(secret.reveal(), min_length=wanted[name])
        if secret is None or wrong:
            expected = f"a secret of at least {wanted[name]} characters: {source.advice(name)}"
            problems.append(Problem(source.where, name, wrong or "nothing", expected))
        else:
            found[name] = secret
    if problems:
        raise ConfigurationError(problems, hint=sources[problems[0].key].advice(problems[0].key))
    return found
