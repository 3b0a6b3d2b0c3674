"""The migration revision that the database has against the one that this code wants."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from tshkit.checks import Check
from tshkit.database import reason

ROOT = Path(__file__).resolve().parent.parent


@cache
def head() -> str:
    """Return the one head of the migrations; alembic raises when there are more."""
    revision = ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_current_head()
    if revision is None:
        raise RuntimeError(f"No migration under {ROOT / 'migrations'}")
    return revision


def current(engine: Engine) -> str | None:
    """Return the revision of the database, None when no migration ever ran there."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version ORDER BY 1")).scalars().all()
        return ",".join(found) or None


def check_revision(engine: Engine) -> Check:
    """Compare the revision of the database with the head."""
    try:
        found = current(engine)
    except SQLAlchemyError as error:
        return Check(ok=False, reason=reason(error), facts={"head": head()})
    facts = {"current": found, "head": head()}
    if found == head():
        return Check(ok=True, facts=facts)
    problem = "no migration has run" if found is None else f"database is at {found}, not at {head()}"
    return Check(ok=False, reason=f"{problem}; run: alembic upgrade head", facts=facts)
