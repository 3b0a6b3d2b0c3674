"""Somebody's idle transaction holds a lock that the migration needs: it gives up, and who blocks it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

NEXT = '''"""A migration that changes nothing that counts."""

from alembic import op

revision = "one_comment_more"
down_revision = "add_salesperson_field_sales"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Comment on a table."""
    op.execute("COMMENT ON TABLE users IS 'people'")


def downgrade() -> None:
    """Nothing."""
'''


def inject(lab: Lab) -> None:
    lab.write("migrations/versions/one_comment_more.py", NEXT)
    lab.background(
        "docker exec -i tsh_postgres_staging psql -U tsh_app_user -d tsh_erp_staging",
        "BEGIN; LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE;\n",
    )


def restore(lab: Lab) -> None:
    lab.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state LIKE 'idle in%'"
    )
    lab.sql("UPDATE alembic_version SET version_num = 'add_salesperson_field_sales'")


CASE = Case(
    id="migrate-database-locked",
    title="an idle transaction blocks the migration, for good",
    rows=("F78",),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    restore=restore,
    causes=("DATABASE_LOCKED",),
    role="devops",
)
