"""Run migrations against DATABASE_URL, and nothing else of the environment, one runner at a time."""

import os
import sys
from logging.config import fileConfig

from alembic import context
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from erp.models import Base
from tshkit.database import CONNECT_TIMEOUT_S, driver_url

# Two runners must not migrate side by side. The number means nothing, it only has to be the same for both.
LOCK = 2_250_001
OWN_TABLES = frozenset(Base.metadata.tables)


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in OWN_TABLES


def _run() -> None:
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise CommandError("DATABASE_URL is not set")
    # The URL never goes through alembic's configuration: that reads % as its own and prints what it can't read.
    engine = create_engine(driver_url(url), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=_is_ours,
            compare_type=True,
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            context.run_migrations()


if context.is_offline_mode():
    raise CommandError("Migrations run against a database, not into a script")
if context.config.config_file_name is not None and not os.environ.get("ALEMBIC_KEEP_LOGGING"):
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
try:
    _run()
except OperationalError as error:
    sys.exit(f"FAILED: no connection to the database: {str(error.orig).strip()}")
