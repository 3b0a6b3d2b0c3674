"""`greenroom cloud`: the local cloud's own life, apart from any stack."""

from __future__ import annotations

__all__ = ["cloud"]

import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from infra.cli.console import Console
from infra.cli.session import find_root, home_of
from infra.errors import ConfigurationError, GreenroomError, Problem

if TYPE_CHECKING:
    from collections.abc import Generator


@click.group()
def cloud() -> None:
    """Start, stop, show or reset the local cloud."""


@cloud.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def start(*, as_json: bool) -> None:
    """Start it, or find it running; the first start builds its images."""
    from localcloud import cloud as local  # noqa: PLC0415 - loaded by the verbs that need it

    console = Console()
    with _told():
        info = local.start(home_of(find_root()), console.say)
    if as_json:
        console.document({"schema": "greenroom/cloud/1", "running": True, "environment": dict(info.environment)})
        return
    for name, value in sorted(info.environment.items()):
        console.data(f"export {name}={value}")


@cloud.command()
def stop() -> None:
    """Stop the server; droplets and state stay."""
    from localcloud import cloud as local  # noqa: PLC0415 - as above

    with _told():
        local.stop(home_of(find_root()))


@cloud.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(*, as_json: bool) -> int:
    """Say whether it runs, where, and what it holds; exits 1 when it doesn't run."""
    from localcloud import cloud as local  # noqa: PLC0415 - as above

    console = Console()
    with _told():
        found = local.status(home_of(find_root()))
    facts: dict[str, Any] = asdict(found) if found else {}
    if as_json:
        environment = dict(found.info.environment) if found else {}
        document = {"schema": "greenroom/cloud/1", "running": found is not None, "environment": environment}
        console.document({**document, **facts})
    else:
        console.data("running" if found else "not running")
        for name, value in facts.items():
            console.data(f"  {name}: {value}")
    return 0 if found else 1


@cloud.command()
@click.option("-y", "--yes", "assume_yes", is_flag=True, help="Don't ask.")
def reset(*, assume_yes: bool) -> None:
    """Delete everything it holds, then stop it."""
    from localcloud import cloud as local  # noqa: PLC0415 - as above

    if not assume_yes:
        if not sys.stdin.isatty():
            problem = Problem("command line", "--yes", "nothing", "--yes, as there is no terminal to ask on")
            raise ConfigurationError([problem], hint="greenroom cloud reset --yes")
        click.confirm("This deletes every droplet, volume and network of the local cloud. Go on", abort=True, err=True)
    with _told():
        local.reset(home_of(find_root()), Console().say, release_engine=True)


@contextmanager
def _told() -> Generator[None]:
    """Tell what the local cloud refuses as an error of the command line; its message ends with the next command."""
    from localcloud.cloud import CloudError  # noqa: PLC0415 - as above

    try:
        yield
    except CloudError as error:
        raise GreenroomError(str(error)) from error
