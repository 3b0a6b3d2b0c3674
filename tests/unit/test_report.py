"""A typed failure from where it happens to what healing reads: fields all the way, for both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.errors import AuthenticationError, ConfigurationError, GreenroomError, Problem, StepError, UnreachableError
from infra.healing.failures import failure_of_error, failure_of_proof, failure_of_run, statements_of
from infra.healing.model import Failure, Statement
from infra.host.resource import reported
from infra.report import ReportedError, read_report, write_report
from localcloud.engine.events import Diagnostic, Result, Step

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-11-24T18:00:00.000Z"
URN = "urn:pulumi:local::greenroom::{}::{}"


@pytest.fixture(autouse=True)
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "report.json"
    monkeypatch.setenv("GREENROOM_REPORT", str(path))
    return path


def step_error(**fields: object) -> StepError:
    given: dict[str, object] = {
        "phase": "build",
        "host": "root@127.0.0.9:22",
        "command": "docker compose build",
        "exit_status": 17,
        "evidence": "npm error code EUSAGE",
        "code": "IMAGE_BUILD_FAILED",
        "hint": "greenroom logs",
    }
    return StepError(**{**given, **fields})  # type: ignore[arg-type] - as they stand above


def run(*failed: str, messages: tuple[tuple[str, str], ...] = ()) -> Result:
    steps = [Step(URN.format("Kind", name), "Kind", name, "update", failed=name in failed) for name in ("a", *failed)]
    told = [Diagnostic(0.0, "error", text, URN.format("Kind", name) if name else "") for name, text in messages]
    return Result("update", succeeded=False, changes={}, steps=steps, outputs={}, diagnostics=told, seconds=1.0)


def test_a_steps_fields_arrive_as_they_were_and_name_the_failed_resource(report: Path) -> None:
    with pytest.raises(StepError), reported("stack"):
        raise step_error(phase="compose-up", code="SERVICE_UNHEALTHY", exit_status=None)
    error = read_report(report)
    assert error is not None
    assert error.exit_code == 4
    assert failure_of_error(error, at=AT, run=run("droplet", "compose-stack")) == Failure(
        stage="compose",
        code="SERVICE_UNHEALTHY",
        phase="compose-up",
        resource="compose-stack",
        host="root@127.0.0.9:22",
        command="docker compose build",
        exit_status=None,
        evidence="npm error code EUSAGE",
        at=AT,
    )


@pytest.mark.parametrize(
    ("subject", "resource"),
    [("health", "health-gate"), ("data volume", "data-volume"), ("env file", "env-file"), ("images", "images")],
)
def test_a_resource_is_known_by_what_it_calls_itself(report: Path, subject: str, resource: str) -> None:
    write_report(step_error(), subject=subject)
    error = read_report(report)
    assert error is not None
    assert failure_of_error(error, at=AT, run=run("other", resource)).resource == resource


def test_of_several_errors_the_first_one_stays(report: Path) -> None:
    write_report(step_error(code="FIRST"))
    write_report(step_error(code="SECOND"))
    error = read_report(report)
    assert isinstance(error, ReportedError)
    assert error.step is not None
    assert error.step.code == "FIRST"
    assert not report.exists(), "a report is read once"


def test_a_host_that_is_refused_or_refuses_is_told_apart_by_its_code(report: Path) -> None:
    write_report(AuthenticationError("root@h:22: the login key was refused", host="root@h:22", code="LOGIN_REFUSED"))
    error = read_report(report)
    assert error is not None
    failure = failure_of_error(error, at=AT)
    assert (failure.stage, failure.code, failure.host) == ("provision", "LOGIN_REFUSED", "root@h:22")
    assert error.exit_code == 3


def test_a_silent_host_is_a_failure_of_the_way_to_it() -> None:
    lost = UnreachableError(
        phase="connect", host="h", command="connect", exit_status=None, evidence="e", code="HOST_UNREACHABLE", hint=""
    )
    assert failure_of_error(lost, at=AT).stage == "provision"


def test_missing_secrets_arrive_as_problems_and_fail_before_anything_is_touched(report: Path) -> None:
    write_report(ConfigurationError([Problem("Pulumi.x.yaml", "secrets.A", "nothing", "a value")], hint="set it"))
    error = read_report(report)
    assert isinstance(error, ConfigurationError)
    failure = failure_of_error(error, at=AT)
    assert (failure.stage, failure.code) == ("secrets", "CONFIGURATION")
    assert "secrets.A: nothing" in failure.evidence


def test_any_other_error_of_the_program_is_the_runs() -> None:
    failure = failure_of_error(GreenroomError("No such thing"), at=AT)
    assert (failure.code, failure.evidence) == ("RUN_FAILED", "No such thing")


def test_a_cloud_resource_fails_with_the_engines_words_as_evidence() -> None:
    ended = run("droplet", messages=(("droplet", "422 size is not available"), ("", "update failed")))
    assert failure_of_run(ended, at=AT) == Failure(
        "provision", "RESOURCE_FAILED", "cloud", "droplet", evidence="422 size is not available", at=AT
    )


def test_a_run_that_failed_as_a_whole_keeps_what_was_said() -> None:
    failure = failure_of_run(run(messages=(("", "the program exited with 1"),)), at=AT)
    assert (failure.code, failure.resource, failure.evidence) == ("RUN_FAILED", "", "the program exited with 1")


def test_a_failed_proof_is_one_failure_with_its_statements() -> None:
    document = {
        "rows": [
            {"group": "service", "name": "health answers", "reason": "502", "passed": False},
            {"group": "service", "name": "login works", "reason": "", "passed": True},
        ]
    }
    statements = statements_of(document)
    assert statements == (Statement("service", "health answers", "502"),)
    failure = failure_of_proof(statements, at=AT)
    assert (failure.stage, failure.code) == ("health", "PROOF_FAILED")
    assert failure.evidence == "service: health answers: 502"


def test_without_anybody_who_asked_nothing_is_written(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GREENROOM_REPORT")
    write_report(step_error())
    assert not report.exists()
