"""`./scripts/pull-request-stack NUMBER`: writes the stack file of one pull request's environment."""

from __future__ import annotations

__all__ = ["main", "pull_request_stack"]

import ipaddress
import sys
from typing import TYPE_CHECKING

import click

from infra.cli.checked import check_name
from infra.cli.session import find_root
from infra.durable import save
from infra.errors import ConfigurationError, GreenroomError, Problem
from infra.ops.pull_request import NETWORKS, PullRequest, stack_file
from infra.settings import load_file

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 10**9
SMALLEST_RANGE = 20
"""Of 256 environments at once."""


@click.command()
@click.argument("number", type=click.IntRange(1, LARGEST))
@click.option("--template", default="pull-request", show_default=True, help="The stack whose file is copied.")
@click.option("--branch", default="", help="The workload's branch; the template's where it is not given.")
@click.option("--commit", default="", help="The workload's exact commit, of 40 hexadecimal digits.")
@click.option("--networks", default=str(NETWORKS), show_default=True, help="Where the environments' VPCs come from.")
def pull_request_stack(number: int, template: str, branch: str, commit: str, networks: str) -> None:
    """Write Pulumi.pr-NUMBER.yaml from Pulumi.pull-request.yaml, and print the stack's name.

    \b
    ./scripts/pull-request-stack 123
    ./scripts/pull-request-stack 123 --branch feature/login --commit 0123456789abcdef0123456789abcdef01234567
    """  # noqa: D301 - click keeps the lines after this mark
    check_name(template)
    root = find_root()
    source = root / f"Pulumi.{template}.yaml"
    request = PullRequest(number, branch, commit, _range(networks))
    target = root / f"Pulumi.{request.stack}.yaml"
    text = _read(source)
    load_file(source, root=root)  # what is wrong with the template is told of the template
    _write(target, stack_file(text, source.name, request), root)
    click.echo(request.stack)


def main(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        pull_request_stack.main(arguments, prog_name="./scripts/pull-request-stack", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except GreenroomError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _range(networks: str) -> ipaddress.IPv4Network:
    """Read the range that VPCs are taken from; raises ConfigurationError."""
    try:
        found = ipaddress.IPv4Network(networks)
    except ValueError:
        found = None
    if found is None or not found.is_private or found.prefixlen > SMALLEST_RANGE:
        expected = f"a private range of at least /{SMALLEST_RANGE}, such as {NETWORKS}"
        problem = Problem("command line", "--networks", networks[:60], expected)
        raise ConfigurationError([problem], hint=f"--networks {NETWORKS}")
    return found


def _read(template: Path) -> str:
    try:
        return template.read_text(encoding="utf-8")
    except OSError as error:
        problem = Problem("command line", "--template", f"{template.name}: {error.strerror}", "a stack file to copy")
        raise ConfigurationError(
            [problem], hint=f"cp Pulumi.staging.yaml {template.name}   # then change it"
        ) from error


def _write(path: Path, text: str, root: Path) -> None:
    """Write a stack file, whole or not at all; one that the settings' own rules refuse is taken back."""
    before = path.read_text(encoding="utf-8") if path.exists() else None
    save(path, text)
    try:
        load_file(path, root=root)
    except GreenroomError:
        if before is None:
            path.unlink()
        else:
            save(path, before)
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
