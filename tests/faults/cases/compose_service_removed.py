"""A service's container was removed by hand."""

from bed import DASHBOARD
from faultcase import Case

CASE = Case(
    id="compose-service-removed",
    title="the dashboard's container was removed by hand",
    rows=("F68",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker rm -f {DASHBOARD}"),
    broken=lambda lab: lab.container_broken(DASHBOARD),
    causes=("SERVICE_STOPPED",),
    watched=True,
)
