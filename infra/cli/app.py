"""The verbs and their options, loaded one by one: `up` doesn't pay for `ssh`. Errors are rendered here, once."""

from __future__ import annotations

__all__ = ["run"]

import importlib
import json
import os
import sys
import traceback
from typing import Any

import click

from infra.errors import ConfigurationError, GreenroomError
from infra.redaction import PROCESS

VERBS = {
    "preview": ("infra.cli.stack", "Show what up would change, down to the property."),
    "up": ("infra.cli.stack", "Make the stack what its settings say, then prove it."),
    "refresh": ("infra.cli.stack", "Name what was changed by hand, and take it into the state."),
    "drift": ("infra.cli.drift", "Name what is not as it should be, in four layers; revert or adopt it."),
    "destroy": ("infra.cli.stack", "Delete everything the stack has."),
    "outputs": ("infra.cli.facts", "Print the stack's outputs."),
    "status": ("infra.cli.facts", "Show resources, outputs and the last verification."),
    "verify": ("infra.cli.proof", "Prove that the stack does what it should."),
    "heal": ("infra.cli.heal", "Find what is wrong, mend what may be mended, prove the rest."),
    "audit": ("infra.cli.audit", "Show who changed what, and prove that the log is whole."),
    "logs": ("infra.cli.host", "Print the logs of the stack's services."),
    "ssh": ("infra.cli.host", "Open a shell on the droplet, or run a command there."),
    "incidents": ("infra.cli.incidents", "Show what healing has met: the list, one report, the ledger."),
    "watch": ("infra.cli.watch", "Look at the stack every few seconds, and heal what breaks while it runs."),
    "secrets": ("infra.cli.secret", "List, check, set and rotate secrets."),
    "cloud": ("infra.cli.cloud", "Start, stop, show or reset the local cloud."),
}
ALIASES = {"down": "destroy"}


class LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the verbs in the order that people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load one verb."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in VERBS:
            return None
        return getattr(importlib.import_module(VERBS[name][0]), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the verbs without loading them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="greenroom", message="%(version)s")
def greenroom() -> None:
    """Staging environments that provision, prove and heal themselves.

    \b
    greenroom preview            what would change
    greenroom up                 make it so, and prove it
    greenroom verify --json      the proof as one document
    greenroom destroy --yes      leave nothing behind
    """  # noqa: D301 - click keeps the lines after this mark


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its core writes notes about closed connections to standard error
    try:
        outcome = greenroom.main(arguments, prog_name="greenroom", standalone_mode=False)
    except click.exceptions.Abort:
        return _tell("cancelled", "", 8, as_json=as_json)
    except click.ClickException as error:
        error.show()
        return 2
    except GreenroomError as error:
        problems = [vars(each) for each in error.problems] if isinstance(error, ConfigurationError) else []
        return _tell(error.message, error.hint, error.exit_code, as_json=as_json, problems=problems)
    except KeyboardInterrupt:
        return _tell("cancelled", "", 8, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last line: everything else is a defect, told with its traceback
        return _unexpected(error, as_json=as_json)
    return outcome if isinstance(outcome, int) else 0


def _unexpected(error: Exception, *, as_json: bool) -> int:
    """Render an engine's error as its own, and anything else as the defect it is."""
    code, message = getattr(error, "exit_code", None), getattr(error, "message", None)
    if isinstance(code, int) and isinstance(message, str):
        return _tell(message, str(getattr(error, "hint", "")), code, as_json=as_json)
    sys.stderr.write(PROCESS.mask("".join(traceback.format_exception(error))))
    return _tell(f"{type(error).__name__}: {error}", "", 1, as_json=as_json)


def _tell(message: str, hint: str, code: int, *, as_json: bool, problems: list[dict[str, Any]] | None = None) -> int:
    """Print an error with its hint, to people or to programs."""
    message, hint = PROCESS.mask(message), PROCESS.mask(hint)
    sys.stderr.write(f"error: {message}\n" + (f"  next: {hint}\n" if hint else ""))
    if as_json:
        document = {"schema": "greenroom/error/1", "exit_code": code, "message": message, "hint": hint}
        sys.stdout.write(json.dumps({**document, "problems": problems or []}, indent=2, ensure_ascii=False) + "\n")
    return code
