"""`verify`: runs a suite of statements against a stack and keeps what it found.

There are two: the acceptance of the workload, and, apart from it, the security of host and containers (`SECURITY`).

pytest runs in this process, without the plugins that the development environment has, and is handed the stack as an
object: no secret has to pass through a command line, a variable or a file. Its JUnit report is masked before it stays.
"""

from __future__ import annotations

__all__ = ["ACCEPTANCE", "SECURITY", "Exemption", "Row", "Suite", "Target", "Verification", "verify"]

import contextlib
import io
import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest

from infra.errors import GreenroomError
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from infra.transport import Endpoint

REASON_LIMIT = 600
ERROR_STATUSES = (3, 4, 5)
"""pytest's own: internal error, usage error, nothing collected."""
Status = Literal["passed", "failed", "waived", "not-applicable"]


@dataclass(frozen=True)
class Suite:
    """A set of statements: its folder below the acceptance suite, its document's schema, and the name of its files."""

    folder: str
    schema: str
    stem: str


ACCEPTANCE = Suite("", "greenroom/verification/1", "latest")
SECURITY = Suite("security", "greenroom/security/1", "security")


@dataclass(frozen=True)
class Exemption:
    """A waiver of the settings: the check, the one service it is about (or none), why, and its last day."""

    check: str
    service: str
    reason: str
    until: date


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
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What `infra.ops.survey` found; the security statements are made about it."""
    waivers: tuple[Exemption, ...] = ()


@dataclass(frozen=True)
class Row:
    """One statement and how it came out."""

    group: str
    name: str
    status: Status
    seconds: float
    reason: str = ""
    check: str = ""
    """The number of the check that the statement restates; the workload's own statements have none."""
    remedy: str = ""
    until: str = ""
    """The last day of the waiver that covers it."""

    @property
    def passed(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.status != "failed"


@dataclass(frozen=True)
class Verification:
    """The proof as one document."""

    suite: Suite
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
        counted = {status: self.count(status) for status in ("waived", "not-applicable")}
        held = len(self.rows) - sum(counted.values())
        verdict = f"{len(self.failed)} of {len(self.rows)} failed" if self.failed else f"all {held} hold"
        besides = "".join(f", {number} {status.replace('-', ' ')}" for status, number in counted.items() if number)
        return f"{verdict}{besides}, {self.seconds:.1f} s, {self.at}, commit {self.commit[:7]}"

    def count(self, status: Status) -> int:
        """Give how many statements came out like this."""
        return sum(row.status == status for row in self.rows)

    def document(self) -> dict[str, Any]:
        """Give the JSON form; `docs/security.md` describes it."""
        return {
            "schema": self.suite.schema,
            "stack": self.stack,
            "at": self.at,
            "commit": self.commit,
            "seconds": round(self.seconds, 3),
            "total": len(self.rows),
            "failed": len(self.failed),
            "waived": self.count("waived"),
            "not_applicable": self.count("not-applicable"),
            "summary": self.summary,
            "rows": [{**asdict(row), "passed": row.passed} for row in self.rows],
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
        properties = {name: str(value) for name, value in report.user_properties}
        row = Row(
            group=properties.get("group", ""),
            name=properties.get("statement") or report.nodeid.rpartition("::")[2],
            status=_status(report),
            seconds=round(report.duration, 3),
            reason=_reason(report),
            check=properties.get("check", ""),
            remedy=properties.get("remedy", ""),
            until=properties.get("until", ""),
        )
        known = self.rows.get(report.nodeid)
        self.rows[report.nodeid] = row if known is None or known.passed else known


def verify(target: Target, suite: Suite = ACCEPTANCE, *, root: Path, evidence: Path) -> Verification:
    """Run a suite, whose folder is below `root`, and leave its JSON and JUnit files in `evidence`.

    Raises GreenroomError when the suite itself could not run; a failed statement is a row, not an error.
    """
    evidence.mkdir(parents=True, exist_ok=True)
    junit = evidence / f"{suite.stem}.xml"
    recorder = _Recorder(target)
    PROCESS.add([target.admin_password, target.endpoint.private_key])
    began = time.monotonic()
    output = io.StringIO()
    place = root / suite.folder
    arguments = [f"--rootdir={root}", "-c", str(root / "pytest.ini"), f"--junitxml={junit}", str(place)]
    with _no_plugins(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = pytest.main(arguments, plugins=[recorder])
    if status in ERROR_STATUSES or not recorder.rows:
        tail = PROCESS.mask("\n".join(output.getvalue().splitlines()[-20:]))
        what = f"The acceptance suite could not run (pytest status {int(status)})\n{tail}"
        raise GreenroomError(what, hint=f"greenroom status -s {target.stack}")
    verification = Verification(
        suite=suite,
        stack=target.stack,
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        commit=str(target.release.get("commit", "")),
        seconds=time.monotonic() - began,
        rows=tuple(recorder.rows.values()),
    )
    junit.write_text(PROCESS.mask(junit.read_text(encoding="utf-8")), encoding="utf-8")
    text = json.dumps(verification.document(), indent=2, ensure_ascii=False)
    temporary = evidence / f"{suite.stem}.json.new"
    temporary.write_text(PROCESS.mask(text) + "\n", encoding="utf-8")
    temporary.replace(evidence / f"{suite.stem}.json")
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


def _status(report: pytest.TestReport) -> Status:
    """Tell an expected failure (a waiver) from a statement that does not apply."""
    if report.skipped:
        return "waived" if hasattr(report, "wasxfail") else "not-applicable"
    return "passed" if report.passed else "failed"


def _reason(report: pytest.TestReport) -> str:
    """Give the assertion's own words instead of a traceback; of what was waived also the waiver's."""
    waiver = str(getattr(report, "wasxfail", ""))
    if report.passed:
        return f"holds; its waiver is not needed ({waiver})" if waiver else ""
    if isinstance(report.longrepr, tuple):  # a skip: file, line, words
        return PROCESS.mask(report.longrepr[2].removeprefix("Skipped: "))
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr)
    words = _words(text)
    return f"{waiver}; {words}" if waiver else words


def _words(text: str) -> str:
    return PROCESS.mask(" ".join(text.removeprefix("AssertionError: ").split("\nassert ")[0].split())[:REASON_LIMIT])
