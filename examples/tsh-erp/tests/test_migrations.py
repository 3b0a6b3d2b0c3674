from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from stack import alembic

COLUMNS = {
    "salesperson_gps_locations": 22,
    "salesperson_commissions": 32,
    "salesperson_targets": 32,
    "salesperson_daily_summaries": 18,
}
INDEXES = {
    "salesperson_gps_locations": "gps: salesperson timestamp customer_visit sync_status created_at location_uuid",
    "salesperson_commissions": "commission: salesperson period_start period_end status paid created_at",
    "salesperson_targets": "target: salesperson period_start period_end achieved active created_at",
    "salesperson_daily_summaries": "daily_summary: salesperson date unique",
}
BASE = {"roles", "branches", "users", "customers", "money_transfers", "notes"}


@contextmanager
def connected(url: str) -> Iterator[psycopg.Cursor]:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        yield cursor


def tables(url: str) -> set[str]:
    with connected(url) as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        return {name for (name,) in cursor.fetchall()} - {"alembic_version"}


def test_there_is_one_root_and_one_head(empty_database: str) -> None:
    assert alembic(empty_database, "heads").stdout.split() == ["add_salesperson_field_sales", "(head)"]
    history = alembic(empty_database, "history").stdout
    assert history.count("<base>") == 1


def test_migrations_go_up_down_and_up_again(empty_database: str) -> None:
    alembic(empty_database, "upgrade", "head")
    assert tables(empty_database) == BASE | COLUMNS.keys()
    alembic(empty_database, "downgrade", "-1")
    assert tables(empty_database) == BASE
    alembic(empty_database, "downgrade", "base")
    assert tables(empty_database) == set()
    alembic(empty_database, "upgrade", "head")
    assert alembic(empty_database, "current").stdout.split() == ["add_salesperson_field_sales", "(head)"]


def test_upgrading_twice_changes_nothing(empty_database: str) -> None:
    alembic(empty_database, "upgrade", "head")
    assert "Running upgrade" not in alembic(empty_database, "upgrade", "head").stderr


def test_tables_are_those_of_the_models(database_url: str) -> None:
    assert "No new upgrade operations" in alembic(database_url, "check").stdout


@pytest.mark.parametrize("table", COLUMNS)
def test_field_sales_tables_have_their_columns_and_indexes(database_url: str, table: str) -> None:
    with connected(database_url) as cursor:
        cursor.execute(
            "SELECT column_name, data_type, column_default FROM information_schema.columns WHERE table_name = %s",
            [table],
        )
        columns = cursor.fetchall()
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = %s AND indexname LIKE 'idx%%'", [table])
        indexes = {name for (name,) in cursor.fetchall()}
    assert len(columns) == COLUMNS[table]
    assert {name for name, _, default in columns if default} == {"id"}
    assert not [name for name, kind, _ in columns if kind == "timestamp with time zone"]
    prefix, names = INDEXES[table].split(": ")
    assert indexes == {f"idx_{prefix}_{name}" for name in names.split()}


def test_a_percent_sign_in_the_address_is_no_trouble(server: str) -> None:
    address = server.replace("tsh@", "tsh:p%40ss%25word@") + "/postgres"
    assert alembic(address, "current").returncode == 0


def test_no_database_is_said_in_one_line_without_the_password() -> None:
    result = alembic("postgresql://tsh:hidden-word@127.0.0.1:1/none", "upgrade", "head", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("FAILED: no connection to the database")
    assert "hidden-word" not in result.stderr + result.stdout


def test_no_address_is_said_so() -> None:
    result = alembic("", "upgrade", "head", check=False)
    assert result.returncode != 0
    assert "DATABASE_URL is not set" in result.stdout + result.stderr
