"""The new release answers /health with 200, and later than its health check waits: something is done before each answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

OLD = '    """Answer from memory: nothing is asked, so that a slow database does not get the process restarted."""\n'
SLOW_S = 1.5
CHECK = 'test: [CMD, python, -I, -S, /app/tshkit/probe.py, "8000", /health]\n      '
WAITS = "interval: 30s\n      timeout: 10s\n      retries: 3\n      start_period: 40s"
LESS = "interval: 2s\n      timeout: 1s\n      retries: 3\n      start_period: 4s"


def inject(lab: Lab) -> None:
    lab.replace("erp/health.py", OLD, f"{OLD}    await __import__('asyncio').sleep({SLOW_S})\n")
    lab.replace("docker-compose.staging.yml", CHECK + WAITS, CHECK + LESS)


CASE = Case(
    id="health-slow",
    title=f"/health answers after {SLOW_S} s; its health check waits for one",
    rows=("U41",),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    causes=("HEALTH_SLOW",),
    role="devops",
)
