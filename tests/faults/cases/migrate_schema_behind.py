"""The schema is a revision behind: everything is healthy by name, and the endpoints find no tables."""

from bed import APP
from faultcase import Case

CASE = Case(
    id="migrate-schema-behind",
    title="the schema is a revision behind the code",
    rows=("R21", "U21"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker exec {APP} alembic downgrade -1"),
    broken=lambda lab: "" if lab.https("/ready") == 200 else "the application is not ready",
    causes=("SCHEMA_BEHIND",),
    watched=True,
)
