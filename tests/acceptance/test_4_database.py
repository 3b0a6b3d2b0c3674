"""The schema: exactly the declared tables, and the revision that the code expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host

    from infra.ops.proof import Subject

GROUP = "database"
QUERY = (
    "select table_name from information_schema.tables where table_schema = 'public' and table_name like '{}' order by 1"
)


def test_the_tables_are_there_by_name(stack: Subject, host: Host) -> None:
    database = stack.contract.database
    if database is None:
        pytest.skip("the contract names no database")
    container = stack.contract.container_of(database.service)
    script = 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -Atc "$1"'
    found = host.check_output(
        "docker exec %s sh -c %s sh %s", container, script, QUERY.format(database.like.replace("'", "''"))
    )
    assert found.split() == sorted(database.tables), f"found {found.split()}"


def test_the_schema_is_at_the_migration_head(stack: Subject, host: Host) -> None:
    migration = stack.contract.migration
    if migration is None:
        pytest.skip("the contract names no migrations")
    container = stack.contract.container_of(migration.service)
    places = " ".join(["%s"] * len(migration.current))
    answer = host.run(f"docker exec %s {places}", container, *migration.current)
    lines = [line.split() for line in answer.stdout.splitlines() if line.strip()]
    assert [line[0] for line in lines] == [migration.revision], f"the revision is {answer.stdout.strip() or 'none'}"
    assert "(head)" in lines[0], f"{lines[0][0]} is not the head"
