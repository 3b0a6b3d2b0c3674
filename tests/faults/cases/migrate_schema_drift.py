"""A column that the code reads is gone from the table, though the revision says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

TABLE, COLUMN = "salesperson_gps_locations", "battery_level"


def inject(lab: Lab) -> None:
    lab.sql(f"ALTER TABLE {TABLE} DROP COLUMN {COLUMN}")


def restore(lab: Lab) -> None:
    lab.sql(f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS {COLUMN} integer")


CASE = Case(
    id="migrate-schema-drift",
    title="a column is gone from the live schema",
    rows=("U02", "R18"),
    strikes="run time",
    expected="escalated",
    inject=inject,
    broken=lambda lab: (
        ""
        if COLUMN in lab.sql(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{TABLE}'")  # noqa: S608
        else "the column is gone"
    ),
    restore=restore,
    causes=("SCHEMA_DRIFT",),
    role="devops",
)
