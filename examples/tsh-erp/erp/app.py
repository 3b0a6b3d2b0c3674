"""The ERP as an ASGI application: `uvicorn --factory erp.app:create_app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from sqlalchemy.orm import sessionmaker

from erp import __version__, auth, first_data, health, users, zoho
from erp.bff import routers
from erp.sessions import Sessions
from erp.settings import Settings
from tshkit import failures, logs
from tshkit.database import make_engine
from tshkit.steward import Steward


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.steward.start()
    yield
    app.state.steward.stop()
    app.state.engine.dispose()


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application from the environment; a wrong setting raises here and names itself."""
    settings = settings or Settings()  # pyright: ignore[reportCallIssue] the fields come from the environment
    logs.configure(settings.log_level, settings.log_directory, "erp")
    app = FastAPI(title="TSH ERP", version=__version__, lifespan=_lifespan)
    app.state.settings = settings
    app.state.engine = make_engine(settings.database_url.get_secret_value())
    app.state.sessions = sessionmaker(app.state.engine, expire_on_commit=False)
    app.state.login_sessions = Sessions(settings.redis_url)
    administrator = first_data.Administrator(settings.admin_email, settings.admin_password)
    app.state.steward = Steward("first data", lambda: first_data.attempt(app.state.engine, administrator))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
    )
    failures.register(app)
    for router in (health.router, auth.router, users.router, zoho.router, *routers):
        app.include_router(router)
    return app
