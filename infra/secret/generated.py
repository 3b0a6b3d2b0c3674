"""Secrets that nobody has to invent: made once by the engine's dynamic provider, then remembered in state, encrypted.

The alphabet is what survives a URL, a shell, an env file and alembic's configuration unquoted. A changed length is
not applied behind the owner's back (a database knows the old password): rotation is an act of its own.
"""

from __future__ import annotations

__all__ = ["ALPHABET", "GeneratedSecret"]

import string
from typing import Any

import pulumi
from pulumi import dynamic

ALPHABET = string.ascii_letters + string.digits + "_-"


class GeneratedSecretProvider(dynamic.ResourceProvider):
    """Makes the value on create; later runs keep it."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make a value whose first character is a letter: no tool takes it for an option or a number."""
        import secrets  # noqa: PLC0415 - only the run that makes a secret needs it

        rest = "".join(secrets.choice(ALPHABET) for _ in range(int(props["length"]) - 1))
        value = secrets.choice(string.ascii_letters) + rest
        return dynamic.CreateResult(props["secret"], {**props, "value": value})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        """Never change a secret that is in use."""
        return dynamic.DiffResult(changes=False)


class GeneratedSecret(dynamic.Resource, module="greenroom", name="GeneratedSecret"):
    """One generated value, named as the variable that carries it."""

    value: pulumi.Output[str]

    def __init__(self, name: str, *, length: int, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(
            GeneratedSecretProvider(),
            name,
            {"secret": name, "length": length, "value": None},
            pulumi.ResourceOptions.merge(opts, secret),
        )
