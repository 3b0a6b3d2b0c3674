"""Failures from whatever a run, a resource or a proof ended with: fields are taken over, prose is only kept.

Pure. A typed error gives its own parts; of a cloud resource, which has none, the engine's diagnostic is the evidence;
a proof that failed is one failure with its statements beside it.
"""

from __future__ import annotations

__all__ = ["failure_of_error", "failure_of_proof", "failure_of_run", "statements_of"]

from typing import TYPE_CHECKING, Any, Protocol

from infra.errors import ConfigurationError, GreenroomError
from infra.healing.model import Failure, Statement, stage_of
from infra.report import step_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVIDENCE_LIMIT = 4000
_CONFIGURATION = 2


class Step(Protocol):
    """What an engine tells of one resource."""

    @property
    def urn(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def failed(self) -> bool: ...


class Diagnostic(Protocol):
    """What an engine says while it runs."""

    @property
    def severity(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def urn(self) -> str: ...


class Run(Protocol):
    """How a run of the engine ended."""

    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def diagnostics(self) -> Sequence[Diagnostic]: ...


def failure_of_error(error: GreenroomError, *, at: str, run: Run | None = None) -> Failure:
    """Give the failure that a typed error is; of the run it ended, the failed resource is named with it."""
    failed = [step.name for step in run.steps if step.failed] if run else []
    step = step_of(error)
    if step is not None:
        own = step.subject.replace(" ", "-")
        named = [name for name in failed if name == own or name.endswith(f"-{own}") or name.startswith(f"{own}-")]
        return Failure(
            stage=stage_of(step.phase),
            code=step.code,
            phase=step.phase,
            resource=next(iter(named or failed), own),
            host=step.host,
            command=step.command,
            exit_status=step.exit_status,
            evidence=step.evidence[-EVIDENCE_LIMIT:],
            at=at,
        )
    if isinstance(error, ConfigurationError) or error.exit_code == _CONFIGURATION:
        return Failure(stage="secrets", code="CONFIGURATION", phase="settings", evidence=error.message, at=at)
    return Failure(
        stage="provision",
        code="RUN_FAILED",
        phase="run",
        resource=next(iter(failed), ""),
        evidence=error.message[-EVIDENCE_LIMIT:],
        at=at,
    )


def failure_of_run(run: Run, *, at: str) -> Failure:
    """Give the failure of a run that no typed error ended: of a cloud resource, or of the run as a whole."""
    failed = next((step for step in run.steps if step.failed), None)
    errors = [each for each in run.diagnostics if each.severity == "error"]
    own = [each for each in errors if failed is not None and each.urn == failed.urn]
    evidence = "\n".join(dict.fromkeys(each.message.strip() for each in own or errors))[-EVIDENCE_LIMIT:]
    if failed is None:
        return Failure(stage="provision", code="RUN_FAILED", phase="run", evidence=evidence, at=at)
    return Failure(
        stage="provision",
        code="RESOURCE_FAILED",
        phase="cloud",
        resource=failed.name,
        evidence=evidence,
        at=at,
    )


def failure_of_proof(statements: Sequence[Statement], *, at: str) -> Failure:
    """Give the failure of a proof in which these statements do not hold."""
    evidence = "\n".join(f"{each.group}: {each.name}: {each.reason}" for each in statements)
    return Failure(stage="health", code="PROOF_FAILED", phase="verify", evidence=evidence[:EVIDENCE_LIMIT], at=at)


def statements_of(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Give the statements of a `greenroom/verification/1` document that do not hold."""
    rows: list[dict[str, Any]] = document["rows"]
    return tuple(Statement(row["group"], row["name"], row["reason"]) for row in rows if not row["passed"])
