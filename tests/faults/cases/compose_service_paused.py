"""A service was frozen: running by name, answering nobody."""

from bed import NEUROLINK
from faultcase import Case

CASE = Case(
    id="compose-service-paused",
    title="a container was paused",
    rows=("F68",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker pause {NEUROLINK}"),
    broken=lambda lab: lab.container_broken(NEUROLINK),
    causes=("SERVICE_STOPPED", "SERVICE_HUNG"),
    watched=True,
)
