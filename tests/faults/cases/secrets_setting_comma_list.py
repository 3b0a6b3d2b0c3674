"""A declared value does not fit the application: a comma list where it reads JSON."""

from faultcase import Case

CASE = Case(
    id="secrets-setting-comma-list",
    title="CORS_ORIGINS is declared as a comma list",
    rows=("R06",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.set(
        'CORS_ORIGINS: ["https://staging.tsh-erp.test"]',
        'CORS_ORIGINS: "https://staging.tsh-erp.test,https://tsh-erp.test"',
    ),
    causes=("ENV_SETTING_BAD",),
    role="devops",
)
