"""The options that verbs share, and the session they make."""

from __future__ import annotations

__all__ = ["with_session"]

import functools
import os
from typing import TYPE_CHECKING, Any

import click

from infra.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable


def with_session(
    *, confirms: bool = False, documents: bool = True
) -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Give a verb `--stack`, `--json` and, where it destroys, `--yes`; it is called with the session.

    Where a verb prints no document of its own (`documents` is false) `--json` is taken all the same, as a program that
    gives it everywhere reads errors so; its help does not promise one.
    """

    def decorate(verb: Callable[..., int | None]) -> Callable[..., int]:
        @functools.wraps(verb)
        def wrapper(stack: str, as_json: bool, assume_yes: bool = False, **rest: Any) -> int:  # noqa: FBT001, FBT002 - click passes by name
            session = Session(stack, as_json=as_json, assume_yes=assume_yes)
            return verb(session, **rest) or 0

        default = os.environ.get("GREENROOM_STACK", "local")
        wrapper = click.option(
            "--json", "as_json", is_flag=True, help="Print one JSON document.", hidden=not documents
        )(wrapper)
        wrapper = click.option("-s", "--stack", default=default, show_default=True, help="Which stack.")(wrapper)
        text = "Don't ask." if confirms else "Accepted everywhere; nothing here asks."
        return click.option("-y", "--yes", "assume_yes", is_flag=True, help=text, hidden=not confirms)(wrapper)

    return decorate
