"""The health check asks for a path that the application does not have; the application is well."""

from faultcase import Case

OLD = 'test: [CMD, python, -I, -S, /app/tshkit/probe.py, "8000", /health]\n      interval: 30s\n      timeout: 10s\n      retries: 3\n      start_period: 40s'
NEW = 'test: [CMD, python, -I, -S, /app/tshkit/probe.py, "8000", /healthz]\n      interval: 2s\n      timeout: 10s\n      retries: 3\n      start_period: 4s'

CASE = Case(
    id="health-check-wrong",
    title="the compose health check asks for a path that there is not",
    rows=("U10", "R22"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("docker-compose.staging.yml", OLD, NEW),
    causes=("HEALTH_CHECK_WRONG",),
    role="devops",
)
