"""Two branches brought a migration each: alembic has two heads."""

from faultcase import Case

SECOND = '''"""A second head."""

revision = "second_head"
down_revision = "base_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing."""


def downgrade() -> None:
    """Nothing."""
'''

CASE = Case(
    id="migrate-two-heads",
    title="the migrations have two heads",
    rows=("R17", "F80"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.write("migrations/versions/second_head.py", SECOND),
    causes=("MULTIPLE_HEADS",),
    role="devops",
    still_serves=True,
)
