"""The second of two new statements of a migration fails: nothing of it may stay, and the old release serves."""

from faultcase import Case

NEXT = '''"""A migration that fails half-way."""

from alembic import op

revision = "half_way"
down_revision = "add_salesperson_field_sales"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a table, then divide by zero."""
    op.execute("CREATE TABLE half_way (id int)")
    op.execute("SELECT 1/0")


def downgrade() -> None:
    """Nothing."""
'''

CASE = Case(
    id="migrate-failed",
    title="a migration fails half-way",
    rows=("F77", "U21"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.write("migrations/versions/half_way.py", NEXT),
    causes=("MIGRATION_FAILED",),
    role="devops",
    still_serves=True,
)
