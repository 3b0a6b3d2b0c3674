"""`greenroom ssh` and `greenroom logs`: OpenSSH with the pinned key, for people.

Key and host key live in a directory of their own for as long as the command runs, mode 0700, and are gone after it.
"""

from __future__ import annotations

__all__ = ["logs", "ssh"]

import re
import shlex
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.cli.options import with_session
from infra.cli.proof import endpoint_of_stack

if TYPE_CHECKING:
    from collections.abc import Generator

    from infra.cli.session import Session
    from infra.transport import Endpoint

CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""What compose writes for a terminal even where there is none."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@with_session(documents=False)
def ssh(session: Session, *, command: tuple[str, ...]) -> int:
    """Open a shell on the droplet, or run COMMAND there.

    \b
    greenroom ssh
    greenroom ssh -- docker ps
    """  # noqa: D301 - click keeps the lines after this mark
    with _client(session) as (argv, endpoint):
        where = f"{endpoint.user}@{endpoint.host}"
        return subprocess.run([*argv, where, "--", *([shlex.join(command)] if command else [])], check=False).returncode


@click.command()
@click.argument("service", required=False)
@click.option("-n", "--tail", default=100, show_default=True, help="How many lines of each service.")
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@with_session(documents=False)
def logs(session: Session, *, service: str | None, tail: int, follow: bool) -> int:
    """Print the logs of all services, or of SERVICE. Known secrets are masked."""
    facts = session.facts
    session.console.redactor.add(session.driver.secret_values())
    argv = ["docker", "compose", "--project-name", facts.project, "logs", "--no-color", f"--tail={tail}"]
    argv += ["--follow"] if follow else []
    argv += [service] if service else []
    with _client(session) as (client, endpoint):
        process = subprocess.Popen(
            [*client, "-T", f"{endpoint.user}@{endpoint.host}", "--", shlex.join(argv)],
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            for line in process.stdout or ():
                session.console.data(CONTROL.sub("", line.rstrip("\n")))
        finally:
            process.terminate() if process.poll() is None and follow else None
        return process.wait()


@contextmanager
def _client(session: Session) -> Generator[tuple[list[str], Endpoint]]:
    """Give the OpenSSH command line that reaches the droplet and nobody else."""
    endpoint = endpoint_of_stack(session)
    with tempfile.TemporaryDirectory(prefix="ssh-", dir=session.directory) as name:
        directory = Path(name)
        key, known = directory / "key", directory / "known_hosts"
        key.touch(mode=0o600)
        key.write_text(endpoint.private_key, encoding="utf-8")
        known.write_text(f"[{endpoint.host}]:{endpoint.port} {endpoint.host_key}\n", encoding="utf-8")
        options = {
            "IdentityFile": str(key),
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlias": f"[{endpoint.host}]:{endpoint.port}",
            "PasswordAuthentication": "no",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "15",
            "LogLevel": "ERROR",
        }
        flags = [part for option, value in options.items() for part in ("-o", f"{option}={value}")]
        yield ["ssh", "-F", "/dev/null", *flags, "-p", str(endpoint.port)], endpoint
