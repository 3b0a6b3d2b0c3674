"""The database's container was stopped."""

from bed import POSTGRES
from faultcase import Case

CASE = Case(
    id="migrate-database-down",
    title="the database's container was stopped",
    rows=("F76",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker stop -t 10 {POSTGRES}"),
    broken=lambda lab: lab.container_broken(POSTGRES),
    causes=("SERVICE_STOPPED", "DATABASE_STARTING"),
    watched=True,
)
