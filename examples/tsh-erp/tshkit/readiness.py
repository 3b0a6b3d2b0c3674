"""Readiness: a service is ready when every one of its checks is, and says which one is not and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import status
from fastapi.responses import JSONResponse


@dataclass(frozen=True)
class Check:
    """The outcome of one check: good or not, the reason when not, and facts worth showing."""

    ok: bool
    reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """Return the check as it stands in the answer."""
        return {"ok": self.ok, **self.facts} | ({} if self.reason is None else {"reason": self.reason})


def first_line(error: BaseException) -> str:
    """Return the error's kind and the first line of its text: drivers append advice and links."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def answer(checks: Mapping[str, Callable[[], Check]]) -> JSONResponse:
    """Run the checks in order and answer 200 when all are good, else 503 with the first reason on top."""
    results = {name: check() for name, check in checks.items()}
    failed = [f"{name}: {result.reason}" for name, result in results.items() if not result.ok]
    body: dict[str, Any] = {
        "status": "not ready" if failed else "ready",
        "checks": {name: result.as_json() for name, result in results.items()},
    }
    if failed:
        body["reason"] = failed[0]
    code = status.HTTP_503_SERVICE_UNAVAILABLE if failed else status.HTTP_200_OK
    return JSONResponse(body, code, headers={"Cache-Control": "no-store"})
