"""Field sales: GPS locations, commissions, targets and daily summaries of salespeople."""

import sqlalchemy as sa
from alembic import op

revision = "add_salesperson_field_sales"
down_revision = "base_tables"
branch_labels = None
depends_on = None

TABLES = ("salesperson_gps_locations", "salesperson_commissions", "salesperson_targets", "salesperson_daily_summaries")


def _salesperson_gps_locations() -> None:
    op.create_table(
        "salesperson_gps_locations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("location_uuid", sa.String(length=36), nullable=True),
        sa.Column("salesperson_id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Numeric(precision=10, scale=8), nullable=False),
        sa.Column("longitude", sa.Numeric(precision=11, scale=8), nullable=False),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("altitude", sa.Float(), nullable=True),
        sa.Column("speed", sa.Float(), nullable=True),
        sa.Column("heading", sa.Float(), nullable=True),
        sa.Column("timestamp", sa.DateTime(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=True),
        sa.Column("activity_type", sa.String(length=50), nullable=True),
        sa.Column("is_customer_visit", sa.Boolean(), nullable=True),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("visit_verified", sa.Boolean(), nullable=True),
        sa.Column("distance_from_customer", sa.Float(), nullable=True),
        sa.Column("battery_level", sa.Integer(), nullable=True),
        sa.Column("is_charging", sa.Boolean(), nullable=True),
        sa.Column("device_id", sa.String(length=100), nullable=True),
        sa.Column("is_synced", sa.Boolean(), nullable=True),
        sa.Column("synced_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"]),
        sa.ForeignKeyConstraint(["salesperson_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("location_uuid"),
    )
    op.create_index("idx_gps_created_at", "salesperson_gps_locations", ["created_at"])
    op.create_index("idx_gps_customer_visit", "salesperson_gps_locations", ["is_customer_visit"])
    op.create_index("idx_gps_location_uuid", "salesperson_gps_locations", ["location_uuid"])
    op.create_index("idx_gps_salesperson", "salesperson_gps_locations", ["salesperson_id"])
    op.create_index("idx_gps_sync_status", "salesperson_gps_locations", ["is_synced"])
    op.create_index("idx_gps_timestamp", "salesperson_gps_locations", ["timestamp"])


def _salesperson_commissions() -> None:
    op.create_table(
        "salesperson_commissions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commission_uuid", sa.String(length=36), nullable=True),
        sa.Column("salesperson_id", sa.Integer(), nullable=False),
        sa.Column("salesperson_name", sa.String(length=100), nullable=False),
        sa.Column("period_type", sa.String(length=20), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("total_sales_amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("commission_rate", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("calculated_commission", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("approved_commission", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("total_orders", sa.Integer(), nullable=True),
        sa.Column("total_customers", sa.Integer(), nullable=True),
        sa.Column("avg_order_value", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("is_paid", sa.Boolean(), nullable=True),
        sa.Column("paid_date", sa.Date(), nullable=True),
        sa.Column("payment_method", sa.String(length=50), nullable=True),
        sa.Column("payment_reference", sa.String(length=100), nullable=True),
        sa.Column("transfer_id", sa.Integer(), nullable=True),
        sa.Column("calculated_by", sa.Integer(), nullable=True),
        sa.Column("approved_by", sa.Integer(), nullable=True),
        sa.Column("paid_by", sa.Integer(), nullable=True),
        sa.Column("calculated_at", sa.DateTime(), nullable=True),
        sa.Column("approved_at", sa.DateTime(), nullable=True),
        sa.Column("paid_at", sa.DateTime(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("manager_notes", sa.Text(), nullable=True),
        sa.Column("is_synced", sa.Boolean(), nullable=True),
        sa.Column("synced_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["approved_by"], ["users.id"]),
        sa.ForeignKeyConstraint(["calculated_by"], ["users.id"]),
        sa.ForeignKeyConstraint(["paid_by"], ["users.id"]),
        sa.ForeignKeyConstraint(["salesperson_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["transfer_id"], ["money_transfers.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("commission_uuid"),
    )
    op.create_index("idx_commission_created_at", "salesperson_commissions", ["created_at"])
    op.create_index("idx_commission_paid", "salesperson_commissions", ["is_paid"])
    op.create_index("idx_commission_period_end", "salesperson_commissions", ["period_end"])
    op.create_index("idx_commission_period_start", "salesperson_commissions", ["period_start"])
    op.create_index("idx_commission_salesperson", "salesperson_commissions", ["salesperson_id"])
    op.create_index("idx_commission_status", "salesperson_commissions", ["status"])


def _salesperson_targets() -> None:
    op.create_table(
        "salesperson_targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_uuid", sa.String(length=36), nullable=True),
        sa.Column("salesperson_id", sa.Integer(), nullable=False),
        sa.Column("salesperson_name", sa.String(length=100), nullable=False),
        sa.Column("period_type", sa.String(length=20), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("target_revenue_iqd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("target_revenue_usd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("target_orders", sa.Integer(), nullable=True),
        sa.Column("target_customers", sa.Integer(), nullable=True),
        sa.Column("achieved_revenue_iqd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("achieved_revenue_usd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("achieved_orders", sa.Integer(), nullable=True),
        sa.Column("achieved_customers", sa.Integer(), nullable=True),
        sa.Column("revenue_progress_percentage", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("orders_progress_percentage", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("customers_progress_percentage", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("overall_progress_percentage", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("is_achieved", sa.Boolean(), nullable=True),
        sa.Column("achievement_date", sa.Date(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=True),
        sa.Column("bonus_enabled", sa.Boolean(), nullable=True),
        sa.Column("bonus_percentage", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("bonus_amount", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("bonus_paid", sa.Boolean(), nullable=True),
        sa.Column("set_by", sa.Integer(), nullable=True),
        sa.Column("set_at", sa.DateTime(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=True),
        sa.Column("updated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["salesperson_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["set_by"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("target_uuid"),
    )
    op.create_index("idx_target_achieved", "salesperson_targets", ["is_achieved"])
    op.create_index("idx_target_active", "salesperson_targets", ["is_active"])
    op.create_index("idx_target_created_at", "salesperson_targets", ["created_at"])
    op.create_index("idx_target_period_end", "salesperson_targets", ["period_end"])
    op.create_index("idx_target_period_start", "salesperson_targets", ["period_start"])
    op.create_index("idx_target_salesperson", "salesperson_targets", ["salesperson_id"])


def _salesperson_daily_summaries() -> None:
    op.create_table(
        "salesperson_daily_summaries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("salesperson_id", sa.Integer(), nullable=False),
        sa.Column("summary_date", sa.Date(), nullable=False),
        sa.Column("total_sales_iqd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("total_sales_usd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("total_orders", sa.Integer(), nullable=True),
        sa.Column("total_customers_visited", sa.Integer(), nullable=True),
        sa.Column("avg_order_value", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("daily_commission", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("total_distance_km", sa.Numeric(precision=8, scale=2), nullable=True),
        sa.Column("total_time_hours", sa.Numeric(precision=6, scale=2), nullable=True),
        sa.Column("gps_points_count", sa.Integer(), nullable=True),
        sa.Column("customer_visits", sa.Integer(), nullable=True),
        sa.Column("verified_visits", sa.Integer(), nullable=True),
        sa.Column("transfers_made", sa.Integer(), nullable=True),
        sa.Column("total_transferred_usd", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("daily_rank", sa.Integer(), nullable=True),
        sa.Column("calculated_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["salesperson_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("idx_daily_summary_date", "salesperson_daily_summaries", ["summary_date"])
    op.create_index("idx_daily_summary_salesperson", "salesperson_daily_summaries", ["salesperson_id"])
    op.create_index(
        "idx_daily_summary_unique", "salesperson_daily_summaries", ["salesperson_id", "summary_date"], unique=True
    )


def upgrade() -> None:
    """Make the tables."""
    _salesperson_gps_locations()
    _salesperson_commissions()
    _salesperson_targets()
    _salesperson_daily_summaries()


def downgrade() -> None:
    """Drop the tables in the opposite order; their indexes go with them."""
    for table in reversed(TABLES):
        op.drop_table(table)
