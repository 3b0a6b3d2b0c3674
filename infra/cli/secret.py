"""`greenroom secrets`: values that people give, written encrypted into the stack file."""

from __future__ import annotations

__all__ = ["secrets"]

import sys

import click

from infra.cli.options import with_session
from infra.cli.session import Session  # noqa: TC001 - click looks at the signature
from infra.errors import ConfigurationError, Problem


@click.group()
def secrets() -> None:
    """Set the secrets that people give."""


@secrets.command("set")
@click.argument("name")
@with_session()
def set_value(session: Session, name: str) -> None:
    """Encrypt the value of NAME into the stack file. The value is typed unseen, or comes by standard input.

    \b
    greenroom secrets set RESEND_API_KEY -s staging
    printf %s "$VALUE" | greenroom secrets set RESEND_API_KEY -s staging
    """  # noqa: D301 - click keeps the lines after this mark
    from infra.secret import weakness  # noqa: PLC0415 - other verbs don't need it
    from infra.settings import load_file  # noqa: PLC0415 - loads pydantic

    settings = load_file(session.root / f"Pulumi.{session.stack}.yaml", root=session.root)
    file = f"Pulumi.{session.stack}.yaml"
    setting = settings.secrets.get(name)
    if setting is None or setting.source != "config":
        found = "a name that is not declared" if setting is None else f"declared with source {setting.source}"
        raise ConfigurationError([Problem(file, name, found, f"`{name}: {{source: config}}` under secrets")])
    value = click.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    value = value.removesuffix("\n")
    session.console.redactor.add([value])
    if wrong := weakness(value, min_length=setting.min_length):
        raise ConfigurationError([Problem(file, name, wrong, f"a secret of at least {setting.min_length} characters")])
    session.driver.set_secret(name, value)
    session.console.say(f"{file}: {name} is set")
