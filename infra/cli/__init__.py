"""`greenroom VERB`: a thin layer of talk over the engine, the host and the local cloud.

Every verb exits with the codes that the design lists: 0 done, 1 failed, 2 configuration or usage, 3 authentication,
4 a resource failed, 6 no such stack, 7 unexpected changes, 8 cancelled, 20 the proof failed, 21 healing asks a
person, 22 healing was stopped or has spent its limits.
"""

from __future__ import annotations

__all__ = ["leave", "main"]

import atexit
import os
import sys
import threading
from typing import NoReturn


def main() -> None:
    """Run the command line and exit."""
    from infra.cli.app import run  # noqa: PLC0415 - importing the package alone costs nothing

    leave(run(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """Exit as the interpreter would, but without taking every module apart."""
    threading._shutdown()  # noqa: SLF001 # pyright: ignore - joins threads, as at any exit
    atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore - the other half of it
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
