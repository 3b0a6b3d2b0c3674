"""A container of another project has the name that ours wants."""

from bed import NEUROLINK
from faultcase import Case

OTHER = f"docker run -d --name {NEUROLINK} --label com.docker.compose.project=elsewhere redis:7-alpine"

CASE = Case(
    id="compose-name-taken",
    title="a container of another project has the name of one of ours",
    rows=("U20",),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell(f"docker rm -f {NEUROLINK}; {OTHER}; sleep 1"),
    broken=lambda lab: lab.container_broken(NEUROLINK),
    unharmed=lambda lab: "" if lab.containers().get(NEUROLINK, "").startswith("running") else "the other was ended",
    restore=lambda lab: lab.shell(f"docker rm -f {NEUROLINK}; true"),
    causes=("NAME_TAKEN",),
    role="devops",
)
