"""Readiness: a service is ready when every one of its checks is, and says which one is not and why."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import status
from fastapi.responses import JSONResponse

from tshkit.checks import Check


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
