"""The facts that the security statements are made about, asked of the host in two round trips that run side by side.

`system` and `containers` are scripts of the standard library alone: their source goes by standard input to the
host's own Python, and one JSON document comes back. They only look. No password hash, no environment value and no
file's content that could hold a secret is in what they tell.
"""

from __future__ import annotations

__all__ = ["survey"]

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import StepError

if TYPE_CHECKING:
    from infra.transport.link import Link

SCRIPTS = ("system", "containers")
TIMEOUT_S = 60.0


def survey(link: Link) -> dict[str, Any]:
    """Run both scripts on the host and give what they tell as one mapping.

    Raises StepError (SURVEY_FAILED) when a script could not look: a statement without facts must not seem to hold.
    """
    with ThreadPoolExecutor(len(SCRIPTS)) as pool:
        parts = list(pool.map(_ask, [link] * len(SCRIPTS), SCRIPTS))
    return {name: value for part in parts for name, value in part.items()}


def _ask(link: Link, script: str) -> dict[str, Any]:
    source = (Path(__file__).parent / f"{script}.py").read_bytes()
    outcome = link.run(["python3", "-I", "-"], stdin=source, timeout_s=TIMEOUT_S)
    if outcome.exit_status != 0:
        raise StepError(
            phase="survey",
            host=str(link.endpoint),
            command=f"survey of the host's {script}",
            exit_status=outcome.exit_status,
            evidence=outcome.stderr.decode(errors="replace"),
            code="SURVEY_FAILED",
            hint="greenroom verify --security, once the host answers",
        )
    return json.loads(outcome.stdout)
