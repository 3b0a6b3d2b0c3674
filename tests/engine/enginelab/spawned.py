"""One operation in a process of its own, as a command line would run it, so that it can be interrupted and killed.

`spawned.py SETTINGS`: settings as JSON with root, stack, backend, passphrase, providers, environment and operation.
SIGINT means `cancel`; the exit status is the engine's.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from localcloud.engine import Engine, EngineError
from localcloud.engine.events import Diagnostic


def main(settings: dict[str, Any]) -> int:
    """Run the operation; gives the exit status."""
    engine = Engine(
        Path(settings["root"]),
        settings["stack"],
        backend=Path(settings["backend"]),
        passphrase=settings["passphrase"],
        providers=settings["providers"],
        environment=settings["environment"],
        on_event=show,
    )
    signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=engine.cancel, daemon=True).start())
    try:
        result = getattr(engine, settings["operation"])()
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0 if result.succeeded else 1


def show(event: object) -> None:
    """Print what is there to read."""
    if isinstance(event, Diagnostic):
        sys.stderr.write(f"{event.severity}: {event.message}\n")


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
