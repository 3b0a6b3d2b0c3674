"""`verify`: runs the acceptance suite against a stack and keeps what it found.

pytest runs in this process, without the plugins that the development environment has, and is handed the stack as an
object: no secret has to pass through a command line, a variable or a file. Its JUnit report is masked before it stays.
"""

from __future__ import annotations

__all__ = ["Row", "Target", "Verification", "verify"]

import contextlib
import io
import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from infra.errors import GreenroomError
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.transport import Endpoint

REASON_LIMIT = 600
ERROR_STATUSES = (3, 4, 5)
"""pytest's own: internal error, usage error, nothing collected."""


@dataclass(frozen=True)
class Target:
    """The stack under proof."""

    stack: str
    domain: str
    address: str
    ca_certificate: str
    endpoint: Endpoint
    user: str
    directory: str
    env_file: str
    contract: Path
    release: Mapping[str, Any]
    admin_email: str
    admin_password: str = field(repr=False)


@dataclass(frozen=True)
class Row:
    """One statement and how it came out."""

    group: str
    name: str
    passed: bool
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Verification:
    """The proof as one document; `greenroom/verification/1`."""

    stack: str
    at: str
    commit: str
    seconds: float
    rows: tuple[Row, ...]

    @property
    def failed(self) -> list[Row]:
        """The statements that do not hold."""
        return [row for row in self.rows if not row.passed]

    @property
    def summary(self) -> str:
        """One line about all of them."""
        verdict = f"{len(self.failed)} of {len(self.rows)} failed" if self.failed else f"all {len(self.rows)} hold"
        return f"{verdict}, {self.seconds:.1f} s, {self.at}, commit {self.commit[:7]}"

    def document(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "schema": "greenroom/verification/1",
            "stack": self.stack,
            "at": self.at,
            "commit": self.commit,
            "seconds": round(self.seconds, 3),
            "total": len(self.rows),
            "failed": len(self.failed),
            "summary": self.summary,
            "rows": [asdict(row) for row in self.rows],
        }


class _Recorder:
    """The pytest plugin that hands the target in and the outcomes out."""

    def __init__(self, target: Target) -> None:
        self.greenroom_target = target
        self.rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep one row a test: its call, or the phase that kept it from being called."""
        if report.when != "call" and report.passed:
            return
        properties = dict(report.user_properties)
        reason = "" if report.passed else _reason(report)
        name = str(properties.get("statement") or report.nodeid.rpartition("::")[2])
        row = Row(str(properties.get("group", "")), name, report.passed, round(report.duration, 3), reason)
        known = self.rows.get(report.nodeid)
        self.rows[report.nodeid] = row if known is None or known.passed else known


def verify(target: Target, *, suite: Path, evidence: Path) -> Verification:
    """Run the suite and leave `latest.json` and `latest.xml` (JUnit) in `evidence`.

    Raises GreenroomError when the suite itself could not run; a failed statement is a row, not an error.
    """
    evidence.mkdir(parents=True, exist_ok=True)
    junit = evidence / "latest.xml"
    recorder = _Recorder(target)
    PROCESS.add([target.admin_password, target.endpoint.private_key])
    began = time.monotonic()
    output = io.StringIO()
    arguments = [f"--rootdir={suite}", "-c", str(suite / "pytest.ini"), f"--junitxml={junit}", str(suite)]
    with _no_plugins(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = pytest.main(arguments, plugins=[recorder])
    if status in ERROR_STATUSES or not recorder.rows:
        tail = PROCESS.mask("\n".join(output.getvalue().splitlines()[-20:]))
        raise GreenroomError(f"The acceptance suite could not run (pytest status {int(status)})\n{tail}")
    verification = Verification(
        stack=target.stack,
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        commit=str(target.release.get("commit", "")),
        seconds=time.monotonic() - began,
        rows=tuple(recorder.rows.values()),
    )
    junit.write_text(PROCESS.mask(junit.read_text(encoding="utf-8")), encoding="utf-8")
    text = json.dumps(verification.document(), indent=2, ensure_ascii=False)
    temporary = evidence / "latest.json.new"
    temporary.write_text(PROCESS.mask(text) + "\n", encoding="utf-8")
    temporary.replace(evidence / "latest.json")
    return verification


@contextlib.contextmanager
def _no_plugins() -> Any:
    """Keep pytest from loading whatever plugins happen to be installed."""
    name = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _reason(report: pytest.TestReport) -> str:
    """Give the assertion's own words instead of a traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr)
    return PROCESS.mask(" ".join(text.removeprefix("AssertionError: ").split("\nassert ")[0].split())[:REASON_LIMIT])
