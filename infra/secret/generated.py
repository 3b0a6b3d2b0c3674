"""Secrets that nobody has to invent: made by the engine's dynamic provider, then remembered in state, encrypted.

The alphabet is what survives a URL, a shell, an env file and alembic's configuration unquoted. A changed length is
not applied behind the owner's back (a database knows the old password): a higher generation says that it is meant.
"""

from __future__ import annotations

__all__ = ["ALPHABET", "GeneratedSecret"]

import string
from typing import Any

import pulumi
from pulumi import dynamic

ALPHABET = string.ascii_letters + string.digits + "_-"
HEX = "0123456789abcdef"


class GeneratedSecretProvider(dynamic.ResourceProvider):
    """Makes the value on create and for each generation; runs between keep it."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the first value."""
        return dynamic.CreateResult(props["secret"], _made(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        """Make another value; the old one is forgotten."""
        return dynamic.UpdateResult(_made(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """Never change a secret that is in use, unless a new generation asks for it."""
        return dynamic.DiffResult(changes=_generation(_olds) != _generation(_news))


class GeneratedSecret(dynamic.Resource, module="greenroom", name="GeneratedSecret"):
    """One generated value, named as the variable that carries it."""

    value: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        length: int,
        alphabet: str = "url-safe",
        generation: int = 1,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        props = {"secret": name, "length": length, "alphabet": alphabet, "generation": generation}
        super().__init__(
            GeneratedSecretProvider(),
            name,
            {**props, "value": None, "made_at": None},
            pulumi.ResourceOptions.merge(opts, hidden),
        )


def _generation(props: dict[str, Any]) -> int:
    """Read the generation; a state from before there were any holds the first."""
    return int(props.get("generation") or 1)


def _made(props: dict[str, Any]) -> dict[str, Any]:
    """Make a value that begins with a letter: no tool takes it for an option or a number."""
    import secrets  # noqa: PLC0415 - only the run that makes a secret needs it
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    is_hex = props.get("alphabet") == "hex"
    alphabet, first = (HEX, HEX[10:]) if is_hex else (ALPHABET, string.ascii_letters)
    rest = "".join(secrets.choice(alphabet) for _ in range(int(props["length"]) - 1))
    made_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {**props, "value": secrets.choice(first) + rest, "made_at": made_at}
