"""A declared value does not fit the application: the log level in lower case."""

from faultcase import Case

CASE = Case(
    id="secrets-setting-lower-case",
    title="LOG_LEVEL is declared in lower case",
    rows=("R07", "U47"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.set("    LOG_LEVEL: INFO", "    LOG_LEVEL: info"),
    causes=("ENV_SETTING_BAD",),
    role="devops",
)
