"""One endpoint of the new release answers 500; its containers are healthy."""

from faultcase import Case

OLD = "    owner = whose(database, user, salesperson_id)\n    pending, last"
NEW = "    owner = whose(database, user, salesperson_id)\n    owner.retry_count += 1\n    pending, last"

CASE = Case(
    id="health-app-errors",
    title="an endpoint answers 500, every container is healthy",
    rows=("U09",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("erp/bff/gps.py", OLD, NEW),
    causes=("APP_ERRORS",),
    role="qa",
    still_serves=True,
)
