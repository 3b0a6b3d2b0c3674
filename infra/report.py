"""Hands a typed error from the program's process to the command line that started it.

The engine between them knows only text. Where `GREENROOM_REPORT` names a file, the error is written there with its
exit code and its parts, so that the command line can exit with the right status and print it once; under the plain
Pulumi CLI the variable is absent and the text in the log is all there is.
"""

from __future__ import annotations

__all__ = ["VARIABLE", "ReportedError", "read_report", "write_report"]

import json
import os
from dataclasses import asdict
from pathlib import Path

from infra.errors import ConfigurationError, GreenroomError, Problem

VARIABLE = "GREENROOM_REPORT"


class ReportedError(GreenroomError):
    """An error of another process, with its own exit code."""

    def __init__(self, message: str, *, hint: str, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def write_report(error: GreenroomError) -> None:
    """Write the error where the command line looks for it, if one asked."""
    target = os.environ.get(VARIABLE)
    if not target:
        return
    problems = [asdict(problem) for problem in error.problems] if isinstance(error, ConfigurationError) else []
    document = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code, "problems": problems}
    Path(target).write_text(json.dumps(document), encoding="utf-8")


def read_report(path: Path) -> GreenroomError | None:
    """Read and remove a report; None when the program wrote none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
    except FileNotFoundError:
        return None
    if document["problems"]:
        return ConfigurationError([Problem(**problem) for problem in document["problems"]], hint=document["hint"])
    return ReportedError(document["message"], hint=document["hint"], exit_code=document["exit_code"])
