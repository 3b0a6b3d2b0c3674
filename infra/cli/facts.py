"""The verbs that only look: outputs and status. They read the state and touch neither cloud nor host."""

from __future__ import annotations

__all__ = ["outputs", "status"]

import click

from infra.cli.options import with_session
from infra.cli.progress import kind_of
from infra.cli.proof import last_verification
from infra.cli.render import table
from infra.cli.session import Session  # noqa: TC001 - click looks at the signature
from infra.errors import GreenroomError


class NoStackError(GreenroomError):
    """The stack has no state yet."""

    exit_code = 6


def require_stack(session: Session) -> None:
    """Raise NoStackError where the stack was never deployed."""
    if not session.driver.exists():
        raise NoStackError(f"There is no stack {session.stack}", hint=f"greenroom up -s {session.stack}")


@click.command()
@click.argument("name", required=False)
@click.option("--show-secrets", is_flag=True, help="Print secret values instead of [secret].")
@with_session()
def outputs(session: Session, *, name: str | None, show_secrets: bool) -> int:
    """Print all outputs as JSON, or the one called NAME.

    \b
    greenroom outputs url
    greenroom outputs admin_password --show-secrets
    """  # noqa: D301 - click keeps the lines after this mark
    require_stack(session)
    values = session.driver.outputs(show_secrets=show_secrets)
    if name is None:
        session.console.document(values, revealed=show_secrets)
        return 0
    if name not in values:
        raise GreenroomError(
            f"There is no output {name}; there are {', '.join(sorted(values))}",
            hint=f"greenroom outputs -s {session.stack}",
        )
    value = values[name]
    if isinstance(value, str) and not session.as_json:
        click.echo(value if show_secrets else session.console.redactor.mask(value))
    else:
        session.console.document(value, revealed=show_secrets)
    return 0


@click.command()
@with_session()
def status(session: Session) -> int:
    """Show the stack's resources, outputs and last verification, from the state alone."""
    require_stack(session)
    values = session.driver.outputs()
    session.console.redactor.add(session.driver.secret_values())
    resources = [
        {"type": kind_of(each.type), "name": each.name, "id": each.id}
        for each in session.driver.resources()
        if each.id and not each.type.startswith("pulumi:providers:")
    ]
    verification = last_verification(session)
    if session.as_json:
        session.console.document(
            {
                "schema": "greenroom/status/1",
                "stack": session.stack,
                "resources": resources,
                "outputs": values,
                "verification": verification,
            }
        )
        return 0
    rows = [[each["name"], each["type"], each["id"]] for each in resources]
    for line in table(rows, header=["RESOURCE", "KIND", "ID"]):
        session.console.data(line)
    session.console.data("")
    for key in ("url", "address", "admin_email"):
        session.console.data(f"{key}: {values.get(key, '')}")
    release = values.get("release") or {}
    session.console.data(f"release: {release.get('tag', '')} ({release.get('commit', '')})")
    session.console.data(f"last verification: {verification['summary'] if verification else 'none yet'}")
    return 0
