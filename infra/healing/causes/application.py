"""Causes in the application itself: what its first error names."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.causes.containers import LOGS, has_crashed, has_fresh_error, is_ill
from infra.healing.causes.directories import denied
from infra.healing.causes.logged import of_ill_services
from infra.healing.matching import Seen, cause, failed, proof, services, text, the_error, words
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_IMPORTS = ("ModuleNotFoundError", "ImportError")
_NODE_IMPORTS = ("MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND")
_NO_DIRECTORY = re.compile(r"Directory '([^'\n]{1,300})' does not exist")
_MODULE = re.compile(r"(?:No module named|cannot import name|Cannot find (?:module|package)) '?([^'\s]{1,200})")
_CODE = "mend it in {repository} ({branch}) and push, then greenroom up -s {stack}"


def _app_import_failed(situation: Situation) -> Iterator[Seen]:
    for name, error in of_ill_services(situation):
        if error.get("type") in _IMPORTS or error.get("code") in _NODE_IMPORTS:
            found = _MODULE.match(text(error.get("message")))
            place = f"{error.get('file')}:{error.get('line')}"
            details = {
                "module": found[1] if found else "a module",
                "place": place,
                "line": text(error.get("line_text")),
            }
            yield Seen(name, (*proof(name, error.get("line_text")), *proof(name, place)), 0.95, details)


def _app_directory_missing(situation: Situation) -> Iterator[Seen]:
    for name, error in of_ill_services(situation):
        found = _NO_DIRECTORY.match(text(error.get("message")))
        if found and error.get("type") == "RuntimeError":
            yield Seen(name, proof(name, error.get("line_text")), 0.95, {"path": found[1]})


def _app_crashed(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "SERVICE_CRASHED")
    for name, each in services(situation).items():
        error = the_error(situation, name)
        ended = has_crashed(situation, name)
        fresh = has_fresh_error(situation, name) and is_ill(situation, name)
        if denied(situation, name) or not (ended or fresh):
            continue
        last = [line for line in words(each.get("log")) if line.strip()][-1:]
        line = text(error.get("line_text")) or (last[0] if last else "it said nothing")
        details = {"line": line[:300], "exit_code": each.get("exit_code"), "container": each.get("container")}
        state = ", ".join(f"{name} {each.get(name)}" for name in ("container", "state", "exit_code", "restarts"))
        yield Seen(name, (*proof("docker inspect", state), *proof(name, line)), 0.8 if ended else 0.7, details)
    if failure is not None and not services(situation):
        details = {"line": failure.command, "exit_code": failure.exit_status}
        yield Seen(failure.resource, proof("start", failure.command), 0.6, details)


CAUSES = (
    cause(
        "APP_IMPORT_FAILED",
        _app_import_failed,
        rows="U04 U37",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The service {subject} can't import {module}",
        impact="{subject} does not serve, although its container may be up. Restarting it does not help.",
        role="devops",
        next_steps=(
            "look at {place}: {line}",
            "add the package to the image's requirements, or mend the import (packages of --user need a HOME there)",
            _CODE,
        ),
    ),
    cause(
        "APP_DIRECTORY_MISSING",
        _app_directory_missing,
        rows="U39",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The service {subject} wants the directory {path}, which its image does not have",
        impact="{subject} does not start. Restarting it does not help.",
        role="devops",
        next_steps=(
            "git does not keep empty directories: add {path}/.gitkeep, or make it in the Dockerfile",
            _CODE,
        ),
    ),
    cause(
        "APP_CRASHED",
        _app_crashed,
        rows="F68 U09",
        stage="health",
        verdict=Verdict.ESCALATE,
        severity="critical",
        title="The service {subject} ends by an error of its own: {line}",
        impact="What {subject} serves is down. Restarting it does not help.",
        role="devops",
        next_steps=(
            LOGS,
            "git -C {directory} show --stat {commit}   # what the commit changed",
            _CODE,
            "or stay on the last good commit: greenroom:workload.commit in Pulumi.{stack}.yaml",
        ),
    ),
)
