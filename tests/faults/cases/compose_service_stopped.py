"""A service of the stack was stopped by hand."""

from bed import APP
from faultcase import Case

CASE = Case(
    id="compose-service-stopped",
    title="the application's container was stopped by hand",
    rows=("F68",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker stop -t 3 {APP}"),
    broken=lambda lab: lab.container_broken(APP),
    causes=("SERVICE_STOPPED",),
    watched=True,
    fast=True,
)
