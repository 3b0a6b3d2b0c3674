"""NeuroLink as an ASGI application: `uvicorn --factory neurolink.app:create_app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import sessionmaker

from neurolink import __version__, events, notifications, schema
from neurolink.settings import Settings
from neurolink.unread import Unread
from tshkit import failures, logs
from tshkit.database import check_connection, make_engine
from tshkit.readiness import answer
from tshkit.steward import Steward

POOL_SIZE = 5

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> dict[str, str]:
    """Say that the process answers, and what it sees of its neighbours; 200 even when it sees none of them."""
    state = request.app.state
    seen = {"database": check_connection(state.engine), "redis": state.unread.check()}
    return {
        "status": "healthy",
        "version": __version__,
        "timestamp": datetime.now(UTC).isoformat(),
        **{name: "connected" if check.ok else "disconnected" for name, check in seen.items()},
    }


@router.get("/ready")
def ready(request: Request) -> JSONResponse:
    """Ask everything that NeuroLink needs: database, its own schema there, Redis."""
    state = request.app.state
    return answer(
        {
            "database": lambda: check_connection(state.engine),
            "schema": lambda: schema.check(state.engine),
            "redis": state.unread.check,
        }
    )


@router.get("/")
async def about(request: Request) -> dict[str, Any]:
    """Say what this is."""
    return {
        "name": "NeuroLink",
        "version": __version__,
        "environment": request.app.state.settings.environment,
        "docs": "/docs",
        "health": "/health",
        "endpoints": {"events": "/v1/events", "notifications": "/v1/notifications"},
    }


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.steward.start()
    yield
    app.state.steward.stop()
    app.state.engine.dispose()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application from the environment; a wrong setting raises here and names itself."""
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] the fields come from the environment
    logs.configure(settings.log_level, settings.log_directory, "neurolink")
    app = FastAPI(title="NeuroLink", version=__version__, lifespan=_lifespan)
    app.state.settings = settings
    app.state.engine = make_engine(settings.database_url.get_secret_value(), pool_size=POOL_SIZE)
    app.state.sessions = sessionmaker(app.state.engine, expire_on_commit=False)
    app.state.unread = Unread(settings.redis_url)
    app.state.steward = Steward("schema", lambda: schema.attempt(app.state.engine))
    failures.register(app)
    for part in (router, events.router, notifications.router):
        app.include_router(part)
    return app
