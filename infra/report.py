"""Hands a typed error from the program's process to the command line that started it.

The engine between them knows only text. Where `GREENROOM_REPORT` names a file, the error is written there with its
exit code and its parts, so that the command line can exit with the right status and print it once, and healing can
read its fields; under the plain Pulumi CLI the variable is absent and the text in the log is all there is. Of several
errors the first one stays: what failed beside it, or after it, is found when the run goes on.
"""

from __future__ import annotations

__all__ = ["VARIABLE", "ReportedError", "Step", "read_report", "step_of", "write_report"]

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.errors import AuthenticationError, ConfigurationError, GreenroomError, Problem, StepError

VARIABLE = "GREENROOM_REPORT"


@dataclass(frozen=True)
class Step:
    """The parts of an error that came from a step on a host, or from the way to it."""

    phase: str
    host: str
    command: str
    exit_status: int | None
    evidence: str
    code: str
    subject: str = ""
    """What the failed resource calls itself."""


class ReportedError(GreenroomError):
    """An error of another process, with its own exit code."""

    def __init__(self, message: str, *, hint: str, exit_code: int, step: Step | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code
        self.step = step


def step_of(error: GreenroomError, subject: str = "") -> Step | None:
    """Give the parts of an error of a step, or of a host that was refused or refuses; None for any other."""
    if isinstance(error, ReportedError):
        return error.step
    if isinstance(error, StepError):
        return Step(error.phase, error.host, error.command, error.exit_status, error.evidence, error.code, subject)
    if isinstance(error, AuthenticationError) and error.code:
        return Step("connect", error.host, "connect", None, error.message, error.code, subject)
    return None


def write_report(error: GreenroomError, *, subject: str = "") -> None:
    """Write the error where the command line looks for it, if one asked and none was written before."""
    target = os.environ.get(VARIABLE)
    if not target:
        return
    step = step_of(error, subject)
    problems = [asdict(problem) for problem in error.problems] if isinstance(error, ConfigurationError) else []
    document = {
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
        "problems": problems,
        "step": asdict(step) if step else None,
    }
    try:
        with Path(target).open("x", encoding="utf-8") as file:
            json.dump(document, file)
    except FileExistsError:
        return


def read_report(path: Path) -> GreenroomError | None:
    """Read and remove a report; None when the program wrote none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
    except FileNotFoundError:
        return None
    if document["problems"]:
        return ConfigurationError([Problem(**problem) for problem in document["problems"]], hint=document["hint"])
    step = Step(**document["step"]) if document["step"] else None
    return ReportedError(document["message"], hint=document["hint"], exit_code=document["exit_code"], step=step)
