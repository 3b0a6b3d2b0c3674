"""The settings name a configuration file of alembic that is not in the image."""

from faultcase import Case

CASE = Case(
    id="migrate-config-missing",
    title="alembic's configuration is not where the settings say",
    rows=("R15", "R16"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.set(
        "command: [alembic, upgrade, head]", "command: [alembic, -c, database/alembic.ini, upgrade, head]"
    ),
    causes=("MIGRATION_CONFIG_MISSING",),
    role="devops",
    still_serves=True,
)
