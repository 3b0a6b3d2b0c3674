"""The role's password in the database is another one than the stack's secret."""

from faultcase import Case

CASE = Case(
    id="migrate-password-differs",
    title="the database role's password was changed by hand",
    rows=("F82",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.sql(
        "ALTER ROLE tsh_app_user PASSWORD 'another-one'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND usename = 'tsh_app_user' AND client_addr IS NOT NULL"
    ),
    broken=lambda lab: "" if lab.https("/ready") == 200 else "the application is not ready",
    causes=("DB_PASSWORD_DIFFERS",),
    watched=True,
)
