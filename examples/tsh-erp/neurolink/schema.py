"""NeuroLink's own schema in the database it shares with the ERP: numbered SQL files, each applied once, in order."""

from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from tshkit.checks import Check
from tshkit.database import reason

DIRECTORY = Path(__file__).resolve().parent / "migrations"
# Two processes must not migrate side by side.
LOCK = 2_250_101


def versions() -> list[str]:
    """Return the names of all migrations, oldest first."""
    return sorted(path.stem for path in DIRECTORY.glob("*.sql"))


def migrate(engine: Engine) -> None:
    """Apply what has not been applied, all of it or nothing."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS neurolink"))
        connection.execute(
            text("CREATE TABLE IF NOT EXISTS neurolink.schema_versions (version varchar(100) PRIMARY KEY)")
        )
        applied = set(connection.execute(text("SELECT version FROM neurolink.schema_versions")).scalars())
        for version in versions():
            if version not in applied:
                connection.exec_driver_sql((DIRECTORY / f"{version}.sql").read_text(encoding="utf-8"))
                connection.execute(
                    text("INSERT INTO neurolink.schema_versions VALUES (:version)"), {"version": version}
                )


def attempt(engine: Engine) -> str | None:
    """Migrate; return why that could not be done yet."""
    try:
        migrate(engine)
    except SQLAlchemyError as error:
        return reason(error)
    return None


def check(engine: Engine) -> Check:
    """Compare what has been applied with what there is."""
    try:
        with engine.connect() as connection:
            applied = set(connection.execute(text("SELECT version FROM neurolink.schema_versions")).scalars())
    except SQLAlchemyError as error:
        return Check(ok=False, reason=reason(error))
    missing = [version for version in versions() if version not in applied]
    facts = {"current": max(applied, default=None), "head": versions()[-1]}
    if missing:
        return Check(ok=False, reason=f"not applied: {', '.join(missing)}", facts=facts)
    return Check(ok=True, facts=facts)
