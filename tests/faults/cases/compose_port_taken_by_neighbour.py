"""A container of another compose project holds a port of the stack."""

from bed import APP
from faultcase import Case

OTHER = (
    "docker run -d --name squatter --label com.docker.compose.project=elsewhere -p 127.0.0.1:8002:6379 redis:7-alpine"
)

CASE = Case(
    id="compose-port-taken-by-neighbour",
    title="a container of another project holds 8002",
    rows=("U19",),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell(f"docker stop -t 3 {APP}; {OTHER}; sleep 1"),
    broken=lambda lab: lab.container_broken(APP),
    unharmed=lambda lab: "" if lab.containers().get("squatter", "").startswith("running") else "the other was ended",
    restore=lambda lab: lab.shell("docker rm -f squatter; true"),
    causes=("PORT_TAKEN",),
    role="devops",
)
