"""Somebody gave a container other limits."""

from bed import APP
from faultcase import Case

CASE = Case(
    id="compose-container-altered",
    title="a container's memory limit was changed by hand",
    rows=(),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker update --memory 700m --memory-swap 700m {APP}"),
    broken=lambda lab: (
        ""
        if "1073741824" in lab.shell(f"docker inspect {APP} --format '{{{{.HostConfig.Memory}}}}'", check=False)
        else "the limit is another one"
    ),
    causes=("CONTAINER_ALTERED",),
)
