"""Alive and ready. /health says that the process answers; /ready says whether it can do its work, and why not."""

import os
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from erp import __version__, schema
from tshkit.checks import Check
from tshkit.database import check_connection
from tshkit.readiness import answer

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(request: Request, response: Response) -> dict[str, str]:
    """Answer from memory: nothing is asked, so that a slow database does not get the process restarted."""
    response.headers["Cache-Control"] = "max-age=5"
    return {
        "status": "healthy",
        "message": "النظام يعمل بشكل طبيعي",
        "timestamp": datetime.now(UTC).isoformat(),
        "version": __version__,
        "environment": request.app.state.settings.environment,
    }


def _check_storage(directory: Path) -> Check:
    if not directory.is_dir():
        return Check(ok=False, reason=f"{directory} is not there")
    if not os.access(directory, os.W_OK | os.X_OK):
        return Check(ok=False, reason=f"{directory} is not writable by user {os.getuid()}")
    return Check(ok=True)


@router.get("/ready")
def ready(request: Request) -> JSONResponse:
    """Ask everything that the ERP needs: database, its revision, the first account, Redis, the upload directory."""
    state = request.app.state
    return answer(
        {
            "database": lambda: check_connection(state.engine),
            "migrations": lambda: schema.check_revision(state.engine),
            "first_data": state.steward.check,
            "redis": state.login_sessions.check,
            "storage": lambda: _check_storage(state.settings.upload_directory),
        }
    )


@router.get("/")
async def about() -> dict[str, str]:
    """Say what this is."""
    return {"name": "TSH ERP", "version": __version__, "docs": "/docs", "health": "/health", "ready": "/ready"}
