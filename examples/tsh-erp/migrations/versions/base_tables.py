"""The tables that everything else refers to: people, customers, money transfers, notes."""

import sqlalchemy as sa
from alembic import op

revision = "base_tables"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("roles", "branches", "users", "customers", "money_transfers", "notes")


def _roles() -> None:
    op.create_table(
        "roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def _branches() -> None:
    op.create_table(
        "branches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_ar", sa.String(length=100), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("employee_code", sa.String(length=20), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("is_salesperson", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.Column("last_login", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["branch_id"], ["branches.id"]),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("employee_code"),
    )


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_code", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_ar", sa.String(length=200), nullable=False),
        sa.Column("company_name", sa.String(length=200), nullable=True),
        sa.Column("company_name_ar", sa.String(length=200), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=100), nullable=True),
        sa.Column("tax_number", sa.String(length=50), nullable=True),
        sa.Column("credit_limit", sa.Numeric(precision=15, scale=3), nullable=True),
        sa.Column("payment_terms", sa.Integer(), nullable=True),
        sa.Column("discount_percentage", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("portal_language", sa.String(length=5), nullable=True),
        sa.Column("salesperson_id", sa.Integer(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["salesperson_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_code"),
    )


def _money_transfers() -> None:
    op.create_table(
        "money_transfers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transfer_uuid", sa.String(length=36), nullable=True),
        sa.Column("salesperson_id", sa.Integer(), nullable=False),
        sa.Column("salesperson_name", sa.String(length=100), nullable=False),
        sa.Column("amount_usd", sa.Float(), nullable=False),
        sa.Column("amount_iqd", sa.Float(), nullable=False),
        sa.Column("exchange_rate", sa.Float(), nullable=False),
        sa.Column("gross_sales", sa.Float(), nullable=False),
        sa.Column("commission_rate", sa.Float(), nullable=True),
        sa.Column("calculated_commission", sa.Float(), nullable=False),
        sa.Column("claimed_commission", sa.Float(), nullable=False),
        sa.Column("commission_verified", sa.Boolean(), nullable=True),
        sa.Column("transfer_platform", sa.String(length=50), nullable=False),
        sa.Column("platform_reference", sa.String(length=100), nullable=True),
        sa.Column("transfer_fee", sa.Float(), nullable=True),
        sa.Column("transfer_datetime", sa.DateTime(), nullable=False),
        sa.Column("gps_latitude", sa.Float(), nullable=True),
        sa.Column("gps_longitude", sa.Float(), nullable=True),
        sa.Column("location_name", sa.String(length=200), nullable=True),
        sa.Column("receipt_photo_url", sa.String(length=500), nullable=True),
        sa.Column("receipt_verified", sa.Boolean(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("money_received", sa.Boolean(), nullable=True),
        sa.Column("received_datetime", sa.DateTime(), nullable=True),
        sa.Column("is_suspicious", sa.Boolean(), nullable=True),
        sa.Column("fraud_alert_reason", sa.Text(), nullable=True),
        sa.Column("manager_approval_required", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["salesperson_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("transfer_uuid"),
    )
    op.create_index("idx_transfer_datetime", "money_transfers", ["transfer_datetime"])
    op.create_index("idx_transfer_platform", "money_transfers", ["transfer_platform"])
    op.create_index("idx_transfer_salesperson", "money_transfers", ["salesperson_id"])
    op.create_index("idx_transfer_status", "money_transfers", ["status"])
    op.create_index("idx_transfer_suspicious", "money_transfers", ["is_suspicious"])


def _notes() -> None:
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=30), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("idx_note_subject", "notes", ["subject", "subject_id"])


def upgrade() -> None:
    """Make the tables."""
    _roles()
    _branches()
    _users()
    _customers()
    _money_transfers()
    _notes()


def downgrade() -> None:
    """Drop the tables in the opposite order; their indexes go with them."""
    for table in reversed(TABLES):
        op.drop_table(table)
