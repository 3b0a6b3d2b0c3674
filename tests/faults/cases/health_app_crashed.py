"""The new code fails as it starts."""

from faultcase import Case

OLD = "    settings = settings or Settings()"

CASE = Case(
    id="health-app-crashed",
    title="the application crashes as it starts, again and again",
    rows=("F68", "U09"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("erp/app.py", OLD, "    {}['retry_count']\n" + OLD),
    causes=("APP_CRASHED",),
    role="devops",
)
